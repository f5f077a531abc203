"""Dispatch as a process on the real broker and database; its providers live outside, in the test."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from tabiji_cli.services import create_topics
from tabiji_cli.stack.ports import free_port
from tabiji_common.kafka.client import Cluster
from tabiji_common.kafka.producer import Producer
from tabiji_common.settings import Settings
from tabiji_common.topics import OUTCOMES, Record
from tests.integration.dispatch.bench import SECRET, TEMPLATES
from tests.operator import let_in


@dataclass
class House:
    """One installation and the dispatch processes that ran in it."""

    settings: Settings
    home: Path
    providers: list[dict[str, Any]]
    lease: float = 2.0
    port: int = field(default_factory=free_port)
    admin: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def hits(self) -> Path:
        return self.home / "failpoints.log"

    @property
    def log(self) -> Path:
        return self.home / "dispatch.log"

    def start(self, failpoints: str = "", module: str = "tabiji_dispatch", **extra: str) -> None:
        """Start a process; it may be told where to die."""
        environment = {
            **os.environ,
            "TABIJI_KAFKA_BOOTSTRAP": self.settings.kafka_bootstrap,
            "TABIJI_POSTGRES_DSN": self.settings.postgres_dsn,
            "TABIJI_TOPIC_PREFIX": self.settings.topic_prefix,
            "TABIJI_PARTITIONS": str(self.settings.partitions),
            "TABIJI_WORKSPACE_SECRET": SECRET,
            "TABIJI_PORT": str(self.port),
            "TABIJI_ADMIN_PORT": str(self.admin),
            "TABIJI_TEMPLATES": str(TEMPLATES),
            "TABIJI_PROVIDERS": json.dumps(self.providers),
            "TABIJI_LEASE": str(self.lease),
            "TABIJI_QUIET_START": "00:00",
            "TABIJI_QUIET_END": "00:00",
            "TABIJI_FAILPOINTS": failpoints,
            "TABIJI_FAILPOINT_LOG": str(self.hits),
            **extra,
        }
        with self.log.open("ab") as out:
            self.process = subprocess.Popen([sys.executable, "-m", module], env=environment, stdout=out, stderr=out)

    async def died(self, seconds: float = 120) -> bool:
        """Whether the process ended by itself within ``seconds``."""
        assert self.process is not None
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            await asyncio.sleep(0.05)
        return self.process.poll() is not None

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            os.kill(self.process.pid, number)
        return self.process.wait(60)

    async def send(self, records: list[Record[Any]]) -> None:
        producer = Producer(Cluster.of(self.settings))
        try:
            await producer.append(records)
        finally:
            await producer.stop()

    async def idle(self) -> dict[str, Any] | None:
        try:
            async with httpx.AsyncClient(timeout=10) as client:
                return dict((await client.get(f"http://127.0.0.1:{self.admin}/idle")).json())
        except (httpx.HTTPError, ValueError):
            return None

    async def settle(self, seconds: float = 120) -> None:
        """Until everything is owned, applied, sent, settled and published, twice in a row."""
        end, last, look = time.monotonic() + seconds, None, None
        while time.monotonic() < end:
            look = await self.idle()
            if look and "lag" in look and look["owned"] == list(range(self.settings.partitions)):
                busy = any(look[name] for name in ("lag", "unpublished", "busy", "machine", "due"))
                if not busy and look["work"] == last:
                    return
                last = look["work"]
            await asyncio.sleep(0.1)
        raise AssertionError(f"not settled: {look}\n{self.log.read_text()[-3000:]}")

    async def rows(self, query: str, *arguments: Any) -> list[Any]:
        connection = await asyncpg.connect(self.settings.postgres_dsn, server_settings={"search_path": "dispatch"})
        try:
            return list(await connection.fetch(query, *arguments))
        finally:
            await connection.close()

    async def outcomes(self) -> list[dict[str, Any]]:
        """What was announced, repeats by ce_id dropped, as receivers do."""
        name = self.settings.topic_prefix + OUTCOMES.name
        places = [TopicPartition(name, p) for p in range(self.settings.partitions)]
        consumer = AIOKafkaConsumer(bootstrap_servers=self.settings.kafka_bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        found: dict[str, dict[str, Any]] = {}
        try:
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            await consumer.seek_to_beginning()
            while any([await consumer.position(place) < ends[place] for place in places]):
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    for record in batch:
                        found.setdefault(dict(record.headers)["ce_id"].decode(), json.loads(record.value))
            return list(found.values())
        finally:
            await consumer.stop()


@asynccontextmanager
async def house(
    kafka: Any, database: str, topic_prefix: str, home: Path, providers: list[dict[str, Any]], partitions: int = 4
) -> AsyncIterator[House]:
    """An installation for one test; its process is gone afterwards."""
    settings = Settings(
        kafka_bootstrap=kafka.bootstrap, postgres_dsn=database, topic_prefix=topic_prefix, partitions=partitions
    )
    await create_topics(settings)
    await let_in(database)
    made = House(settings, home, providers)
    try:
        yield made
    finally:
        if made.process is not None:
            made.end(signal.SIGKILL)
