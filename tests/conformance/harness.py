"""Running toy processes against the real broker and database."""

import asyncio
import itertools
import json
import os
import secrets
import signal
import socket
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tabiji_common.events import CustomEvent, OrderCompleted, PageViewed
from tabiji_common.kafka.admin import create
from tabiji_common.kafka.client import Cluster
from tabiji_common.kafka.producer import Producer
from tabiji_common.settings import Settings
from tabiji_common.topics import (
    CUSTOM,
    JOURNEY_COMMANDS,
    PAGE_VIEWS,
    PURCHASES,
    SENDS,
    TRANSITIONS,
    Record,
    dead_letter_name,
)
from tests.conformance import ledgers
from tests.conformance.zygote import Child, Zygote
from tests.stack import delete_topics

START = datetime(2026, 1, 1, tzinfo=UTC)
TOPICS = (PAGE_VIEWS, PURCHASES, CUSTOM)
LOG_TIME = {"message.timestamp.type": "LogAppendTime"}
PATIENCE = 120  # seconds: what does not come about at all fails, a busy machine does not


def event(n: int, customer: str, topic: Any = CUSTOM, **properties: Any) -> Record[Any]:
    """The n-th event of a test."""
    body: Any
    shared: dict[str, Any] = {"workspace": "w", "customer": customer, "properties": {"n": n, **properties}}
    if topic is PURCHASES:
        body = OrderCompleted(order_id=f"o{n}", amount_minor=100, currency="JPY", **shared)
    elif topic is PAGE_VIEWS:
        body = PageViewed(**shared)
    else:
        body = CustomEvent(**shared)
    at = START + timedelta(seconds=n)
    type_ = "tried" if topic is CUSTOM else None
    made: Record[Any] = topic.record(
        body, id=f"e{n}", source="test", occurred_at=at, accepted_at=at, type=type_, body_hash=f"h{n}"
    )
    return made


def load(count: int, *, start: int = 0, customers: int = 40) -> list[Record[Any]]:
    """``count`` events of ``customers`` people over all input topics; a tenth of them is answered by a send."""
    return [
        event(n, f"c{n % customers}", TOPICS[n % len(TOPICS)], send=n % 10 == 0) for n in range(start, start + count)
    ]


_ports = itertools.count(20000 + os.getpid() * 61 % 10000)


def own_port() -> int:
    """A free port that nobody else is told of: below those that the system gives to outgoing connections."""
    while True:
        port = next(_ports)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Stalled(AssertionError):
    """What was waited for did not happen in time."""


@dataclass
class Toy:
    """One toy process."""

    process: Child
    port: int
    log: Path
    hits: Path

    def idle(self) -> dict[str, Any] | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/idle", timeout=2) as answer:
                return dict(json.load(answer))
        except OSError:
            return None

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def owned(self) -> list[int]:
        return list((self.idle() or {}).get("owned", []))

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        if self.alive:
            self.signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """A clean stop."""
        if self.alive:
            self.signal(signal.SIGTERM)
        assert self.process.wait(timeout=PATIENCE) == 0, self.log.read_text()[-3000:]

    async def reached(self, point: str, seconds: float = PATIENCE) -> None:
        """Until a failpoint did to it what was asked."""
        await until(lambda: self.hits.exists() and point in self.hits.read_text(), f"{point} was not hit", seconds)


async def until(holds: Callable[[], bool], complaint: str | Callable[[], str], seconds: float = PATIENCE) -> None:
    """Wait until ``holds``; looks from a thread, so that it may block."""
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(holds):
        if time.monotonic() > deadline:
            raise Stalled(complaint if isinstance(complaint, str) else complaint())
        await asyncio.sleep(0.05)


