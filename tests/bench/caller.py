"""A client that costs little: requests made beforehand, 32 connections, each with one request under way.

``call`` is a closed loop, ``call_at`` an open one.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
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
        self.take()

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
        self.take()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("closed in the middle"))

    def take(self) -> None:
        request = next(self.waiting, None)
        if request is not None:
            self.transport.write(request)
        elif not self.done.done():
            self.done.set_result(None)
            self.transport.close()


@dataclass
class _Line:
    """Requests that are due, and connections that have nothing to do: the one that has rested longest is the next."""

    due: deque[bytes] = field(default_factory=deque)
    idle: deque[_Waiter] = field(default_factory=deque)

    def add(self, request: bytes) -> None:
        self.due.append(request)
        if self.idle:
            self.idle.popleft().take()


class _Waiter(_Caller):
    """Asks what is due, and waits where nothing is."""

    def __init__(self, line: _Line, statuses: dict[int, int]) -> None:
        super().__init__(iter(()), asyncio.get_running_loop().create_future(), statuses)
        self.line = line

    def take(self) -> None:
        if self.line.due:
            self.transport.write(self.line.due.popleft())
        else:
            self.line.idle.append(self)


async def at_rate(numbers: range, rate: float) -> AsyncIterator[int]:
    """Each of ``numbers`` at its time, so many a second, whatever became of those before."""
    start = time.perf_counter()
    for place, number in enumerate(numbers):
        wait = start + place / rate - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        yield number


async def call_at(
    port: int, rate: float, every: Sequence[bytes], due: Callable[[int], None], connections: int = CONNECTIONS
) -> dict[int, int]:
    """Send each request at its time, whether or not earlier ones have been answered; how many had which status.

    ``due`` is told the number of each as its time comes: a wait for a free connection counts.
    """
    loop, line, statuses = asyncio.get_running_loop(), _Line(), dict[int, int]()
    waiters = [
        (await loop.create_connection(lambda: _Waiter(line, statuses), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    async for number in at_rate(range(len(every)), rate):
        due(number)
        line.add(every[number])
    while len(line.idle) < connections:
        if broken := [waiter for waiter in waiters if waiter.done.done()]:
            await broken[0].done
        await asyncio.sleep(0.01)
    for waiter in waiters:
        waiter.done.cancel()
        waiter.transport.close()
    return statuses


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
