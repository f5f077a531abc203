"""A TCP server that speaks SMTP by a script and cuts the connection, or falls silent, exactly where it is told."""

import asyncio
import socket
import struct
from dataclasses import dataclass, field
from typing import Any, Self

STEPS = ("banner", "ehlo", "mail", "rcpt", "data", "mid_body", "before_dot_reply", "after_dot_reply")
REPLIES = {
    "banner": "220 ready",
    "ehlo": "250 ok",
    "mail": "250 ok",
    "rcpt": "250 ok",
    "data": "354 go on",
    "dot": "250 taken",
}


@dataclass
class Script:
    """``cut`` is where the connection breaks, ``how``: close (FIN), reset (RST), or silent; ``replies`` by step."""

    cut: str = ""
    how: str = "close"
    replies: dict[str, str] = field(default_factory=dict)
    times: int = 10**9  # how many connections misbehave
    bodies: list[bytes] = field(default_factory=list)
    taken: int = 0
    connections: int = 0
    port: int = 0
    server: Any = None
    silent: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Self:
        # A small window, so that a big body is still on its way when the server stops reading.
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.server = await asyncio.start_server(self._talk, sock=listener, limit=2**16)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.silent.set()
        self.server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        try:
            await self._say(writer, "banner", number)
            while line := await reader.readline():
                word = line.split()[0].decode().lower() if line.split() else ""
                if word == "data":
                    await self._say(writer, "data", number)
                    if not await self._body(reader, writer, number):
                        return
                elif word == "rset":
                    writer.write(b"250 ok\r\n")
                else:
                    await self._say(writer, word, number)
        except _Cut:
            pass
        finally:
            writer.close()

    async def _say(self, writer: asyncio.StreamWriter, step: str, number: int) -> None:
        bad = number <= self.times
        if bad and self.cut == step:
            await self._cut(writer)
        reply = self.replies.get(step) if bad else None
        writer.write(f"{reply or REPLIES[step]}\r\n".encode())
        await writer.drain()

    async def _body(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        bad = number <= self.times
        if bad and self.cut == "mid_body":
            await reader.readexactly(200)
            await self._cut(writer)
        body = await reader.readuntil(b"\r\n.\r\n")
        self.bodies.append(body)
        if bad and self.cut == "before_dot_reply":
            await self._cut(writer)
        self.taken += 1
        reply = self.replies.get("dot") if bad else None
        writer.write(f"{reply or REPLIES['dot']}\r\n".encode())
        await writer.drain()
        if bad and self.cut == "after_dot_reply":
            await asyncio.sleep(0.05)
            await self._cut(writer)
        return True

    async def _cut(self, writer: asyncio.StreamWriter) -> None:
        if self.how == "silent":
            await self.silent.wait()
        if self.how == "reset":
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise _Cut


class _Cut(Exception):
    pass
