"""The pipeline on a real database, turn by turn, without Kafka: a small stand-in for the runtime's transaction."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

import tabiji_journey
from tabiji_common.clock import FOREVER
from tabiji_common.commands import SendMessage, Transition
from tabiji_common.kafka import store
from tabiji_common.kafka.turn import Applied, Received, Turn
from tabiji_common.postgres import connect_pool, migrate
from tabiji_journey.adapters.clockwork import StoredClockwork
from tabiji_journey.adapters.customers import StoredCustomers
from tabiji_journey.adapters.journeys import PublishedJourneys
from tabiji_journey.adapters.publish import Publisher
from tabiji_journey.adapters.views import Views
from tabiji_journey.domain.loader import Shop
from tabiji_journey.pipeline import JourneyPipeline
from tests.unit.journey.pipeline.people import MONDAY

MIGRATIONS = Path(tabiji_journey.__file__).parents[1] / "migrations"
PARTITIONS = 4
OWNED = frozenset(range(PARTITIONS))


@dataclass
class Desk:
    """One journey service's database, and what it has sent."""

    pool: asyncpg.Pool[Any]
    publisher: Publisher
    views: Views
    pipeline: JourneyPipeline
    customers: StoredCustomers
    held: dict[str, Any] = field(default_factory=dict)
    sent: list[Any] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    batch: int = 0
    timers: int = 1000

    async def publish(self, *documents: str) -> None:
        for text in documents:
            await self.publisher.publish("w", text, "test.yaml", MONDAY)

    async def takes(
        self,
        *records: Received,
        now: datetime | None = None,
        fire: bool = True,
        release: bool = True,
        offsets: dict[tuple[str, int], int] | None = None,
        budget: int | None = None,
        only: frozenset[str] | None = None,
        limit: datetime = FOREVER,
        inherited: bool = False,
    ) -> Applied:
        """One turn, committed. Sends decided in earlier turns are released unless ``release`` is false."""
        now = now or max([record.accepted_at for record in records], default=MONDAY)
        self.batch += 1
        async with self.pool.acquire() as connection, connection.transaction():
            fresh, _, _ = await store.register(connection, records, self.batch)
            parked = {row["key"] for row in await connection.fetch("SELECT key FROM parked")}
            turn = Turn(
                records=[record for record in fresh if record.key not in parked],
                now=now,
                owned=OWNED,
                fire_until=dict.fromkeys(OWNED, now) if fire else {},
                offsets=offsets or {},
                cluster="test",
                released=frozenset(self.held) if release else frozenset(),
                held=frozenset(self.held),
                inherited=frozenset(self.held) if inherited else frozenset(),
                timer_budget=budget,
                only=only,
                limit=limit,
            )
            with connection.query_logger(lambda query: self.statements.append(query.query)):
                applied = await self.pipeline.apply(connection, turn)
            await connection.executemany(
                "INSERT INTO parked (key, p, since, error) VALUES ($1, 0, $3, $2)",
                [(key, error, now) for key, error in applied.parked.items()],
            )
        self.pipeline.committed(turn, applied)
        self._carry(applied, release=release)
        return applied

    def _carry(self, applied: Applied, *, release: bool) -> None:
        for key in applied.withdrawn:
            del self.held[key]
        if release:
            self.sent += self.held.values()
            self.held.clear()
        self.sent += applied.records
        self.held |= {record.id: record for record in applied.sends}

    async def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.pool.fetch(query, *arguments)]

    async def standing(self) -> list[tuple[str, str, str, int]]:
        """(journey, status, state or exit reason, how many)."""
        rows = await self.rows(
            "SELECT journey, status, CASE status WHEN 'exited' THEN reason ELSE state END AS at, count(*) AS n"
            " FROM enrollment GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        )
        return [(row["journey"], row["status"], row["at"], row["n"]) for row in rows]

    async def dump(self) -> dict[str, list[dict[str, Any]]]:
        """Every row of the service's own tables, to compare."""
        tables = ("customer", "enrollment", "timer", "transition", "entry_ledger", "state_count", "anonymous_event")
        return {table: await self.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables}

    async def nobody_is_lost(self, now: datetime) -> None:
        """The conservation check, asserted."""
        for row in await self.views.conservation(now):
            assert (row["balance"], row["stuck"], row["miscounted"]) == (0, 0, 0), row

    def sends(self) -> list[SendMessage]:
        """Messages decided and not taken back, whether or not they have left."""
        return [r.body for r in (*self.sent, *self.held.values()) if isinstance(r.body, SendMessage)]

    def moves(self, kind: str) -> list[Transition]:
        """Transitions of one kind so far."""
        return [r.body for r in self.sent if isinstance(r.body, Transition) and r.body.kind == kind]

    def counted(self) -> Counter[str]:
        """Statements of the turns since the last look, by their first words."""
        found = Counter(" ".join(re.findall(r"\w+", text)[:4]) for text in self.statements)
        self.statements.clear()
        return found


@asynccontextmanager
async def open_desk(dsn: str, *documents: str, timers: int = 1000, **kept: Any) -> AsyncIterator[Desk]:
    """A desk on a fresh database."""
    import asyncio

    await asyncio.to_thread(migrate, dsn, "journey", MIGRATIONS)
    pool = await connect_pool(dsn, "journey")
    try:
        shop = Shop()
        customers = StoredCustomers(**kept)
        pipeline = JourneyPipeline(PublishedJourneys(shop), customers, StoredClockwork(), timers=timers)
        desk = Desk(pool, Publisher(pool, shop), Views(pool), pipeline, customers)
        await desk.publish(*documents)
        await pipeline.changed(OWNED)
        yield desk
    finally:
        await pool.close()


def again(record: Received, **changes: Any) -> Received:
    """The same record, changed."""
    return replace(record, **changes)


def later(record: Received, **delta: float) -> Received:
    """The same record, taken later."""
    return replace(record, accepted_at=record.accepted_at + timedelta(**delta))
