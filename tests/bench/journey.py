"""Journey: events folded and states advanced, against the same rows written by bare statements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

import tabiji_journey
from tabiji_cli.services import groups
from tabiji_common import events
from tabiji_common.clock import LiveClock
from tabiji_common.postgres import connect_pool, migrate
from tabiji_common.topics import CUSTOMERS, PAGE_VIEWS, PURCHASES, SENDS, TRANSITIONS, Record, Topic, anchor_name
from tabiji_journey.adapters.clockwork import StoredClockwork
from tabiji_journey.adapters.customers import StoredCustomers
from tabiji_journey.adapters.journeys import PublishedJourneys
from tabiji_journey.adapters.publish import Publisher
from tabiji_journey.domain.loader import Shop
from tabiji_journey.pipeline import INPUTS, JourneyPipeline
from tests.bench.figure import Aim, Figure, Pair, Run, by_core
from tests.bench.loops import Folding, Tape, append, pool_of, replay
from tests.bench.stage import Stage
from tests.unit.journey.pipeline.people import cart, order

MIGRATIONS = Path(tabiji_journey.__file__).parents[1] / "migrations"
JOURNEYS = Path(tabiji_journey.__file__).parents[3] / "journeys"
TOPICS_USED = (*(topic.name for topic in groups()["journey"]), SENDS.name, TRANSITIONS.name, anchor_name("journey"))
EVENTS = 12_000
CUSTOMERS_EACH = 2  # events of each customer
SLOW = 300  # events where each is a transaction


def mixed(count: int) -> list[Record[Any]]:
    """Orders, carts, page views and traits, each customer with a few."""
    now = LiveClock().now()
    made: list[Record[Any]] = []
    topic: Topic[Any]
    body: Any
    for n in range(count):
        who = f"c{n % (count // CUSTOMERS_EACH)}"
        topic, body = (
            (PURCHASES, order(f"o{n}", customer=who)),
            (PAGE_VIEWS, cart(f"c{n}", who)),
            (PAGE_VIEWS, events.PageViewed(workspace="w", customer=who)),
            (CUSTOMERS, events.Identified(workspace="w", customer=who, traits={"n": n})),
        )[n // 3 % 4]
        made.append(record(topic, body, f"e{n}", now))
    return made


def record(topic: Topic[Any], body: Any, id_: str, now: datetime) -> Record[Any]:
    """A record as ingest writes it."""
    day = now.date().isoformat()
    return topic.record(
        body, id=id_, source="bench", occurred_at=now, accepted_at=now, body_hash=f"hash of {id_:>24}", day=day
    )


@dataclass
class Ground:
    """A log that is written once, and a fresh database for every run."""

    folding: Folding
    template: str
    total: int

    async def fold(self, tape: Tape | None = None, **changes: Any) -> Run:
        name = self.folding.on.database(self.template)
        pool = await pool_of(self.folding.on.postgres.dsn(name), "journey", tape)
        try:
            total = changes.pop("total", self.total)
            folding = Folding(**{**vars(self.folding), **changes})
            return await folding.fold(pool, pipeline(), total, tape)
        finally:
            await pool.close()
            self.folding.on.drop(name)

    async def bare(self, tape: Tape) -> Run:
        name = self.folding.on.database(self.template)
        pool = await pool_of(self.folding.on.postgres.dsn(name), "journey")
        try:
            return await replay(self.folding.on, pool, tape, self.total)
        finally:
            await pool.close()
            self.folding.on.drop(name)


def pipeline() -> JourneyPipeline:
    return JourneyPipeline(PublishedJourneys(Shop()), StoredCustomers(), StoredClockwork())


async def template(on: Stage) -> str:
    """A database with the schema and the journeys that we ship."""
    name = on.database()
    await asyncio.to_thread(migrate, on.postgres.dsn(name), "journey", MIGRATIONS)
    async with await connect_pool(on.postgres.dsn(name), "journey") as pool:
        await publish(pool)
    return name


async def publish(pool: asyncpg.Pool[Any]) -> None:
    publisher, now = Publisher(pool, Shop()), LiveClock().now()
    for path in sorted(JOURNEYS.glob("*.yaml")):
        await publisher.publish("w", path.read_text(encoding="utf-8"), path.name, now)


@asynccontextmanager
async def ground(on: Stage, events_: int) -> AsyncIterator[Ground]:
    """The log and the database of one figure."""
    name = await template(on)
    async with on.topics(*TOPICS_USED) as settings:
        total = await append(settings, mixed(events_))
        yield Ground(Folding(on, "journey", settings, INPUTS), name, total)
    on.drop(name)


@asynccontextmanager
async def against_bare(on: Stage) -> AsyncIterator[Pair]:
    async with ground(on, EVENTS) as there:
        tape = Tape()
        await there.fold(tape)
        yield Pair(there.fold, lambda: there.bare(tape))


@asynccontextmanager
async def against_one_by_one(on: Stage) -> AsyncIterator[Pair]:
    async with ground(on, EVENTS) as many, ground(on, SLOW) as few:
        await many.fold()
        yield Pair(many.fold, lambda: few.fold(poll_records=1))


@asynccontextmanager
async def without_inbox(on: Stage) -> AsyncIterator[Pair]:
    async with ground(on, EVENTS) as there:
        await there.fold()
        yield Pair(there.fold, lambda: there.fold(inbox=False))


FIGURES = (
    Figure(
        "journey-fold",
        "events folded, states advanced",
        "the same rows by bare unnest upserts, one commit a batch",
        Aim(0.35),
        by_core,
        against_bare,
        "per_core",
        "/CPU-s",
    ),
    Figure(
        "journey-batch",
        "events folded, states advanced",
        "the same loop with a transaction for every event",
        Aim(8, unit=" ×"),
        by_core,
        against_one_by_one,
        "per_core",
        "/CPU-s",
    ),
    Figure(
        "journey-inbox",
        "events folded with the inbox",
        "without it",
        Aim(0.85),
        by_core,
        without_inbox,
        "per_core",
        "/CPU-s",
    ),
)
