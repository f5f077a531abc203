"""The real broker and database under the fault suite, and installations upon them."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tabiji_cli.stack.kafka import KafkaServer
from tabiji_cli.stack.ports import free_port
from tabiji_cli.stack.postgres import PostgresServer
from tabiji_common.postgres import connect_pool, migrate
from tests.conformance.harness import Yard, yard
from tests.conformance.zygote import Zygote
from tests.faults.system import System, system
from tests.faults.trio import REPLICAS, Trio
from tests.integration.dispatch.house import House, house
from tests.integration.ingest.harness import House as Ingest
from tests.integration.ingest.harness import house as ingest
from tests.stack import delete_topics

T = TypeVar("T")


@dataclass
class Ground:
    """What scenarios stand on. Every installation has a database and a topic prefix of its own, gone afterwards."""

    kafka: Any
    postgres: Any
    zygote: Zygote
    replication: int = 1
    home: Path | None = None
    _trio: Trio | None = None

    async def of_three(self) -> Ground:
        """The same with three brokers, replication 3; they stay up for the next who asks."""
        assert self.home is not None
        self._trio = self._trio or Trio(self.home)
        await asyncio.to_thread(self._trio.start)
        return Ground(self._trio, self.postgres, self.zygote, REPLICAS)

    def close(self) -> None:
        """End what was started on the way."""
        if self._trio is not None:
            self._trio.stop()

    @asynccontextmanager
    async def plot(self) -> AsyncIterator[tuple[str, str, Path]]:
        """A fresh database's dsn, a topic prefix, a folder."""
        name, prefix = f"test_{secrets.token_hex(6)}", f"t{secrets.token_hex(4)}."
        dsn = await asyncio.to_thread(self.postgres.create_database, name)
        folder = Path(tempfile.mkdtemp(prefix="tabiji-plot-"))
        try:
            yield dsn, prefix, folder
        finally:
            await asyncio.to_thread(delete_topics, self.kafka.bootstrap, prefix)
            await asyncio.to_thread(self.postgres.drop_database, name)
            shutil.rmtree(folder, ignore_errors=True)

    @asynccontextmanager
    async def toys(self) -> AsyncIterator[Yard]:
        """A yard of toys."""
        async with self.plot() as (dsn, prefix, _), threaded(self._yard(dsn, prefix)) as made:
            yield made

    def _yard(self, dsn: str, prefix: str) -> AbstractContextManager[Yard]:
        return yard(self.kafka, dsn, prefix, self.zygote, replication=self.replication)

    @asynccontextmanager
    async def ingest(self) -> AsyncIterator[Ingest]:
        """Ingest alone."""
        async with (
            self.plot() as (dsn, prefix, folder),
            threaded(ingest(self.kafka, dsn, prefix, folder, replication=self.replication)) as made,
        ):
            yield made

    @asynccontextmanager
    async def system(self, **extra: dict[str, str]) -> AsyncIterator[System]:
        """The four services; ``extra`` is environment by service."""
        async with (
            self.plot() as (dsn, prefix, folder),
            system(self.kafka, self.postgres, dsn, prefix, folder, extra=extra) as made,
        ):
            yield made

    @asynccontextmanager
    async def schema(self, service: str, migrations: Path, *, size: int = 6) -> AsyncIterator[Any]:
        """A pool on a fresh database with that service's tables."""
        async with self.plot() as (dsn, _, _), schema(dsn, service, migrations, size=size) as pool:
            yield pool

    @asynccontextmanager
    async def dispatch(self, providers: list[dict[str, Any]]) -> AsyncIterator[House]:
        """Dispatch alone, with these providers."""
        async with (
            self.plot() as (dsn, prefix, folder),
            house(self.kafka, dsn, prefix, folder, providers) as made,
        ):
            yield made


@asynccontextmanager
async def schema(dsn: str, service: str, migrations: Path, *, size: int = 6) -> AsyncIterator[Any]:
    """A pool on a service's tables in the database at ``dsn``."""
    await asyncio.to_thread(migrate, dsn, service, migrations)
    async with await connect_pool(dsn, service, size=size) as pool:
        yield pool


@asynccontextmanager
async def threaded(context: AbstractContextManager[T]) -> AsyncIterator[T]:
    """A context that blocks, or runs a loop of its own, entered and left in a thread."""
    made = await asyncio.to_thread(context.__enter__)
    try:
        yield made
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)


@contextmanager
def ground() -> Iterator[Ground]:
    """A broker and a database on free ports, up while the block runs."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it warns of every retry
    home = Path(tempfile.mkdtemp(prefix="tabiji-faults-"))
    home.chmod(0o711)  # PostgreSQL's user under root may enter
    kafka, postgres = KafkaServer(home, free_port(), heap_mb=512), PostgresServer(home, free_port())
    zygote = Zygote()
    place = Ground(kafka, postgres, zygote, home=home)
    try:
        kafka.start()
        postgres.start()
        yield place
    finally:
        place.close()
        zygote.stop()
        kafka.stop()
        postgres.stop()
        shutil.rmtree(home, ignore_errors=True)
