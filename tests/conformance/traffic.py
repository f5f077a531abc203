"""Load that goes on while something happens to the toys."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from tabiji_common.errors import Retry
from tabiji_common.kafka.client import Cluster
from tabiji_common.kafka.producer import Producer
from tabiji_common.topics import Record
from tests.conformance.harness import Yard, load


class Traffic:
    """Sends a few events at a time until told to end; an append without an ack is tried again, as clients do."""

    def __init__(self, toys: Yard, *, at_once: int = 20, every: float = 0.1) -> None:
        self.toys, self.at_once, self.every = toys, at_once, every
        self.sent: list[Record[Any]] = []
        self.ending = False

    async def run(self) -> None:
        producer = Producer(Cluster.of(self.toys.settings), timeout_ms=3000)
        try:
            while not self.ending:
                batch = load(self.at_once, start=len(self.sent))
                while True:
                    with suppress(Retry):
                        await producer.append(batch)
                        break
                    await asyncio.sleep(0.2)
                self.sent += batch
                await asyncio.sleep(self.every)
        finally:
            await producer.stop()


@asynccontextmanager
async def traffic(toys: Yard, **pace: Any) -> AsyncIterator[Traffic]:
    """Events all the while; afterwards ``sent`` is what was acked."""
    made = Traffic(toys, **pace)
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        made.ending = True
        await running
