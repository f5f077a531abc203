"""A wire to PostgreSQL that can be cut at COMMIT, before the server hears of it or before its answer comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit


class Cutter:
    """Passes bytes on; ``cut`` arms it for the next COMMIT of any connection."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.armed = ""
        self.cuts: list[str] = []

    async def cut(self, when: str) -> None:
        """Cut the next COMMIT ``before`` or ``after`` the server has it, and wait until that has happened."""
        self.armed, done = when, len(self.cuts)
        async with asyncio.timeout(120):
            while len(self.cuts) == done:
                await asyncio.sleep(0.02)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, here = await asyncio.open_connection(self.host, self.port)
        answers = asyncio.create_task(pass_on(there, writer))
        with suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                when, self.armed = (self.armed, "") if b"COMMIT" in data else ("", self.armed)
                if when:
                    answers.cancel()
                if when != "before":
                    here.write(data)
                    await here.drain()
                if when:
                    await asyncio.sleep(0.05)  # the server answers, and nobody hears it
                    self.cuts.append(when)
                    break
        answers.cancel()
        writer.transport.abort()
        here.transport.abort()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def cutter(dsn: str) -> AsyncIterator[tuple[Cutter, str]]:
    """The wire, and the dsn that goes through it."""
    parts = urlsplit(dsn)
    made = Cutter(parts.hostname or "", parts.port or 0)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    credentials = parts.netloc.rpartition("@")[0]
    try:
        yield made, urlunsplit(parts._replace(netloc=f"{credentials}@127.0.0.1:{port}"))
    finally:
        server.close()
