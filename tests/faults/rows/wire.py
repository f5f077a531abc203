"""Row 19: a provider's reply cut at each byte, over HTTP and SMTP; the class of the outcome has to be right."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tabiji_dispatch.domain.outcomes import Result
from tests.faults.ground import Ground
from tests.faults.suite import Figures, row
from tests.integration.dispatch.test_smtp_cuts import LETTER
from tests.integration.dispatch.test_smtp_cuts import provider_at as smtp_at
from tests.integration.dispatch.test_webhook import provider_at as webhook_at

HTTP_REPLY = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"
HEAD = HTTP_REPLY.index(b"\r\n\r\n") + 4
SMTP = (b"220 ready\r\n", b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n", b"250 taken\r\n")


@dataclass
class Cut:
    """A server that says no more than ``budget`` bytes to a client, and then breaks the connection."""

    budget: int
    reset: bool
    took: bool = False
    said: bytes = b""
    port: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def say(self, writer: asyncio.StreamWriter, text: bytes) -> bool:
        """Whether all of it could be said."""
        part = text[: self.budget]
        self.budget -= len(part)
        self.said += part
        writer.write(part)
        await writer.drain()
        return len(part) == len(text)

    def end(self, writer: asyncio.StreamWriter) -> None:
        if self.reset:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    async def http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(int(length.split(b":")[1]))
            self.took = True
            await self.say(writer, HTTP_REPLY)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.end(writer)

    async def smtp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for step, reply in enumerate(SMTP):
                if step:
                    await reader.readuntil(b"\r\n.\r\n" if step == len(SMTP) - 1 else b"\r\n")
                self.took = self.took or step == len(SMTP) - 1
                if not await self.say(writer, reply):
                    return
            await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.end(writer)


@asynccontextmanager
async def listening(cut: Cut, talk: str) -> AsyncIterator[Cut]:
    server = await asyncio.start_server(getattr(cut, talk), "127.0.0.1", 0)
    cut.port = server.sockets[0].getsockname()[1]
    try:
        yield cut
    finally:
        server.close()


async def outcome(cut: Cut, talk: str) -> Result:
    """What the adapter makes of it."""
    async with listening(cut, talk):
        provider = smtp_at(cut.port) if talk == "smtp" else webhook_at(f"http://127.0.0.1:{cut.port}/hook")
        try:
            return (await provider.send(LETTER, 5.0)).result
        finally:
            await provider.close()


def allowed(cut: Cut, talk: str, budget: int) -> set[Result]:
    """The classes that tell the truth: what the server took and how much of its answer was on the wire."""
    whole = HEAD if talk == "http" else sum(map(len, SMTP))
    if talk == "smtp" and not cut.took:
        return {Result.REFUSED}
    if budget < whole:
        return {Result.UNKNOWN}
    return {Result.ACCEPTED} if budget >= len(HTTP_REPLY) or talk == "smtp" else {Result.ACCEPTED, Result.UNKNOWN}


@row(19, runs=4)
async def cut_at_each_byte(place: Ground, seed: int) -> Figures:
    """Closed by turns with FIN and RST. A reset may overtake bytes that were sent: then unknown is the truth, too."""
    figures, reset = Figures(0), seed % 2 == 1
    wrong: list[str] = []
    for talk, length in (("http", len(HTTP_REPLY)), ("smtp", sum(map(len, SMTP)))):
        for budget in range(length + 1):
            cut = Cut(budget, reset)
            found = await outcome(cut, talk)
            right = allowed(cut, talk, budget) | ({Result.UNKNOWN} if reset and cut.took else set())
            figures.faults += 1
            if found not in right:
                wrong.append(f"{talk} at byte {budget}: {found}")
    figures.events = figures.faults
    assert not wrong, f"{len(wrong)} misclassified: {wrong[:5]}"
    figures.other = {"misclassified": len(wrong)}
    return figures
