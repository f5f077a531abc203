"""The whole system for fault tests: four services under the supervisor, stepped time, and ledgers outside of them.

What a client was told (``told``), what the mail server took (``mails``) and the rows decide; the services'
counters do not.
"""

import asyncio
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from aiosmtpd.controller import Controller

from tabiji_cli import keys
from tabiji_cli.demo.timemaster import Member, TimeMaster, tick_after
from tabiji_cli.local import Stack
from tabiji_cli.mailbox import key_of
from tabiji_cli.processes import Installation, Ports, make_topics, ready, start_services
from tabiji_cli.services import SERVICES
from tabiji_cli.stack.ports import free_port
from tabiji_cli.stack.supervisor import Supervisor
from tabiji_common.events import Identified
from tabiji_common.kafka.client import Cluster
from tabiji_common.kafka.producer import Producer
from tabiji_common.topics import CUSTOMERS

NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)  # 12:00 in Tokyo: no quiet hours
PATIENCE = 120  # seconds for an answer: everything may be recomputed for one


@dataclass
class MailLedger:
    """Every mail that a real SMTP server said 250 to: (message key, recipient)."""

    taken: list[tuple[str, str]] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        message: Any = message_from_bytes(envelope.content, policy=policy.SMTP)
        self.taken += [(key_of(message), recipient) for recipient in envelope.rcpt_tos]
        return "250 OK"


