"""Analytics: purchases folded against the same rows by bare statements; a matrix read against plain SQL over facts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import tabiji_analytics
from tabiji_analytics.adapters import books
from tabiji_analytics.adapters.from_facts import query
from tabiji_analytics.adapters.views import Views
from tabiji_analytics.adapters.zones import settle
from tabiji_analytics.domain.catalog import VIEWS
from tabiji_analytics.pipeline import INPUTS, Projection
from tabiji_cli.services import groups
from tabiji_common import events
from tabiji_common.postgres import connect_pool, migrate
from tabiji_common.topics import PURCHASES, Record, anchor_name
from tests.bench.figure import Aim, Figure, Pair, Run, by_core, by_rate
from tests.bench.loops import Folding, Tape, append, pool_of, replay
from tests.bench.stage import Meter, Stage

MIGRATIONS = Path(tabiji_analytics.__file__).parents[1] / "migrations"
PURCHASES_EACH = 12_000
FACTS = 2_000_000
READS = 20
ZONES = ["Asia/Tokyo", "UTC"]
START = datetime(2023, 1, 1, tzinfo=UTC)


def purchases(count: int) -> list[Record[Any]]:
    """Orders of a third as many customers over three years, every customer's in order."""
    made = []
    for n in range(count):
        who = n % (count // 3)
        at = START + timedelta(days=who % 700 + n // (count // 3) * 45, seconds=n)
        body = events.OrderCompleted(
            workspace="w", customer=f"c{who}", order_id=f"o{n}", amount_minor=1000 + n % 9000, currency="JPY"
        )
        made.append(PURCHASES.record(body, id=f"e{n}", source="bench", occurred_at=at, accepted_at=at))
    return made


async def template(on: Stage, facts: int = 0) -> str:
    """A database with the schema, both zones, and the facts and cells of so many purchases."""
    name = on.database()
    await asyncio.to_thread(migrate, on.postgres.dsn(name), "analytics", MIGRATIONS)
    async with await connect_pool(on.postgres.dsn(name), "analytics", patient=True) as pool:
        await pool.execute(_FACTS, facts)
        await pool.execute("ANALYZE order_fact")
        await settle(pool, ZONES)
        await pool.execute("ANALYZE cohort_cell")
    return name


@asynccontextmanager
async def fold(on: Stage) -> AsyncIterator[Pair]:
    name, used = await template(on), (*(topic.name for topic in groups()["analytics"]), anchor_name("analytics"))

    async def fresh(run: Any, tape: Tape | None = None) -> Run:
        copy = on.database(name)
        pool = await pool_of(on.postgres.dsn(copy), "analytics", tape)
        try:
            done: Run = await run(pool)
            return done
        finally:
            await pool.close()
            on.drop(copy)

    async with on.topics(*used) as settings:
        total = await append(settings, purchases(PURCHASES_EACH))
        folding, tape = Folding(on, "analytics", settings, INPUTS, inbox=False), Tape()
        await fresh(lambda pool: folding.fold(pool, Projection(books()), total, tape), tape)
        yield Pair(
            lambda: fresh(lambda pool: folding.fold(pool, Projection(books()), total)),
            lambda: fresh(lambda pool: replay(on, pool, tape, total)),
        )
    on.drop(name)


_FACTS = """
INSERT INTO order_fact (key, workspace, customer, order_id, occurred_at, amount_minor, currency)
SELECT decode(md5(n::text), 'hex'), 'w', 'c' || n % 600000, 'o' || n,
       timestamptz '2021-01-01' + (n % 600000 % 900) * interval '1 day' + n / 600000 * interval '33 days',
       1000 + n % 9000, 'JPY'
FROM generate_series(0, $1::int - 1) n
"""


@asynccontextmanager
async def matrix(on: Stage) -> AsyncIterator[Pair]:
    name = await template(on, FACTS)
    dsn, view = on.postgres.dsn(name), VIEWS["retention_monthly"]
    async with (
        await connect_pool(dsn, "analytics") as pool,
        await connect_pool(dsn, "analytics", size=2, patient=True) as patient,
    ):
        views = Views(pool, patient)
        shown = await views.rows(view, "w", "Asia/Tokyo")
        plain = [dict(row) for row in await patient.fetch(query(view.name), ["Asia/Tokyo"], "w")]
        assert len(shown) == len(plain) > 0, "the view is not what plain SQL says"

        async def read() -> Run:
            meter = Meter(on, own=True)
            for _ in range(READS):
                await views.rows(view, "w", "Asia/Tokyo")
            return Run(READS, meter.seconds, meter.cpu)

        async def compute() -> Run:
            meter = Meter(on, own=True)
            await patient.fetch(query(view.name), ["Asia/Tokyo"], "w")
            return Run(1, meter.seconds, meter.cpu)

        yield Pair(read, compute)
    on.drop(name)


FIGURES = (
    Figure(
        "analytics-fold",
        "purchases folded",
        "the same rows by bare batched upserts",
        Aim(0.4),
        by_core,
        fold,
        "per_core",
        "/CPU-s",
    ),
    Figure(
        "analytics-matrix",
        f"retention matrices read, {FACTS / 1e6:g} M purchases",
        "plain SQL over the facts",
        Aim(1000, unit=" ×"),
        by_rate,
        matrix,
    ),
)
