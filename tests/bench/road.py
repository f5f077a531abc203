"""The whole road: from a client's request to the provider's call, against one Kafka hop there and back; and memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition

from tabiji_cli import keys
from tabiji_cli.local import Stack
from tabiji_cli.processes import Installation, Ports, make_topics, ready, start_services
from tabiji_cli.services import SERVICES
from tabiji_cli.stack.supervisor import Supervisor
from tabiji_common.clock import LiveClock
from tabiji_common.kafka.client import Cluster
from tabiji_common.kafka.producer import Producer
from tabiji_common.settings import Settings
from tabiji_common.topics import PURCHASES
from tests.bench import journey
from tests.bench.caller import at_rate, call, call_at, requests
from tests.bench.figure import Aim, Figure, Pair, Run, alone, by_value
from tests.bench.stage import PARTITIONS, Meter, Stage
from tests.bench.stubs import Smtp
from tests.unit.journey.pipeline.people import order

SECONDS = 6.0
ORDERS = 4  # one event in so many is an order, which is thanked for at once
QUIET = {"TABIJI_QUIET_START": "00:00", "TABIJI_QUIET_END": "00:00", "TABIJI_LOG_LEVEL": "ERROR"}
MIB = 2**20


@dataclass
class Road:
    """The four services over one log and database, and a mail server that notes when each recipient's mail came."""

    on: Stage
    installation: Installation
    supervisor: Supervisor
    key: str
    came: dict[bytes, float] = field(default_factory=dict)
    customers: int = 0

    def took(self, recipient: bytes) -> None:
        self.came.setdefault(recipient, time.perf_counter())

    async def travel(self, rate: float) -> Run:
        """Events at ``rate`` for some seconds: percentiles from the request to the mail, of those who got one."""
        total, first = int(rate * SECONDS), self.customers
        self.customers += total
        await self._introduce(range(first, self.customers))
        numbers, began = range(first, self.customers), dict[bytes, float]()

        def due(place: int) -> None:
            began[recipient(numbers[place])] = time.perf_counter()

        posts = [post for n in numbers for post in requests([event(n)], self.key, path(n))]
        meter = Meter(self.on, *self._pids())
        statuses = await call_at(self.installation.ports.ingest, rate, posts, due)
        assert set(statuses) == {200}, statuses
        await self._quiet()
        took = sorted(self.came[who] - at for who, at in began.items() if who in self.came)
        assert len(took) > 0.7 * total / ORDERS, f"{len(took)} mails of {total / ORDERS:.0f} orders came"
        return Run(total, meter.seconds, meter.cpu, {**percentiles(took), "mails": len(took), **self.memory()})

    async def _introduce(self, numbers: range) -> None:
        """Customers with an address who agreed, long before they buy."""
        events = [one for n in numbers if n % ORDERS == 0 for one in introduction(n)]
        batches = [msgspec.json.encode({"batch": events[at : at + 100]}) for at in range(0, len(events), 100)]
        posts = requests(batches, self.key, "/v1/batch")
        for _ in range(5):  # as clients do: what was answered 503 is sent again, with the same ids
            if set(await call(self.installation.ports.ingest, posts, 4)) == {200}:
                break
        await self._quiet()

    async def _quiet(self, seconds: float = 60) -> None:
        """Until nobody lags and nothing waits to be published, twice in a row."""
        async with httpx.AsyncClient(timeout=5) as client:
            calm, until = 0, time.monotonic() + seconds
            while calm < 2 and time.monotonic() < until:
                looks = [(await client.get(f"{self.installation.admin(name)}/idle")).json() for name in SERVICES[1:3]]
                busy = any(_busy(look) for look in looks)
                calm = 0 if busy else calm + 1
                await asyncio.sleep(0.2)

    def _pids(self) -> list[int]:
        return [pid for name in SERVICES if (pid := self.supervisor.pid(name))]

    def memory(self) -> dict[str, float]:
        """Resident MiB of each process; of PostgreSQL's processes what each has for itself."""
        found = {
            name: psutil.Process(pid).memory_info().rss / MIB for name, pid in zip(SERVICES, self._pids(), strict=True)
        }
        server = psutil.Process(self.on.postgres.pid)
        postgres = sum(one.memory_full_info().pss for one in [server, *server.children()])
        kafka = psutil.Process(self.on.kafka.pid).memory_info().rss
        return {**found, "MiB": max(found.values()), "JVM": kafka / MIB, "PostgreSQL": postgres / MIB}


def _busy(look: dict[str, Any]) -> bool:
    """Whether a service does not own everything yet, does not know its lag, or has something to do."""
    if "lag" not in look or len(look["owned"]) < PARTITIONS:
        return True
    return any(look.get(what) for what in ("lag", "unpublished", "machine"))


