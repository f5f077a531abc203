"""A stateful service's own loop inside of the benchmark: the real log, the real database, and what it wrote."""

from __future__ import annotations

import asyncio
import gc
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from tabiji_common import garbage, postgres
from tabiji_common.clock import LiveClock
from tabiji_common.kafka.client import Cluster
from tabiji_common.kafka.log import KafkaBoard, KafkaMembership, KafkaProbes, KafkaReader
from tabiji_common.kafka.loop import Loop
from tabiji_common.kafka.ports import Parts
from tabiji_common.kafka.producer import Producer
from tabiji_common.kafka.turn import Applied, Stateful, Status, Turn
from tabiji_common.settings import Settings
from tabiji_common.topics import Record, Topic
from tests.bench.figure import Run
from tests.bench.stage import Meter, Stage

_WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|WITH\b.*?\bINSERT)", re.DOTALL)
_BOOKKEEPING = ("partition_owner", "consumer_offset")


@dataclass
class Tape:
    """What turns wrote: by turn, (statement, arguments) and (table, columns, rows) of copies."""

    turns: list[list[tuple[str, tuple[Any, ...]]]] = field(default_factory=lambda: [[]])

    def write(self, statement: str, arguments: tuple[Any, ...]) -> None:
        if statement.startswith("COPY ") or (
            _WRITES.match(statement) and not any(name in statement for name in _BOOKKEEPING)
        ):
            self.turns[-1].append((statement, arguments))

    def cut(self) -> None:
        if self.turns[-1]:
            self.turns.append([])

    async def play(self, pool: asyncpg.Pool[Any]) -> None:
        """The same rows by the same bare statements, one commit a turn."""
        async with pool.acquire() as connection:
            for turn in self.turns:
                async with connection.transaction():
                    for statement, arguments in turn:
                        if statement.startswith("COPY "):
                            columns, rows = arguments
                            await connection.copy_records_to_table(statement[5:], records=rows, columns=columns)
                        else:
                            await connection.execute(statement, *arguments)


def recording(tape: Tape) -> type[Any]:
    """A connection that keeps on ``tape`` what is written through it."""

    class Recording(asyncpg.Connection):
        async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
            tape.write(query, args)
            return await super().execute(query, *args, timeout=timeout)

        async def fetch(self, query: str, *args: Any, **more: Any) -> Any:
            tape.write(query, args)
            return await super().fetch(query, *args, **more)

        async def copy_records_to_table(self, table_name: str, **more: Any) -> Any:
            tape.write(f"COPY {table_name}", (more["columns"], more["records"]))
            return await super().copy_records_to_table(table_name, **more)

    return Recording


async def pool_of(dsn: str, schema: str, tape: Tape | None = None) -> asyncpg.Pool[Any]:
    """A service's pool, or one that records."""
    if tape is None:
        return await postgres.connect_pool(dsn, schema)
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=4,
        connection_class=recording(tape),
        server_settings={**postgres.SESSION, "search_path": schema},
        init=postgres._codecs,
    )


class _Watched:
    """A pipeline that says when it may begin, and where turns end."""

    def __init__(self, pipeline: Stateful, tape: Tape | None) -> None:
        self.pipeline, self.tape, self.began = pipeline, tape, asyncio.Event()

    async def apply(self, tx: postgres.Connection, turn: Turn) -> Applied:
        return await self.pipeline.apply(tx, turn)

    def committed(self, turn: Turn, applied: Applied) -> None:
        self.pipeline.committed(turn, applied)
        if self.tape is not None:
            self.tape.cut()

    async def changed(self, owned: frozenset[int]) -> None:
        await self.pipeline.changed(owned)
        self.began.set()

    async def status(self, connection: postgres.Connection, owned: frozenset[int], now: Any) -> Status:
        return await self.pipeline.status(connection, owned, now)


@dataclass
class Folding:
    """One service's group over a log that is there already."""

    on: Stage
    group: str
    settings: Settings
    inputs: Sequence[Topic[Any]]
    inbox: bool = True
    poll_records: int = 1000

    async def fold(
        self,
        pool: asyncpg.Pool[Any],
        pipeline: Stateful,
        total: int,
        tape: Tape | None = None,
        until: Callable[[], bool] = lambda: True,
    ) -> Run:
        """From the first poll until ``total`` records are committed, what they led to is published, and ``until``."""
        cluster, watched = Cluster.of(self.settings), _Watched(pipeline, tape)
        reader, board = KafkaReader(cluster), KafkaBoard(cluster, self.group)
        producer = Producer(cluster)
        await producer.start()
        membership = KafkaMembership(cluster, self.group)
        parts = Parts(pool, LiveClock(), membership, reader, KafkaProbes(cluster), producer, board)
        names = [topic.name for topic in self.inputs]
        loop = Loop(self.group, parts, names, partitions=self.settings.partitions, poll_records=self.poll_records)
        garbage.settle()
        running = asyncio.create_task(loop.run(watched, inbox=frozenset(names if self.inbox else ())))
        try:
            await _first({running, asyncio.create_task(watched.began.wait())})
            meter = Meter(self.on, own=True)
            while sum(loop.ownership.offsets.values()) < total or _publishing(loop) or not until():
                await asyncio.sleep(0.02)
                if running.done():
                    running.result()
            run = Run(total, meter.seconds, meter.cpu)
        finally:
            loop.stop()
            await running
            await producer.stop()
            gc.unfreeze()
        return run


def _publishing(loop: Loop) -> bool:
    return bool(len(loop.outbox)) or loop.publisher.busy


async def _first(tasks: set[asyncio.Task[Any]]) -> None:
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


async def replay(on: Stage, pool: asyncpg.Pool[Any], tape: Tape, count: int) -> Run:
    """The ceiling of a fold: its rows by bare statements."""
    meter = Meter(on, own=True)
    await tape.play(pool)
    return Run(count, meter.seconds, meter.cpu)


async def append(settings: Settings, records: Iterable[Record[Any]], batch: int = 2000) -> int:
    """Write ``records`` to the log; how many."""
    producer, every = Producer(Cluster.of(settings)), list(records)
    try:
        for start in range(0, len(every), batch):
            await producer.append(every[start : start + batch])
    finally:
        await producer.stop()
    return len(every)
