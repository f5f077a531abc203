"""A client that never finishes its request, or its headers, is cut off; one that does is never."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from tabiji_common.http import MAX_HEAD_BYTES, BoundedProtocol

SECONDS = 0.5


class Hasty(BoundedProtocol):
    seconds = SECONDS


async def app(scope: Any, receive: Any, send: Any) -> None:
    request = Request(scope, receive)
    text = "early" if request.url.path == "/early" else str(len(await request.body()))
    await PlainTextResponse(text)(scope, receive, send)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    config = uvicorn.Config(app, port=0, http=Hasty, lifespan="off", log_level="error", loop="none")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await running


async def told(reader: asyncio.StreamReader) -> bytes:
    """Everything until the server closes."""
    with contextlib.suppress(ConnectionError):
        return await asyncio.wait_for(reader.read(-1), 10)
    return b""


@pytest.mark.parametrize(
    "begun", [b"", b"\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nX-A: b", b"POST / HTTP/1.1\r\nHost: x"]
)
async def test_a_head_that_does_not_end_is_given_up(port: int, begun: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    writer.write(begun)
    assert await told(reader) == b""
    assert time.monotonic() - began >= SECONDS - 0.1
    writer.close()


@pytest.mark.parametrize("path", ["/", "/early"])
async def test_a_body_that_trickles_is_given_up_whether_or_not_it_was_answered(port: int, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n".encode())

    async def trickle() -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)

    trickling = asyncio.create_task(trickle())
    heard = await told(reader)
    trickling.cancel()
    assert (b"early" in heard) is (path == "/early")
    writer.close()


async def test_headers_without_end_are_cut_at_their_bound(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nX-A: ")
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < 100 * MAX_HEAD_BYTES and not reader.at_eof():
            writer.write(b"a" * 4096)
            await writer.drain()
            sent += 4096
            await asyncio.sleep(0)
    assert sent < 100 * MAX_HEAD_BYTES
    writer.close()


async def test_a_connection_may_live_longer_than_one_request_may_take(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(4):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert head.startswith(b"HTTP/1.1 200")
        assert await reader.readexactly(1) == b"3"
        await asyncio.sleep(SECONDS / 2)
    writer.close()
