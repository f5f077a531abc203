"""The pipeline on a real database, turn by turn, without a log."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import asyncpg

from tabiji_common import events
from tabiji_common.clock import LiveClock
from tabiji_common.commands import CancelMessage, Outcome, Seen, SendMessage, Settle
from tabiji_common.kafka.turn import Applied, Received, Status, Turn
from tabiji_common.topics import CUSTOMERS, DISPATCH_COMMANDS, ENGAGEMENTS, SENDS, Mode, Record, Topic
from tabiji_dispatch.__main__ import routes_of
from tabiji_dispatch.adapters.couriers import CourierPool
from tabiji_dispatch.adapters.postgres_announcements import PostgresAnnouncements
from tabiji_dispatch.adapters.postgres_brakes import PostgresBrakes
from tabiji_dispatch.adapters.postgres_claims import PostgresClaims
from tabiji_dispatch.adapters.postgres_contacts import PostgresContacts
from tabiji_dispatch.adapters.postgres_customers import Looks, PostgresCustomers
from tabiji_dispatch.adapters.postgres_detours import PostgresDetours
from tabiji_dispatch.adapters.postgres_intake import PostgresIntake
from tabiji_dispatch.adapters.postgres_quotas import PostgresQuotas
from tabiji_dispatch.adapters.postgres_truth import PostgresTruth
from tabiji_dispatch.adapters.settler import Settler
from tabiji_dispatch.adapters.templates import TemplateFolder
from tabiji_dispatch.domain.carrier import Carrier
from tabiji_dispatch.domain.claim import Rules
from tabiji_dispatch.domain.pick import Terms
from tabiji_dispatch.domain.render import Shop
from tabiji_dispatch.pipeline import Dispatch, Store
from tabiji_dispatch.ports import Provider

NOON = datetime(2024, 5, 1, 3, 0, tzinfo=UTC)  # 12:00 in Tokyo
TEMPLATES = Path(__file__).parent / "templates"
SECRET = "a secret of the tests"
P = 0


class Stepped(LiveClock):
    """Business time that a test sets, machine time and wall that it may push."""

    simulated = True

    def __init__(self) -> None:
        self.tick = NOON
        self.skipped = 0.0

    def now(self) -> datetime:
        return self.tick

    def elapsed(self) -> float:
        return super().elapsed() + self.skipped

    def wall(self) -> datetime:
        return super().wall() + timedelta(seconds=self.skipped)


class Bench:
    """One process of dispatch. Several on one pool are a takeover."""

    def __init__(
        self,
        pool: Any,
        providers: Mapping[str, tuple[Carrier, Provider]],
        *,
        rules: Rules | None = None,
        lease: float = 4.0,
        who: str = "one",
        truth: PostgresTruth | None = None,
    ) -> None:
        self.pool = pool
        self.clock = Stepped()
        self.cluster = "here"
        self.offsets = {(topic.name, P): 0 for topic in (SENDS, DISPATCH_COMMANDS, CUSTOMERS, ENGAGEMENTS)}
        carriers = {name: carrier for name, (carrier, _) in providers.items()}
        shop = Shop("旅路の店", "https://shop.example.com", "http://127.0.0.1:8010", SECRET)
        self.terms = Terms(carriers, rules or Rules(), shop, lease, who)
        truth = truth or PostgresTruth(pool)
        store = Store(
            PostgresIntake(),
            PostgresContacts(SECRET),
            PostgresClaims(SECRET),
            truth,
            PostgresAnnouncements(),
            PostgresQuotas(),
            PostgresDetours(routes_of(self.terms), carriers),
            PostgresBrakes(),
        )
        self.couriers = CourierPool(providers, self.clock, lambda: None)
        self.pipeline = Dispatch(store, self.couriers, TemplateFolder(TEMPLATES), self.terms, self.clock)
        self.settler = Settler(truth, carriers, self.clock, SECRET)
        self.couriers.deliver_to(self.settler.add)
        self.settler.tell(self.couriers.settled, self.pipeline.settled, lambda: None)
        self.task: asyncio.Task[None] | None = None
        self.outcomes: list[Outcome] = []
        self.records: list[Record[Any]] = []
        self.again = False

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.settler.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.couriers.drain(2.0)
        assert self.task is not None
        self.task.cancel()

    async def turn(self, *records: Received, commit: bool = True) -> Applied:
        """One turn of the runtime's: a transaction around ``apply``, then ``committed``."""
        for record in records:
            self.offsets[record.topic, P] = max(self.offsets[record.topic, P], record.offset + 1)
        turn = Turn(
            list(records),
            self.clock.now(),
            frozenset({P}),
            {P: self.clock.now()},
            dict(self.offsets),
            self.cluster,
        )
        async with self.pool.acquire() as connection, connection.transaction():
            applied = await self.pipeline.apply(connection, turn)
            await self.within(connection, applied)
        if commit:
            self.pipeline.committed(turn, applied)
        self.again = applied.again
        self.records += applied.records
        self.outcomes += [record.body for record in applied.records if isinstance(record.body, Outcome)]
        return applied

    async def within(self, connection: Any, applied: Applied) -> None:
        """What the runtime writes in the same transaction; a test may."""

    async def settle(self, seconds: float = 90.0) -> None:
        """Turns until nothing waits for machines."""
        end = asyncio.get_running_loop().time() + seconds
        while True:
            await self.turn()
            status = await self.status()
            if status.machine == 0 and status.due == 0:
                return
            assert asyncio.get_running_loop().time() < end, f"did not settle: {status}"
            await asyncio.sleep(0.01)

    async def status(self) -> Status:
        async with self.pool.acquire() as connection:
            return await self.pipeline.status(connection, frozenset({P}), self.clock.now())

    async def row(self, key: str) -> asyncpg.Record:
        found: asyncpg.Record | None = await self.pool.fetchrow("SELECT * FROM delivery WHERE message_key = $1", key)
        assert found is not None
        return found

    async def state(self, key: str) -> tuple[str, str]:
        row = await self.row(key)
        return row["state"], row["reason"]

    def said(self) -> list[tuple[str, str, str]]:
        return [(outcome.message_key, outcome.state, outcome.reason) for outcome in self.outcomes]


