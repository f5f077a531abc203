"""Ingest as a process on the real broker and database, and what its log holds."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from tabiji_cli.services import create_topics
from tabiji_cli.stack.ports import free_port
from tabiji_common.postgres import connect_pool
from tabiji_common.settings import Settings
from tabiji_common.topics import EVENT_TOPICS
from tabiji_ingest.adapters.postgres import register_key
from tests.stack import delete_topics
from tests.unit.ingest.support import BACKFILL, CAPTURED, LIVE

SECRET = "a secret of this test"


@dataclass(frozen=True)
class Kept:
    """One record of the log."""

    topic: str
    key: str
    id: str
    type: str
    mode: str
    value: dict[str, Any]


@dataclass
class House:
    """One installation: a database, a topic prefix, and the ingest process, which may die and come back."""

    settings: Settings
    home: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *, failpoints: str = "", **extra: str) -> None:
        """Start ingest and return once it is ready."""
        self.starts += 1
        environment = {
            **os.environ,
            "TABIJI_KAFKA_BOOTSTRAP": self.settings.kafka_bootstrap,
            "TABIJI_POSTGRES_DSN": self.settings.postgres_dsn,
            "TABIJI_TOPIC_PREFIX": self.settings.topic_prefix,
            "TABIJI_PARTITIONS": str(self.settings.partitions),
            "TABIJI_WORKSPACE_SECRET": SECRET,
            "TABIJI_PORT": str(self.port),
            "TABIJI_ADMIN_PORT": str(free_port()),
            "TABIJI_FAILPOINTS": failpoints,
            "TABIJI_FAILPOINT_LOG": str(self.hits),
            **extra,
        }
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tabiji_ingest"], env=environment, stdout=out, stderr=out
            )
        admin = f"http://127.0.0.1:{environment['TABIJI_ADMIN_PORT']}/readyz"
        assert eventually(lambda: self._ready(admin), 120), self.log.read_text()[-3000:]

    def _ready(self, url: str) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        try:
            return httpx.get(url, timeout=10).status_code == 200 and httpx.get(self.url, timeout=10).status_code == 404
        except httpx.TransportError:
            return False

    @property
    def log(self) -> Path:
        return self.home / "ingest.log"

    @property
    def hits(self) -> Path:
        return self.home / "failpoints.log"

    def end(self, number: int = signal.SIGTERM) -> int:
        """Signal the process and wait for its end."""
        assert self.process is not None
        if self.process.poll() is None:
            os.kill(self.process.pid, number)
        return self.process.wait(60)

    def post(self, path: str, body: Any, *, key: str = LIVE, timeout: float = 15) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", json=body, auth=(key, ""), timeout=timeout)

    def kept(self) -> list[Kept]:
        """Everything in the event topics, each customer's records in the order of the log."""
        return asyncio.run(self._kept())

    async def _kept(self) -> list[Kept]:
        places = [
            TopicPartition(self.settings.topic_prefix + topic.name, p)
            for topic in EVENT_TOPICS
            for p in range(self.settings.partitions)
        ]
        consumer = AIOKafkaConsumer(bootstrap_servers=self.settings.kafka_bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            found = []
            for place in places:
                await consumer.seek_to_beginning(place)
            while any([await consumer.position(place) < ends[place] for place in places]):
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    found += [self._read(record) for record in batch]
            return found
        finally:
            await consumer.stop()

    def _read(self, record: Any) -> Kept:
        headers = {name: value.decode() for name, value in record.headers}
        return Kept(
            record.topic.removeprefix(self.settings.topic_prefix),
            record.key.decode(),
            headers["ce_id"],
            headers["ce_type"],
            headers["mode"],
            json.loads(record.value),
        )


def eventually(holds: Callable[[], bool], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return holds()


@contextmanager
def house(kafka: Any, database: str, topic_prefix: str, home: Path, *, replication: int = 1) -> Iterator[House]:
    """An installation for one test, with one key of each scope; its process is gone afterwards."""
    settings = Settings(
        kafka_bootstrap=kafka.bootstrap,
        postgres_dsn=database,
        topic_prefix=topic_prefix,
        partitions=4,
        replication=replication,
    )
    asyncio.run(create_topics(settings))
    made = House(settings, home)
    made.start()
    asyncio.run(register_keys(database))
    try:
        yield made
    finally:
        made.end(signal.SIGKILL)


@contextmanager
def named_house(kafka: Any, postgres: Any, name: str, home: Path) -> Iterator[House]:
    """An installation for a whole module; its database and its topics are called ``name`` and are gone afterwards."""
    with house(kafka, postgres.create_database(name), f"{name}.", home) as made:
        yield made
    postgres.drop_database(name)
    delete_topics(kafka.bootstrap, f"{name}.")


async def register_keys(database: str) -> None:
    async with await connect_pool(database, "ingest", size=1) as pool:
        for key in CAPTURED:
            await register_key(pool, key, "demo", "live")
        await register_key(pool, BACKFILL, "demo", "backfill")
