"""Providers that take everything and cost little: SMTP and HTTP at the level of bytes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import uvloop

Took = Callable[[bytes], None]


def nobody(_content: bytes) -> None:
    """Nobody wants to know what was taken."""


class Smtp(asyncio.Protocol):
    """Answers every command, and gives ``took`` the envelope's recipient with each message."""

    def __init__(self, took: Took = nobody) -> None:
        self.took, self.buffer, self.recipient, self.content = took, b"", b"", False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(b"220 bench\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while self._content() if self.content else self._command():
            pass

    def _content(self) -> bool:
        _, end, rest = self.buffer.partition(b"\r\n.\r\n")
        if end:
            self.buffer, self.content = rest, False
            self.took(self.recipient)
            self.transport.write(b"250 taken\r\n")
        return bool(end)

    def _command(self) -> bool:
        line, end, rest = self.buffer.partition(b"\r\n")
        if not end:
            return False
        self.buffer, verb = rest, line[:4].upper()
        if verb == b"RCPT":
            self.recipient = line.partition(b"<")[2].partition(b">")[0]
        self.content = verb == b"DATA"
        self.transport.write({b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}.get(verb, b"250 OK\r\n"))
        return True


class Http(asyncio.Protocol):
    """Answers every request 200, and gives ``took`` its body."""

    def __init__(self, took: Took = nobody) -> None:
        self.took, self.buffer = took, b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            if len(rest) < length:
                return
            self.took(rest[:length])
            self.buffer = rest[length:]
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")


async def serve(smtp: int, http: int) -> None:
    """Both, until the process is ended."""
    loop = asyncio.get_running_loop()
    await loop.create_server(Smtp, "127.0.0.1", smtp)
    await loop.create_server(Http, "127.0.0.1", http)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(*map(int, sys.argv[1:3])))
