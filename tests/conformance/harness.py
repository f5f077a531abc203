"""Running toy processes against the real broker and database, and reading their ledgers from outside."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from tabiji_cli.stack.ports import free_port
from tabiji_common.events import CustomEvent, OrderCompleted, PageViewed
from tabiji_common.kafka.admin import create_topics
from tabiji_common.kafka.client import Cluster
from tabiji_common.kafka.producer import Producer
from tabiji_common.settings import Settings
from tabiji_common.topics import CUSTOM, PAGE_VIEWS, PURCHASES, Record

START = datetime(2026, 1, 1, tzinfo=UTC)
TOPICS = (PAGE_VIEWS, PURCHASES, CUSTOM)


def event(n: int, customer: str, topic: Any = CUSTOM, **properties: Any) -> Record[Any]:
    """The n-th event of a test."""
    body: Any
    shared = {"workspace": "w", "customer": customer, "properties": {"n": n, **properties}}
    if topic is PURCHASES:
        body = OrderCompleted(order_id=f"o{n}", amount_minor=100, currency="JPY", **shared)
    elif topic is PAGE_VIEWS:
        body = PageViewed(**shared)
    else:
        body = CustomEvent(**shared)
    at = START + timedelta(seconds=n)
    type_ = "tried" if topic is CUSTOM else None
    return topic.record(body, id=f"e{n}", source="test", occurred_at=at, accepted_at=at, type=type_, body_hash=f"h{n}")


@dataclass
class Toy:
    """One toy process."""

    process: subprocess.Popen[bytes]
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

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        if self.alive:
            self.signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.alive:
            self.signal(signal.SIGTERM)
        self.process.wait(timeout=20)


@dataclass
class Yard:
    """An installation of toys: one database, one topic prefix."""

    settings: Settings
    home: Path
    toys: list[Toy] = field(default_factory=list)

    def start(self, *, failpoints: str = "", module: str = "tests.conformance.toy", **extra: str) -> Toy:
        port = free_port()
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
        with log.open("wb") as out:
            process = subprocess.Popen([sys.executable, "-m", module], env=environment, stderr=out, stdout=out)
        toy = Toy(process, port, log, hits)
        self.toys.append(toy)
        return toy

    async def send(self, records: list[Record[Any]]) -> None:
        producer = Producer(Cluster.of(self.settings))
        try:
            await producer.append(records)
        finally:
            await producer.stop()

    async def rows(self, query: str, *arguments: Any) -> list[Any]:
        connection = await asyncpg.connect(self.settings.postgres_dsn, server_settings={"search_path": "toy"})
        try:
            return list(await connection.fetch(query, *arguments))
        finally:
            await connection.close()

    async def settle(self, seconds: float = 40) -> None:
        """Until every number is owned by a living toy, everything is applied and published, twice in a row."""
        deadline = time.monotonic() + seconds
        last: Any = None
        while time.monotonic() < deadline:
            looks = [toy.idle() for toy in self.toys if toy.alive]
            quiet = [look for look in looks if look and "lag" in look]
            owned = sorted(p for look in quiet for p in look["owned"])
            still = all(not (look["lag"] or look["unpublished"] or look["busy"]) for look in quiet)
            now = [look["work"] for look in quiet]
            if len(quiet) == len(looks) and owned == list(range(self.settings.partitions)) and still and now == last:
                return
            last = now
            await asyncio.sleep(0.05)
        raise AssertionError(f"not settled: {looks}\n" + "\n".join(t.log.read_text()[-3000:] for t in self.toys))

    async def published(self, topic: str) -> list[tuple[str, str, Any]]:
        """(key, ce_id, value) of everything in ``topic``, in log order for each key."""
        name = self.settings.topic_prefix + topic
        consumer = AIOKafkaConsumer(bootstrap_servers=self.settings.kafka_bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            places = [TopicPartition(name, p) for p in range(self.settings.partitions)]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            await consumer.seek_to_beginning()
            found = []
            while any([await consumer.position(place) < ends[place] for place in places]):
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    for record in batch:
                        headers = dict(record.headers)
                        found.append((record.key.decode(), headers["ce_id"].decode(), json.loads(record.value)))
            return found
        finally:
            await consumer.stop()

    async def check(self, sent: list[Record[Any]], *, answered: bool = True) -> None:
        """Every event applied once, in order of append for each customer and topic; every answer published, in order."""
        rows = await self.rows("SELECT key, id, topic, position, appended_at FROM applied ORDER BY seq")
        ids = [row["id"] for row in rows]
        assert len(ids) == len(set(ids)), f"{len(ids) - len(set(ids))} applied twice"
        assert set(ids) == {record.id for record in sent}, f"{len(sent) - len(ids)} lost"
        last: dict[Any, Any] = defaultdict(int)
        for row in rows:
            at = (row["key"], row["topic"])
            assert row["position"] >= last[at], f"inversion at {at}"
            last[at] = row["position"]
        tally = await self.rows("SELECT sum(n) AS n FROM tally")
        assert tally[0]["n"] == len(sent)
        if answered:
            await self.check_answers(sent)

    async def check_answers(self, sent: list[Record[Any]]) -> None:
        """Repeats are allowed on the wire (receivers drop them by id); losses and first-seen inversions are not."""
        transitions = await self.published("journey.transition.v1")
        seen: dict[str, list[int]] = defaultdict(list)
        ids = set()
        for key, id_, value in transitions:
            if id_ not in ids:
                ids.add(id_)
                seen[key].append(value["seq"] if "seq" in value else 0)
        sends = {id_ for _, id_, _ in await self.published("dispatch.send.v1")}
        assert len(ids | sends) == len(sent), f"{len(sent) - len(ids | sends)} answers lost"


@contextmanager
def yard(kafka: Any, database: str, topic_prefix: str, *, partitions: int = 4) -> Iterator[Yard]:
    """An installation for one test; every process it started is gone afterwards."""
    settings = Settings(
        kafka_bootstrap=kafka.bootstrap, postgres_dsn=database, topic_prefix=topic_prefix, partitions=partitions
    )
    extra = {"toy.members.v1": {"message.timestamp.type": "LogAppendTime"}}
    extra |= {f"{topic.name}.toy.dlq": {} for topic in TOPICS}
    asyncio.run(create_topics(settings, extra=extra))
    with tempfile.TemporaryDirectory() as folder:
        made = Yard(settings, Path(folder))
        try:
            yield made
        finally:
            for toy in made.toys:
                toy.kill()