def percentiles(took: list[float]) -> dict[str, float]:
    """Milliseconds."""
    return {f"p{p} ms": took[min(len(took) - 1, len(took) * p // 100)] * 1000 for p in (50, 99)}


def recipient(n: int) -> bytes:
    return f"road{n}@example.com".encode()


def introduction(n: int) -> Iterator[dict[str, object]]:
    """Known by mail, and agreed."""
    shared = {"userId": f"road{n}", "timestamp": LiveClock().now().isoformat()}
    traits = {"email": recipient(n).decode(), "name": "山田 太郎"}
    yield {**shared, "type": "identify", "traits": traits, "messageId": f"i{n}"}
    given = {"event": "Consent Given", "properties": {"channel": "email"}}
    yield {**shared, "type": "track", **given, "messageId": f"g{n}"}


def path(n: int) -> str:
    return "/v1/page" if n % ORDERS else "/v1/track"


def event(n: int) -> bytes:
    """An order, or a page."""
    shared: dict[str, object] = {"userId": f"road{n}", "messageId": f"e{n}"}
    bought = {"order_id": f"road{n}", "total": 1980, "currency": "JPY"}
    if n % ORDERS == 0:
        return msgspec.json.encode({**shared, "event": "Order Completed", "properties": bought})
    return msgspec.json.encode({**shared, "name": "guide"})


@asynccontextmanager
async def road(on: Stage) -> AsyncIterator[Road]:
    """Everything up, with the journeys that we ship."""
    async with AsyncExitStack() as exits:
        http = await exits.enter_async_context(httpx.AsyncClient(timeout=10))
        folder, ports, database = on.home / "road", Ports.free(), on.database()
        exits.callback(on.drop, database)
        made, dsn = keys.keys(folder), on.postgres.dsn(database)
        settings = await exits.enter_async_context(on.topics(PURCHASES.name))
        installation = Installation(
            dsn, on.kafka.bootstrap, made.secret, ports, settings.topic_prefix, PARTITIONS, extra={"*": QUIET}
        )
        await make_topics(installation)
        supervisor = exits.enter_context(Supervisor(folder))
        there = Road(on, installation, supervisor, made.live)
        server = await asyncio.get_running_loop().create_server(lambda: Smtp(there.took), "127.0.0.1", ports.mail)
        exits.callback(server.close)
        start_services(supervisor, installation, SERVICES)
        await ready(http, installation, Stack(folder, on.kafka, on.postgres, supervisor), SERVICES)
        await keys.register(dsn, made)
        await asyncio.sleep(1)
        await there.travel(20)
        yield there


async def hop(on: Stage, settings: Settings, rate: float) -> Run:
    """One record at a time through the log: from the append to the consumer that has it."""
    cluster, came, began = Cluster.of(settings), dict[str, float](), dict[str, float]()
    producer, consumer = Producer(cluster), AIOKafkaConsumer(bootstrap_servers=cluster.bootstrap)
    await producer.start()
    await consumer.start()
    consumer.assign([TopicPartition(cluster.name(PURCHASES.name), p) for p in range(PARTITIONS)])
    await consumer.seek_to_end()
    total = int(rate * SECONDS)

    async def read() -> None:
        while len(came) < total:
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                came.update((record.key.decode(), time.perf_counter()) for record in batch)

    async def write(n: int) -> None:
        record = journey.record(PURCHASES, order(f"o{n}", customer=f"hop{n}"), f"e{n}", LiveClock().now())
        began[record.key] = time.perf_counter()
        await producer.append([record])

    meter, reading = Meter(on, own=True), asyncio.create_task(read())
    writing = [asyncio.create_task(write(n)) async for n in at_rate(range(total), rate)]
    await asyncio.gather(*writing)
    await asyncio.wait_for(reading, 30)
    run = Run(total, meter.seconds, meter.cpu, percentiles(sorted(came[key] - began[key] for key in began)))
    await consumer.stop()
    await producer.stop()
    return run


def against_hop(rate: float) -> Callable[[Stage], AbstractAsyncContextManager[Pair]]:
    @asynccontextmanager
    async def opened(on: Stage) -> AsyncIterator[Pair]:
        async with road(on) as there, on.topics(PURCHASES.name) as settings:
            yield Pair(lambda: there.travel(rate), lambda: hop(on, settings, rate))

    return opened


@asynccontextmanager
async def by_itself(on: Stage) -> AsyncIterator[Pair]:
    async with road(on) as there:
        yield Pair(lambda: there.travel(100), None)


FIGURES = (
    *(
        Figure(
            f"road-{rate}",
            f"p99 from the request to the provider's call, {rate} events/s, one in {ORDERS} sends",
            "p99 of one Kafka hop there and back",
            Aim(aim, most=True, unit=" ×"),
            by_value("p99 ms"),
            against_hop(rate),
            "p99 ms",
            " ms",
        )
        for rate, aim in ((200, 8), (1000, 8))
    ),
    Figure(
        "memory-services",
        "the largest service after its share of 100 events/s",
        "",
        Aim(600, most=True, unit=" MiB"),
        alone("MiB"),
        by_itself,
        "MiB",
        " MiB",
    ),
)