@dataclass
class System:
    """A running Tabiji, and what was seen of it from outside."""

    installation: Installation
    supervisor: Supervisor
    http: httpx.AsyncClient
    master: TimeMaster
    mails: MailLedger
    write_key: str
    hits: Path
    logs: Path
    told: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def post(self, events: list[dict[str, Any]], *, patience: float = PATIENCE) -> None:
        """Post one batch until it is answered 200, with the same ids, as every SDK does."""
        until = time.monotonic() + patience
        while True:
            try:
                answer = await self.http.post(
                    f"{self.installation.url('ingest')}/v1/batch",
                    json={"batch": events},
                    auth=(self.write_key, ""),
                    timeout=30,
                )
                if answer.status_code == 200:
                    assert not answer.json().get("rejected"), answer.text
                    self.told |= {event["messageId"]: event for event in events}
                    return
                assert answer.status_code in {429, 503}, answer.text
            except httpx.TransportError:
                pass
            assert time.monotonic() < until, "ingest did not answer"
            await asyncio.sleep(0.05)

    async def load(self, tag: str, customers: int = 24) -> None:
        """Consent, carts and first orders of new customers, over several partition numbers, in small batches."""
        batches = [shopping(f"{tag}-{n}") for n in range(customers)]
        for part in range(0, customers, 8):
            await asyncio.gather(*(self.post(batch) for batch in batches[part : part + 8]))

    async def unread(self, customer: str) -> None:
        """Put a record into the log that no service can read."""
        installation = self.installation
        cluster = Cluster(installation.bootstrap, installation.prefix, installation.partitions)
        body = Identified(workspace=keys.WORKSPACE, customer=customer)
        when: Any = {"occurred_at": NOON, "accepted_at": NOON}
        producer = Producer(cluster)
        try:
            await producer.append([CUSTOMERS.record(body, id=customer, source="shop", type="renamed", **when)])
        finally:
            await producer.stop()

    async def arm(self, service: str, point: str, action: str = "kill@1") -> None:
        """Make the living process of ``service`` do ``action`` at ``point``."""
        url = f"{self.installation.admin(service)}/failpoints"
        answer = await self._patiently(url, f"{point}={action}")
        answer.raise_for_status()
        assert point in answer.json(), f"{service} has no failpoint {point}"

    async def disarm(self, service: str) -> None:
        """Let it go on as if nobody had asked for anything."""
        (await self._patiently(f"{self.installation.admin(service)}/failpoints", "")).raise_for_status()

    async def _patiently(self, url: str, content: str) -> httpx.Response:
        """PUT to a process that may be just coming back."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return await self.http.put(url, content=content, timeout=30)
            except httpx.TransportError:
                assert time.monotonic() < until, f"{url} did not come back"
                await asyncio.sleep(0.05)

    async def died(self, service: str, before: int, seconds: float = PATIENCE) -> bool:
        """Whether the supervisor has had to start ``service`` again since it had done so ``before`` times."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.supervisor.restarts(service) > before:
                return True
            await asyncio.sleep(0.05)
        return False

    async def start_again(self, service: str, **extra: str) -> None:
        """Stop ``service`` and start it with ``extra`` in its environment."""
        await asyncio.to_thread(self.supervisor.stop, service)
        environment = self.installation.environment(service) | extra
        self.supervisor.start(service, [sys.executable, "-m", f"tabiji_{service}"], environment)

    async def up(self, service: str, seconds: float = PATIENCE) -> None:
        """Wait until ``service`` says that it is ready."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                if (await self.http.get(f"{self.installation.admin(service)}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
        raise AssertionError(f"{service} is not ready")

    async def dies_at_start(self, service: str, point: str, **extra: str) -> None:
        """Start ``service`` so that it is killed at ``point`` each time, until it has been; it is down afterwards."""
        before = self.supervisor.restarts(service)
        await self.start_again(service, TABIJI_FAILPOINTS=f"{point}=kill", **extra)
        assert await self.died(service, before), f"{service} was never at {point}"
        await asyncio.to_thread(self.supervisor.stop, service)
        self.was_hit(point)

    def was_hit(self, point: str) -> None:
        """Some process was killed at ``point``, by its own word."""
        hits = self.hits.read_text().splitlines()
        assert any(line.startswith(f"{point} kill") for line in hits), f"{point} was not hit"

    async def settle(self) -> None:
        """Until nothing moves any more at this instant."""
        await self.master.settle()

    async def next_tick(self) -> None:
        """On to the next tick, and everything that is due there."""
        await self.master.step(tick_after(self.master.now))
        await self.master.settle()

    async def rows(self, query: str, *arguments: Any) -> list[Any]:
        """Rows of the database, asked from outside."""
        connection = await asyncpg.connect(self.installation.dsn)
        try:
            return list(await connection.fetch(query, *arguments))
        finally:
            await connection.close()

    async def get(self, service: str, path: str) -> Any:
        answer = await self.http.get(f"{self.installation.url(service)}{path}")
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:300]}"
        return answer.json()

    async def check(self) -> None:
        """Lost 0, doubled 0, order kept, unknown shown, views true, everybody accounted for."""
        orders = {e["properties"]["order_id"]: e for e in self.told.values() if e.get("event") == "Order Completed"}
        await self._check_orders(orders)
        await self._check_mails({event["userId"] for event in orders.values()})
        await self._check_people()
        drift = await self.get("analytics", "/v1/drift")
        assert drift["drift"] == 0, drift

    async def _check_orders(self, orders: dict[str, Any]) -> None:
        facts = Counter(row["order_id"] for row in await self.rows("SELECT order_id FROM analytics.order_fact"))
        assert set(facts) == set(orders), f"orders lost or made up: {set(facts) ^ set(orders)}"
        assert max(facts.values(), default=1) == 1, "an order was counted twice"
        profiles = await self.rows(
            "SELECT key, (SELECT count(*) FROM jsonb_object_keys(profile->'orders')) AS n FROM journey.customer"
            " WHERE jsonb_typeof(profile->'orders') = 'object'"
        )
        bought = Counter(event["userId"] for event in orders.values())
        applied = {row["key"].partition(":")[2]: row["n"] for row in profiles if row["n"]}
        assert applied == dict(bought), "journey profiles are not the orders that were accepted"

    async def _check_mails(self, buyers: set[str]) -> None:
        taken = Counter(key for key, _ in self.mails.taken)
        assert not [key for key, n in taken.items() if n > 1], "a mail was taken twice"
        ledger = {
            str(row["message_key"]): row
            for row in await self.rows("SELECT message_key, customer, state, journey FROM dispatch.delivery")
        }
        assert set(taken) <= set(ledger), "a mail left without a row"
        sent = {key for key, row in ledger.items() if row["state"] == "sent"}
        unknown = {key for key, row in ledger.items() if row["state"] == "unknown"}
        assert sent <= set(taken), f"said to be sent, never taken: {sent - set(taken)}"
        assert set(taken) <= sent | unknown, f"taken, and neither sent nor unknown: {set(taken) - sent - unknown}"
        shown = {str(row["message_key"]) for row in await self.get("dispatch", "/v1/unknown?limit=500")}
        assert shown == unknown, "what is unknown is not all shown"
        thanked: dict[str, int] = defaultdict(int)
        for row in ledger.values():
            thanked[row["customer"]] += row["journey"] == "f2-conversion"
        holdout = {
            row["customer"]
            for row in await self.rows(
                "SELECT DISTINCT customer FROM analytics.transition_fact WHERE holdout AND journey = 'f2-conversion'"
            )
        }
        missing = buyers - holdout - {customer for customer, n in thanked.items() if n}
        assert not missing, f"never thanked: {sorted(missing)[:5]} of {len(missing)}"

    async def _check_people(self) -> None:
        found = await self.get("journey", "/v1/conservation")
        assert found["journeys"], "no journeys"
        for one in found["journeys"]:
            exited = sum(one["exited"].values())
            assert one["entered"] == one["waiting"] + one["finished"] + exited, one
            assert one["stuck"] == 0, one
        order = await self.rows(
            "SELECT enrollment FROM (SELECT enrollment, seq, lag(seq) OVER (PARTITION BY enrollment ORDER BY seq)"
            " AS before FROM analytics.transition_fact) s WHERE before IS NOT NULL AND seq <> before + 1"
        )
        assert not order, f"{len(order)} gaps or inversions in the transitions that reached analytics"


def shopping(customer: str) -> list[dict[str, Any]]:
    """One customer's first visit: known by mail, agrees, fills a cart; two of three buy it."""
    number = int(customer.rpartition("-")[2])
    at = NOON.isoformat()
    shared = {"userId": customer, "timestamp": at}
    mail = f"{customer}@example.com"
    events = [
        {"type": "identify", "traits": {"email": mail, "name": "山田 太郎"}},
        {"type": "track", "event": "Consent Given", "properties": {"channel": "email"}},
        {"type": "track", "event": "Product Added", "properties": {"cart_id": f"cart-{customer}", "product_id": "p1"}},
    ]
    if number % 3:
        bought = {
            "order_id": f"order-{customer}",
            "total": 1000 + number,
            "currency": "JPY",
            "cart_id": f"cart-{customer}",
        }
        events.append({"type": "track", "event": "Order Completed", "properties": bought})
    return [{**shared, **event, "messageId": f"{customer}/{n}"} for n, event in enumerate(events)]


