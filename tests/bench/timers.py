"""Timers: fired a second with 100,000 due, against claiming the same rows in bare SQL; bytes of who waits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

import msgspec
from msgspec.structs import replace

from tabiji_common.clock import LiveClock
from tabiji_common.postgres import connect_pool
from tabiji_common.topics import PURCHASES
from tabiji_journey import metrics
from tabiji_journey.adapters.publish import Publisher
from tabiji_journey.domain.loader import Shop
from tabiji_journey.domain.model import Timer, read_progress
from tabiji_journey.pipeline import INPUTS
from tests.bench import journey
from tests.bench.figure import Aim, Figure, Pair, Run, alone, by_core
from tests.bench.loops import Folding, append
from tests.bench.stage import Meter, Stage
from tests.unit.journey.pipeline.people import order

DUE = 100_000
FIRED = 8_000  # of them, in one run
JOURNEY = """
id: bench
enter: {on: order_completed, reenter: never}
start: pause
states:
  pause: {wait: {for: 1h}, next: done}
  done: {end: true}
"""
_FILL = """
INSERT INTO customer SELECT 'w:t' || n, n % 12, profile, memory, ties, merged_into
FROM customer, generate_series(1, {n}) n;
INSERT INTO enrollment
SELECT md5('e' || n)::uuid::text, n % 12, 'w:t' || n, workspace, journey, version, entry_key, status, state, reason,
       entered_at, ended_at, live, '\\x{progress}'::bytea
FROM enrollment, generate_series(1, {n}) n;
INSERT INTO timer SELECT md5('e' || n)::uuid::text, n % 12, journey, '{due_at}', kind, held, 'w:t' || n
FROM timer, generate_series(1, {n}) n
"""
_PENDING = """
INSERT INTO timer SELECT md5('later' || n)::uuid::text, n % 12, journey, now() + interval '30 days'
       + n * interval '1 second', kind, held, 'w:later' || n
FROM timer, generate_series(1, $1::int) n WHERE enrollment = md5('e1')::uuid::text
"""
_CLAIM = """
WITH due AS (
  SELECT found.enrollment FROM generate_series(0, 11) AS mine(p)
  CROSS JOIN LATERAL (
    SELECT enrollment, due_at FROM timer t WHERE t.p = mine.p AND t.journey = $1 AND NOT t.held AND t.due_at <= now()
    ORDER BY due_at LIMIT 1000
  ) AS found ORDER BY due_at LIMIT 1000
) DELETE FROM timer USING due WHERE timer.enrollment = due.enrollment
"""
_BYTES = """
SELECT name::text, pg_table_size(name) + pg_indexes_size(name) AS bytes
FROM unnest('{customer,enrollment,timer}'::regclass[]) name
"""


async def filled(on: Stage, pending: int) -> str:
    """A database where 100,000 timers are due and ``pending`` are not: copies of one that the engine made."""
    empty = await journey.template(on)
    dsn = on.postgres.dsn(empty)
    async with on.topics(*journey.TOPICS_USED) as settings, await connect_pool(dsn, "journey") as pool:
        await pool.execute("TRUNCATE journey_version, journey_state")
        await Publisher(pool, Shop()).publish("w", JOURNEY, "bench.yaml", LiveClock().now())
        await append(settings, [journey.record(PURCHASES, order("o", customer="first"), "e", LiveClock().now())])
        await Folding(on, "journey", settings, INPUTS).fold(pool, journey.pipeline(), 1)
    async with await connect_pool(dsn, "journey", patient=True) as pool:
        await pool.execute("DELETE FROM consumer_offset")
        first = read_progress(await pool.fetchval("SELECT progress FROM enrollment"))
        due_at = LiveClock().now() - timedelta(hours=1)
        timer = Timer(due_at, "wake", due_at.replace(tzinfo=None).isoformat(), "Asia/Tokyo")
        progress = msgspec.msgpack.encode(replace(first, timer=timer))
        await pool.execute(_FILL.format(n=DUE, progress=progress.hex(), due_at=due_at.isoformat()))
        await pool.execute(_PENDING, pending)
        await pool.execute("VACUUM (ANALYZE)")
    return empty


class Bell:
    """One database whose due timers are fired a part at a time, by the service or bare."""

    def __init__(self, on: Stage, folding: Folding, name: str) -> None:
        self.on, self.folding, self.name = on, folding, name

    async def fire(self) -> Run:
        """The loop, over a log with nothing in it, until enough have fired."""
        before = _fired()
        async with await connect_pool(self.on.postgres.dsn(self.name), "journey") as pool:
            run = await self.folding.fold(pool, journey.pipeline(), 0, until=lambda: _fired() - before >= FIRED)
        return Run(int(_fired() - before), run.seconds, run.cpu)

    async def claim(self) -> Run:
        """The same rows claimed by a bare statement, a thousand a commit."""
        async with await connect_pool(self.on.postgres.dsn(self.name), "journey") as pool:
            number = await pool.fetchval("SELECT number FROM journey_state")
            meter = Meter(self.on, own=True)
            for _ in range(FIRED // 1000):
                assert await pool.execute(_CLAIM, number) == "DELETE 1000"
            return Run(FIRED, meter.seconds, meter.cpu)


def _fired() -> float:
    return float(metrics.TIMERS_FIRED._value.get())


@asynccontextmanager
async def bell(on: Stage, pending: int) -> AsyncIterator[Bell]:
    name = await filled(on, pending)
    async with on.topics(*journey.TOPICS_USED) as settings:
        yield Bell(on, Folding(on, "journey", settings, INPUTS), name)
    on.drop(name)


def against_bare(pending: int) -> Callable[[Stage], AbstractAsyncContextManager[Pair]]:
    @asynccontextmanager
    async def opened(on: Stage) -> AsyncIterator[Pair]:
        async with bell(on, pending) as there:
            yield Pair(there.fire, there.claim)

    return opened


@asynccontextmanager
async def against_fewer(on: Stage) -> AsyncIterator[Pair]:
    async with bell(on, 5_000_000) as many, bell(on, 1_000_000) as fewer:
        yield Pair(many.fire, fewer.fire)


@asynccontextmanager
async def weighed(on: Stage) -> AsyncIterator[Pair]:
    name = await filled(on, 0)

    async def weigh() -> Run:
        async with await connect_pool(on.postgres.dsn(name), "journey") as pool:
            sizes = {row["name"]: row["bytes"] / (DUE + 1) for row in await pool.fetch(_BYTES)}
        return Run(1, 1.0, {}, {"bytes": sizes["enrollment"] + sizes["timer"], **sizes})

    yield Pair(weigh, None)
    on.drop(name)


FIGURES = (
    *(
        Figure(
            f"timers-{name}",
            f"timers fired, {DUE:,} due, {name} pending",
            "claiming the same rows in bare SQL",
            Aim(0.3),
            by_core,
            against_bare(pending),
            "per_core",
            "/CPU-s",
        )
        for name, pending in (("0", 0), ("1M", 1_000_000))
    ),
    Figure(
        "timers-5M",
        f"timers fired, {DUE:,} due, 5 M pending",
        "the same with 1 M pending",
        Aim(0.7),
        by_core,
        against_fewer,
        "per_core",
        "/CPU-s",
    ),
    Figure(
        "memory-enrollment",
        "bytes in PostgreSQL for each waiting enrollment (its row and its timer's, with indexes)",
        "",
        Aim(800, most=True, unit=" B"),
        alone("bytes"),
        weighed,
        "bytes",
        " B",
    ),
)