@dataclass
class Yard:
    """An installation of toys: one database, one topic prefix."""

    settings: Settings
    home: Path
    zygote: Zygote
    toys: list[Toy] = field(default_factory=list)

    def start(self, *, failpoints: str = "", module: str = "tests.conformance.toy", **extra: str) -> Toy:
        port = own_port()
        number = len(self.toys)
        log, hits = self.home / f"toy{number}.log", self.home / f"toy{number}.hits"
        environment = {
            **os.environ,
            "TABIJI_KAFKA_BOOTSTRAP": self.settings.kafka_bootstrap,
            "TABIJI_POSTGRES_DSN": self.settings.postgres_dsn,
            "TABIJI_TOPIC_PREFIX": self.settings.topic_prefix,
            "TABIJI_PARTITIONS": str(self.settings.partitions),
            "TABIJI_ADMIN_PORT": str(port),
            "TABIJI_FAILPOINTS": failpoints,
            "TABIJI_FAILPOINT_LOG": str(hits),
            **extra,
        }
        log.touch()
        toy = Toy(self.zygote.start(module, environment, log), port, log, hits)
        self.toys.append(toy)
        return toy

    async def send(self, records: list[Record[Any]]) -> None:
        producer = Producer(Cluster.of(self.settings))
        try:
            await producer.append(records)
        finally:
            await producer.stop()

    async def rows(self, query: str, *arguments: Any) -> list[Any]:
        return await ledgers.rows(self.settings, query, *arguments)

    async def published(self, topic: str) -> list[tuple[str, dict[str, str], bytes]]:
        return await ledgers.published(self.settings, topic)

    async def check(self, sent: list[Record[Any]], *, answered: bool = True, anew: bool = False) -> None:
        await ledgers.check(self.settings, sent, answered=answered, anew=anew)

    async def compare(self, sent: list[Record[Any]], *, inbox: bool = True) -> ledgers.Found:
        return await ledgers.compare(self.settings, sent, inbox=inbox)

    def logs(self) -> str:
        return "\n".join(f"--- {toy.log.name}\n{toy.log.read_text()[-6000:]}" for toy in self.toys)

    def _looks(self) -> list[dict[str, Any]] | None:
        """What the living say of themselves, or nothing where one of them cannot answer."""
        looks = [toy.idle() for toy in self.toys if toy.alive]
        return [look for look in looks if look] if all(looks) else None

    async def settle(self, seconds: float = PATIENCE) -> None:
        """Until every number is owned by one living toy, everything is applied and published, twice in a row."""
        deadline = time.monotonic() + seconds
        last: Any = None
        while True:
            looks = await asyncio.to_thread(self._looks)
            owned = sorted(p for look in looks or [] for p in look["owned"])
            still = all(not (look["lag"] or look["unpublished"] or look["busy"]) for look in looks or [])
            now = [look["work"] for look in looks or []]
            if looks and owned == list(range(self.settings.partitions)) and still and now == last:
                return
            last = now
            if time.monotonic() > deadline:
                raise Stalled(f"not settled: {looks}\n{self.logs()}")
            await asyncio.sleep(0.05)


@contextmanager
def yard(
    kafka: Any, database: str, prefix: str, zygote: Zygote, *, partitions: int = 4, replication: int = 1
) -> Iterator[Yard]:
    """An installation for one test; every process it started is gone afterwards."""
    settings = Settings(
        kafka_bootstrap=kafka.bootstrap,
        postgres_dsn=database,
        topic_prefix=prefix,
        partitions=partitions,
        replication=replication,
    )
    inputs = (*TOPICS, JOURNEY_COMMANDS)
    names = [topic.name for topic in (*inputs, TRANSITIONS, SENDS)]
    names += ["toy.members.v1", *(dead_letter_name(topic.name, "toy") for topic in inputs)]
    asyncio.run(create(settings, dict.fromkeys(names, LOG_TIME)))
    with tempfile.TemporaryDirectory() as folder:
        made = Yard(settings, Path(folder), zygote)
        try:
            yield made
        finally:
            for toy in made.toys:
                toy.kill()


Story = Callable[[Yard], Awaitable[None]]


class Stories:
    """Stories told at the same time, each in a yard of its own: most of a takeover is waiting."""

    def __init__(self, kafka: Any, postgres: Any, zygote: Zygote) -> None:
        self.kafka, self.postgres, self.zygote = kafka, postgres, zygote
        self.ends: dict[str, Future[None]] = {}

    @contextmanager
    def told(self, stories: Mapping[str, Story], *, at_once: int = 3) -> Iterator["Stories"]:
        with ThreadPoolExecutor(at_once) as pool:
            self.ends = {name: pool.submit(self.tell, story) for name, story in stories.items()}
            yield self

    def end(self, name: str) -> None:
        """Wait for a story; raises what it ended with."""
        self.ends[name].result()

    def tell(self, story: Story) -> None:
        """Tell one story now; raises what it ended with."""
        name, prefix = f"test_{secrets.token_hex(6)}", f"t{secrets.token_hex(4)}."
        database = self.postgres.create_database(name)
        try:
            with yard(self.kafka, database, prefix, self.zygote) as toys:
                asyncio.run(_run(story, toys))
        finally:
            delete_topics(self.kafka.bootstrap, prefix)
            self.postgres.drop_database(name)


async def _run(story: Story, toys: Yard) -> None:
    await story(toys)
