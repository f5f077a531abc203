"""A webhook's receiver at the level of bytes: honours its key, and misbehaves where it is told."""

import asyncio
import socket
import struct
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass
class Receiver:
    """``cut``: accept, head, body (before it is read), reply (all read, nothing said), half_reply; or ``status``.

    ``delay`` is seconds before an answer.
    """

    cut: str = ""
    how: str = "close"
    status: str = "200 OK"
    headers: str = ""
    delay: float = 0.0
    times: int = 10**9
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    acted: list[str] = field(default_factory=list)  # keys acted on, once each
    connections: int = 0
    port: int = 0
    server: Any = None
    silent: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def __aenter__(self) -> Self:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.server = await asyncio.start_server(self._talk, sock=listener)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.silent.set()
        self.server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._request(reader, writer):
                pass
        except (_Cut, asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self.connections += 1
        bad = self.connections <= self.times
        await self._maybe(writer, "accept", bad)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        await self._maybe(writer, "head", bad)
        length = int(headers["content-length"])
        await self._maybe(writer, "body", bad)
        body = await reader.readexactly(length)
        self.requests.append((headers, body))
        if not bad or self.status.startswith("2") or self.cut:
            key = headers["webhook-id"]
            if key not in self.acted:
                self.acted.append(key)
        await asyncio.sleep(self.delay if bad else 0)
        await self._maybe(writer, "reply", bad)
        status = self.status if bad else "200 OK"
        extra = self.headers if bad else ""
        rest = f"{extra}\r\n" if status.startswith("204") else f"content-length: 2\r\n{extra}\r\nok"
        answer = f"HTTP/1.1 {status}\r\n{rest}".encode()
        if bad and self.cut == "half_reply":
            writer.write(answer[:12])
            await writer.drain()
            await self._maybe(writer, "half_reply", bad)
        writer.write(answer)
        await writer.drain()
        return True

    async def _maybe(self, writer: asyncio.StreamWriter, step: str, bad: bool) -> None:
        if not bad or self.cut != step:
            return
        if self.how == "silent":
            await self.silent.wait()
        if self.how == "reset":
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise _Cut


class _Cut(Exception):
    pass
