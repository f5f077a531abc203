"""A real SMTP server that keeps what it took, and can be told to answer otherwise."""

import email
from email import policy
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.smtp import SMTP, Envelope

from tabiji_cli.stack.ports import free_port


class Sink:
    """Every message it answered 250 to, in order, with the envelope's recipients."""

    def __init__(self) -> None:
        self.taken: list[tuple[list[str], EmailMessage]] = []
        self.answers: dict[str, str] = {}  # recipient -> reply to RCPT
        self.port = free_port()
        self.server: Any = None

    async def __aenter__(self) -> Self:
        import asyncio

        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: SMTP(self, loop=loop), "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, server: object, session: object, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: object, session: object, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        message = email.message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.taken.append((list(envelope.rcpt_tos), message))
        return "250 taken"

    def keys(self) -> list[str]:
        """The message keys it took, from Message-ID."""
        return [str(message["message-id"])[1:].partition("@")[0] for _, message in self.taken]