@asynccontextmanager
async def system(
    kafka: Any, postgres: Any, dsn: str, prefix: str, folder: Path, *, extra: dict[str, dict[str, str]] | None = None
) -> AsyncIterator[System]:
    """The system, up at noon, while the block runs."""
    hits = folder / "hits"
    async with AsyncExitStack() as exits:
        made, ports = keys.keys(folder), Ports.free()
        http = await exits.enter_async_context(httpx.AsyncClient(timeout=PATIENCE, headers=keys.bearer(made.operator)))
        master = TimeMaster(http, NOON)
        time_url = await exits.enter_async_context(master.serve(free_port()))
        hooks = {"TABIJI_TEST_HOOKS": "true", "TABIJI_FAILPOINT_LOG": str(hits), "TABIJI_POLL_RECORDS": "50"}
        installation = Installation(
            dsn, kafka.bootstrap, made.secret, ports, prefix, 4, "simulated", time_url, {"*": hooks, **(extra or {})}
        )
        await make_topics(installation)
        mails = MailLedger()
        sink = Controller(mails, hostname="127.0.0.1", port=ports.mail)
        sink.start()
        exits.callback(sink.stop)
        supervisor = exits.enter_context(Supervisor(folder))
        start_services(supervisor, installation, SERVICES)
        await ready(http, installation, Stack(folder, kafka, postgres, supervisor), SERVICES)
        await keys.register(dsn, made)
        master.watch([Member(name, installation.admin(name)) for name in SERVICES])
        yield System(installation, supervisor, http, master, mails, made.live, hits, folder / "logs")