_offsets: dict[str, int] = {}


def customers_of(bench: Bench) -> PostgresCustomers:
    """What its API knows of customers."""
    return PostgresCustomers(bench.pool, SECRET, Looks(TemplateFolder(TEMPLATES), bench.terms.shop))


def received(topic: Topic[Any], body: Any, id_: str, *, at: datetime = NOON, mode: Mode = Mode.LIVE) -> Received:
    """A record as the runtime hands it over; offsets grow."""
    offset = _offsets[topic.name] = _offsets.get(topic.name, -1) + 1
    record = topic.record(body, id=id_, source="test", occurred_at=at, accepted_at=at, mode=mode)
    return Received(topic.name, P, offset, at, record.key, id_, record.type, "test", at, at, mode, "", record.value())


def send(key: str, customer: str = "c1", **changes: Any) -> Received:
    body = SendMessage(
        workspace="demo",
        customer=customer,
        message_key=key,
        journey=changes.pop("journey", "f2"),
        version=1,
        enrollment=f"e-{customer}",
        state="thanks",
        channel=changes.pop("channel", "email"),
        template=changes.pop("template", "f2/thanks"),
        decided_at=changes.pop("decided_at", NOON),
        not_after=changes.pop("not_after", NOON + timedelta(days=1)),
        **changes,
    )
    return received(SENDS, body, key)


def cancel(key: str, customer: str = "c1") -> Received:
    body = CancelMessage(workspace="demo", customer=customer, message_key=key, reason="exited")
    return received(SENDS, body, f"{key}-cancel")


def settle(key: str, outcome: Any, customer: str = "c1", id_: str = "") -> Received:
    body = Settle(workspace="demo", customer=customer, message_key=key, outcome=outcome)
    return received(DISPATCH_COMMANDS, body, id_ or f"{key}-{outcome}")


def known(customer: str = "c1", at: datetime = NOON - timedelta(hours=1), **pii: str) -> list[Received]:
    """A customer with an address who agreed to e-mail."""
    person: dict[str, Any] = {"email": f"{customer}@example.com", "name": "山田 花子", **pii}
    return [
        identified(customer, at, **person),
        received(
            CUSTOMERS, events.ConsentGiven(workspace="demo", customer=customer, channel="email"), f"{customer}-c", at=at
        ),
    ]


def identified(customer: str, at: datetime, traits: dict[str, Any] | None = None, **pii: Any) -> Received:
    body = events.Identified(workspace="demo", customer=customer, pii=dict(pii), traits=traits or {})
    return received(CUSTOMERS, body, f"{customer}-{at.isoformat()}", at=at)


def seen(customer: int, engagement: int = 0, cluster: str = "here") -> Seen:
    return Seen(cluster, {CUSTOMERS.name: customer, ENGAGEMENTS.name: engagement, "events.purchase.v1": 10**9})


def with_carrier(carrier: Carrier, **changes: Any) -> Carrier:
    return replace(carrier, **changes)
