"""A wire to a Kafka broker that can be cut: silently, as a network does, or with every connection reset."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

HOST = b"127.0.0.1"


class KafkaWire:
    """Passes frames on. The broker tells its clients its own port; here they read that of the wire instead."""

    def __init__(self, port: int) -> None:
        self.upstream, self.port = port, 0
        self.open = asyncio.Event()
        self.open.set()
        self.refusing = False
        self.writers: set[asyncio.StreamWriter] = set()

    @property
    def bootstrap(self) -> str:
        return f"{HOST.decode()}:{self.port}"

    def cut(self, *, reset: bool) -> None:
        """From now on nothing passes; with ``reset`` connections break and new ones are refused as well."""
        self.refusing = reset
        self.open.clear()
        if reset:
            self.drop()

    def mend(self) -> None:
        """What was held in silence is gone with its connections, as after a firewall forgot them."""
        self.drop()
        self.refusing = False
        self.open.set()

    def drop(self) -> None:
        for writer in list(self.writers):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        there, here = await asyncio.open_connection(HOST.decode(), self.upstream)
        ends = {writer, here}
        self.writers |= ends
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(reader, here))
                group.create_task(self._pass_on(there, writer, ours=True))
        except* (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.writers -= ends
            for end in ends:
                end.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, ours: bool = False) -> None:
        while True:
            size = await reader.readexactly(4)
            frame = await reader.readexactly(struct.unpack(">i", size)[0])
            await self.open.wait()
            writer.write(size + (self._renamed(frame) if ours else frame))
            await writer.drain()

    def _renamed(self, frame: bytes) -> bytes:
        """An answer with our port where it says the broker's; both are four bytes after the host."""
        return frame.replace(HOST + struct.pack(">i", self.upstream), HOST + struct.pack(">i", self.port))


@asynccontextmanager
async def kafka_wire(port: int) -> AsyncIterator[KafkaWire]:
    """The wire to the broker at ``port`` of this machine."""
    made = KafkaWire(port)
    server = await asyncio.start_server(made.serve, HOST.decode(), 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.drop()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.wait_closed(), 2)
