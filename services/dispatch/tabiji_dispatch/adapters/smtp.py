"""SMTP by aiosmtplib: one pool of connections a process, one recipient a message, and the final dot sent on its own.

The library's ``data`` writes body and dot in one piece, so a cut in the body could not be told from one after the dot.
Here the body goes out first and its bytes have left before the dot does: only from then on is a loss ``unknown``.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any

import aiosmtplib
from aiosmtplib.errors import SMTPException, SMTPResponseException
from aiosmtplib.protocol import SMTPProtocol

from tabiji_common.clock import Clock
from tabiji_dispatch.adapters.mail import compose, domain_of, single_address
from tabiji_dispatch.adapters.smtp_replies import Stage, lost_at, verdict_of
from tabiji_dispatch.domain.message import Letter
from tabiji_dispatch.domain.outcomes import Result, Verdict
from tabiji_dispatch.settings import ProviderSettings

_IDLE = 20.0  # seconds after which a kept connection is not trusted any more
_LEADING_DOT = re.compile(rb"(?m)^\.")
_OK = range(200, 300)


class _Replied(Exception):
    """The server answered with something that ends the attempt."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code)
        self.code = code
        self.text = text


@dataclass
class _Line:
    """A connection and how far its message has come."""

    client: aiosmtplib.SMTP
    used_at: float
    stage: Stage = Stage.CONNECT
    fresh: bool = True

    @property
    def protocol(self) -> SMTPProtocol:
        """The open protocol; raises ``ConnectionError`` where there is none."""
        protocol = self.client.protocol
        if protocol is None or not protocol.is_connected:
            raise ConnectionResetError("the connection is closed")
        return protocol

    async def ask(self, stage: Stage, *words: bytes, wants: range = _OK) -> None:
        """A command; raises ``_Replied`` for any other answer than one of ``wants``."""
        self.stage = stage
        answer = await self.protocol.execute_command(*words)
        if answer.code not in wants:
            raise _Replied(answer.code, answer.message)

    async def body(self, message: bytes) -> None:
        """Write the body without the dot, and wait until every byte of it has left."""
        self.stage = Stage.BODY
        self.protocol.write(_LEADING_DOT.sub(b"..", message))
        await asyncio.sleep(0)
        while self._unsent():  # noqa: ASYNC110 - the library keeps its flow control to itself
            await asyncio.sleep(0.001)

    def _unsent(self) -> int:
        transport: Any = self.protocol.transport  # uvloop's is no subclass of asyncio's
        return int(transport.get_write_buffer_size())

    async def dot(self) -> Verdict:
        """The point of no return."""
        protocol = self.protocol  # raises while nothing is lost; no await stands between here and the write
        self.stage = Stage.DOT
        answer = await protocol.execute_command(b".")
        return verdict_of(Stage.DOT, answer.code, answer.message)


class SmtpProvider:
    """The port ``Provider`` over SMTP; it knows no key."""

    def __init__(self, settings: ProviderSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._idle: list[_Line] = []
        self._from = parseaddr(settings.sender)[1].encode("ascii")

    async def send(self, letter: Letter, timeout: float) -> Verdict:
        recipient = single_address(letter.address)
        if recipient is None:
            return Verdict(Result.PERMANENT, "address")
        try:
            message = compose(letter, self._settings.sender, recipient)
        except ValueError:
            return Verdict(Result.PERMANENT, "header")
        line = self._take()
        try:
            async with asyncio.timeout(timeout):
                verdict = await self._carry(line, recipient.encode("ascii"), message)
        except TimeoutError:
            verdict = lost_at(line.stage, f"{line.stage.name.lower()} timeout")
        except BaseException:
            line.client.close()
            raise
        await self._put_back(line, verdict)
        return verdict

    async def close(self) -> None:
        while self._idle:
            self._idle.pop().client.close()

    async def _carry(self, line: _Line, recipient: bytes, message: bytes) -> Verdict:
        try:
            if line.fresh:
                await self._open(line)
            return await self._hand_over(line, recipient, message)
        except _Replied as reply:
            if self._stale(line) and reply.code == 421:
                return await self._again(line, recipient, message)
            return verdict_of(line.stage, reply.code, reply.text)
        except SMTPResponseException as error:
            return verdict_of(line.stage, error.code, error.message)
        except (SMTPException, OSError) as error:
            if self._stale(line):
                return await self._again(line, recipient, message)
            return lost_at(line.stage, f"{line.stage.name.lower()} {type(error).__name__}")

    def _stale(self, line: _Line) -> bool:
        """A kept connection that the server had closed meanwhile: nothing was said on it yet."""
        return not line.fresh and line.stage is Stage.MAIL

    async def _again(self, line: _Line, recipient: bytes, message: bytes) -> Verdict:
        line.client.close()
        line.client, line.fresh, line.stage = self._client(), True, Stage.CONNECT
        return await self._carry(line, recipient, message)

    async def _open(self, line: _Line) -> None:
        line.stage = Stage.CONNECT
        await line.client.connect()
        line.stage = Stage.GREET
        if line.client.is_ehlo_or_helo_needed:
            await line.client.ehlo()

    async def _hand_over(self, line: _Line, recipient: bytes, message: bytes) -> Verdict:
        await line.ask(Stage.MAIL, b"MAIL", b"FROM:<" + self._from + b">")
        await line.ask(Stage.RCPT, b"RCPT", b"TO:<" + recipient + b">")
        await line.ask(Stage.DATA, b"DATA", wants=range(354, 355))
        await line.body(message)
        return await line.dot()

    def _client(self) -> aiosmtplib.SMTP:
        settings = self._settings
        return aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            username=settings.user or None,
            password=settings.password or None,
            local_hostname=domain_of(settings.sender),
            timeout=None,
            use_tls=settings.tls == "tls",
            start_tls=settings.tls == "starttls",
        )

    def _take(self) -> _Line:
        while self._idle:
            line = self._idle.pop()
            if line.client.is_connected and self._clock.elapsed() - line.used_at < _IDLE:
                line.fresh, line.stage = False, Stage.MAIL
                return line
            line.client.close()
        return _Line(self._client(), self._clock.elapsed())

    async def _put_back(self, line: _Line, verdict: Verdict) -> None:
        """Keep a connection whose last exchange ended well; after a refused recipient it is reset first."""
        if verdict.result is Result.ACCEPTED:
            line.used_at = self._clock.elapsed()
            self._idle.append(line)
            return
        if verdict.result is Result.PERMANENT and line.client.is_connected:
            try:
                async with asyncio.timeout(1):
                    await line.ask(Stage.GREET, b"RSET")
            except (_Replied, SMTPException, OSError, TimeoutError):
                line.client.close()
                return
            line.used_at = self._clock.elapsed()
            self._idle.append(line)
            return
        line.client.close()
