"""Analytics on a real database, fed with turns made by hand in place of the runtime."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from tabiji_analytics.adapters import books
from tabiji_analytics.adapters.recompute import Drift, recompute
from tabiji_analytics.adapters.views import Row, Views
from tabiji_analytics.domain.catalog import VIEWS
from tabiji_analytics.metrics import Counts
from tabiji_analytics.pipeline import Projection
from tabiji_common import events
from tabiji_common.kafka.turn import Applied, Received, Turn
from tabiji_common.postgres import connect_pool
from tabiji_common.topics import PURCHASES, TOPICS, Mode, Record, Topic, customer_key, partition_of

MIGRATIONS = Path(__file__).parents[3] / "services" / "analytics" / "migrations"
PARTITIONS = 12
NOW = datetime(2024, 6, 1, tzinfo=UTC)


def at(text: str) -> datetime:
    """An instant; UTC where it names no offset."""
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def received(record: Record[Any], offset: int = 0) -> Received:
    """A record as the log gives it back."""
    return Received(
        topic=record.topic.name,
        partition=partition_of(record.key, PARTITIONS),
        offset=offset,
        appended_at=record.accepted_at,
        key=record.key,
        id=record.id,
        type=record.type,
        source=record.source,
        occurred_at=record.occurred_at,
        accepted_at=record.accepted_at,
        mode=record.mode,
        body_hash=record.body_hash,
        value=record.value(),
    )


def record(
    topic: Topic[Any], body: Any, id_: str, when: str | datetime, source: str = "shop", type_: str | None = None
) -> Received:
    """A record of ``body`` that happened at ``when``."""
    instant = at(when) if isinstance(when, str) else when
    return received(topic.record(body, id=id_, source=source, occurred_at=instant, accepted_at=instant, type=type_))


def order(
    customer: str,
    order_id: str,
    when: str | datetime,
    amount: int = 1000,
    *,
    currency: str = "JPY",
    medium: str | None = None,
    event: str | None = None,
    workspace: str = "demo",
) -> Received:
    """An ``order_completed``; a visitor's where the customer is called so."""
    body = events.OrderCompleted(
        workspace=workspace,
        customer=customer,
        anonymous=customer.startswith("anon"),
        order_id=order_id,
        amount_minor=amount,
        currency=currency,
        medium=medium,
    )
    return record(PURCHASES, body, event or f"e-{order_id}", when)


def refund(
    customer: str,
    order_id: str,
    when: str | datetime,
    amount: int | None = None,
    refund_id: str | None = None,
    **more: Any,
) -> Received:
    """An ``order_refunded``."""
    who: dict[str, Any] = {"workspace": "demo", "customer": customer, "anonymous": customer.startswith("anon")}
    body = events.OrderRefunded(**who, order_id=order_id, amount_minor=amount, refund_id=refund_id, **more)
    return record(PURCHASES, body, f"r-{order_id}-{refund_id}-{amount}-{when}", when)


def cancel(customer: str, order_id: str, when: str | datetime = "2024-05-01") -> Received:
    """An ``order_cancelled``."""
    anonymous = customer.startswith("anon")
    body = events.OrderCancelled(workspace="demo", customer=customer, order_id=order_id, anonymous=anonymous)
    return record(PURCHASES, body, f"c-{order_id}", when)


@dataclass
class Yard:
    """The service without its runtime: what ``feed`` is given is committed turn by turn."""

    pool: asyncpg.Pool[Any]
    patient: asyncpg.Pool[Any]
    projection: Projection = field(default_factory=lambda: Projection(books()))
    counts: Counts = field(default_factory=Counts)

    async def turn(self, records: Sequence[Received]) -> Applied:
        """Apply and commit one turn."""
        turn = Turn(list(records), NOW, frozenset(range(PARTITIONS)), {}, {}, "cluster")
        async with self.pool.acquire() as connection, connection.transaction():
            applied = await self.projection.apply(connection, turn)
        self.projection.committed(turn, applied)
        self.counts.add(applied.notes)
        return applied

    async def feed(self, records: Iterable[Received], cut: int = 1000) -> list[Applied]:
        """Apply ``records`` in turns of ``cut``; what comes out goes round through the log until nothing does."""
        waiting, done = list(records), []
        while waiting:
            now, waiting = waiting[:cut], waiting[cut:]
            applied = await self.turn(now)
            done.append(applied)
            waiting += [received(outgoing) for outgoing in applied.records]
        return done

    async def view(self, name: str, zone: str = "UTC", workspace: str = "demo") -> list[Row]:
        """The rows of a view."""
        return await Views(self.pool, self.patient).rows(VIEWS[name], workspace, zone)

    async def drift(self) -> Drift:
        """Every view against its recomputation."""
        return await recompute(self.patient)

    async def snapshot(self) -> dict[str, list[Row]]:
        """Every view of the workspace, in both zones."""
        names = [(view.name, zone) for view in VIEWS.values() for zone in ("UTC", "Asia/Tokyo")]
        return {f"{name} {zone}": await self.view(name, zone) for name, zone in names}


async def pools(dsn: str) -> tuple[asyncpg.Pool[Any], asyncpg.Pool[Any]]:
    """The service's pool, and one without short timeouts."""
    return await connect_pool(dsn, "analytics"), await connect_pool(dsn, "analytics", size=2, patient=True)


__all__ = [
    "MIGRATIONS",
    "TOPICS",
    "Mode",
    "Yard",
    "at",
    "cancel",
    "customer_key",
    "order",
    "pools",
    "received",
    "record",
    "refund",
]
