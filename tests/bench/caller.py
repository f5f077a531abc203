"""A client that costs little: requests made beforehand, 32 connections, each with one request under way."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator, Sequence
from typing import Any

CONNECTIONS = 32


def requests(bodies: Sequence[bytes], key: str, path: str) -> list[bytes]:
    """The bytes of a POST for each body."""
    secret = base64.b64encode(f"{key}:".encode()).decode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Basic {secret}\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    ).encode()
    return [head + str(len(body)).encode() + b"\r\n\r\n" + body for body in bodies]


class _Caller(asyncio.Protocol):
    def __init__(self, waiting: Iterator[bytes], done: asyncio.Future[None], statuses: dict[int, int]) -> None:
        self.waiting, self.done, self.statuses = waiting, done, statuses
        self.buffer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        _, _, length = head.lower().partition(b"content-length:")
        if len(rest) < int(length.split(b"\r\n", 1)[0]):
            return
        status = int(head[9:12])
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.buffer = b""
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("closed in the middle"))

    def _next(self) -> None:
        request = next(self.waiting, None)
        if request is not None:
            self.transport.write(request)
        elif not self.done.done():
            self.done.set_result(None)
            self.transport.close()


async def call(port: int, every: Sequence[bytes], connections: int = CONNECTIONS) -> dict[int, int]:
    """Send every request, in order as connections become free; how many answers had which status."""
    loop, waiting = asyncio.get_running_loop(), iter(every)
    statuses: dict[int, int] = {}
    ends = []
    for _ in range(connections):
        done = loop.create_future()
        ends.append(done)
        await loop.create_connection(lambda done=done: _Caller(waiting, done, statuses), "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*ends)
    return statuses
