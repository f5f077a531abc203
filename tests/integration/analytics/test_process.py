"""The process on the real broker and database: from the log to HTTP, and killed between facts, cells and commit."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from tabiji_cli.services import create_topics
from tabiji_cli.stack.ports import free_port
from tabiji_common import events
from tabiji_common.kafka.client import Cluster
from tabiji_common.kafka.producer import Producer
from tabiji_common.settings import Settings
from tabiji_common.topics import CUSTOMERS, PURCHASES, Record, Topic
from tests.integration.analytics.yard import at
from tests.operator import BEARER, let_in

CUSTOMERS_EACH = 60


def made(topic: Topic[Any], body: Any, id_: str, when: str) -> Record[Any]:
    return topic.record(body, id=id_, source="shop", occurred_at=at(when), accepted_at=at(when))


def bought(customer: str, n: int) -> Record[Any]:
    body = events.OrderCompleted(
        workspace="demo", customer=customer, order_id=f"{customer}-{n}", amount_minor=100 + n, currency="JPY"
    )
    return made(PURCHASES, body, f"{customer}-{n}", f"2024-0{1 + n}-10")


class Analytics:
    """One process at a time, on ports of its own."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.port = free_port()
        self.hits = folder / "hits"
        self._log = folder / "log"
        self._env = {
            **os.environ,
            "TABIJI_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
            "TABIJI_POSTGRES_DSN": settings.postgres_dsn,
            "TABIJI_TOPIC_PREFIX": settings.topic_prefix,
            "TABIJI_PARTITIONS": str(settings.partitions),
            "TABIJI_PORT": str(self.port),
            "TABIJI_ADMIN_PORT": str(free_port()),
            "TABIJI_POLL_RECORDS": "50",
            "TABIJI_FAILPOINT_LOG": str(self.hits),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, failpoints: str = "") -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tabiji_analytics"],
                env={**self._env, "TABIJI_FAILPOINTS": failpoints},
                stderr=log,
            )
        return self.process

    def said(self) -> str:
        return self._log.read_text("utf-8")

    async def get(self, path: str) -> Any:
        async with httpx.AsyncClient(headers=BEARER, timeout=60) as client:
            answer = await client.get(f"http://127.0.0.1:{self.port}{path}", timeout=30)
            answer.raise_for_status()
            return answer.json()

    async def post(self, path: str) -> None:
        async with httpx.AsyncClient(headers=BEARER, timeout=60) as client:
            (await client.post(f"http://127.0.0.1:{self.port}{path}")).raise_for_status()

    async def until(self, path: str, holds: Callable[[Any], bool]) -> Any:
        for _ in range(1200):
            try:
                if holds(found := await self.get(path)):
                    return found
            except httpx.HTTPError:
                pass
            assert self.process is not None
            assert self.process.poll() is None, self.said()
            await asyncio.sleep(0.1)
        raise AssertionError(f"{path} did not come to hold; {self.said()[-2000:]}")


@asynccontextmanager
async def running(kafka: Any, database: str, prefix: str, folder: Path) -> AsyncIterator[tuple[Analytics, Producer]]:
    settings = Settings(kafka_bootstrap=kafka.bootstrap, postgres_dsn=database, topic_prefix=prefix, partitions=4)
    await create_topics(settings)
    await let_in(database)
    producer = Producer(Cluster.of(settings))
    await producer.start()
    analytics = Analytics(settings, folder)
    try:
        yield analytics, producer
    finally:
        if analytics.process is not None:
            analytics.process.kill()
            analytics.process.wait()
        await producer.stop()


async def all_there(analytics: Analytics) -> None:
    rows = (
        await analytics.until("/v1/views/new_vs_existing?tz=UTC", lambda found: _orders(found) == 3 * CUSTOMERS_EACH)
    )["rows"]
    assert [(row["month"], row["customers"], row["sales_minor"]) for row in rows] == [
        (f"2024-0{1 + n}", CUSTOMERS_EACH, CUSTOMERS_EACH * (100 + n)) for n in range(3)
    ]
    assert (await analytics.get("/v1/drift"))["drift"] == 0


def _orders(found: dict[str, Any]) -> int:
    return sum(row["orders"] for row in found["rows"])


async def test_from_the_log_to_the_views_and_a_clean_stop(
    kafka: Any, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with running(kafka, database, topic_prefix, tmp_path) as (analytics, producer):
        process = analytics.start()
        await producer.append([bought(f"c{n}", m) for n in range(CUSTOMERS_EACH - 1) for m in range(3)])
        await producer.append([bought("anon", m) for m in range(2)])
        merged = events.Merged(workspace="demo", customer="anon", source="anon", target="ann")
        await producer.append([made(CUSTOMERS, merged, "m", "2024-04-01"), bought("anon", 2)])

        await all_there(analytics)
        cohort = await analytics.until(
            "/v1/views/retention_monthly?tz=UTC", lambda found: found["rows"][0]["cohort_size"] == CUSTOMERS_EACH
        )
        assert len(cohort["rows"]) == 3
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 30) == 0


async def test_a_parked_customer_goes_on_when_asked(
    kafka: Any, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with running(kafka, database, topic_prefix, tmp_path) as (analytics, producer):
        analytics.start()
        await analytics.until("/v1/parked", lambda found: found == {"parked": []})
        connection = await asyncpg.connect(database, server_settings={"search_path": "analytics"})
        await connection.execute("ALTER TABLE order_fact ADD CONSTRAINT sour CHECK (customer <> 'c1')")
        await producer.append([bought(f"c{n}", m) for n in range(CUSTOMERS_EACH) for m in range(3)])

        (row,) = (await analytics.until("/v1/parked", lambda found: found["parked"]))["parked"]
        assert (row["workspace"], row["customer"], row["error"]) == ("demo", "c1", "CheckViolationError")
        await analytics.until(
            "/v1/views/new_vs_existing?tz=UTC", lambda found: _orders(found) == 3 * (CUSTOMERS_EACH - 1)
        )
        await connection.execute("ALTER TABLE order_fact DROP CONSTRAINT sour")
        await connection.close()
        await analytics.post("/v1/customers/demo/c1/unpark")
        await all_there(analytics)


async def test_killed_before_the_commit_nothing_is_lost_and_nothing_counts_twice(
    kafka: Any, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with running(kafka, database, topic_prefix, tmp_path) as (analytics, producer):
        await producer.append([bought(f"c{n}", m) for n in range(CUSTOMERS_EACH) for m in range(3)])
        for point in ("analytics.facts.written=kill@2", "analytics.cells.written=kill@1"):
            process = analytics.start(point)
            assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL, analytics.said()
        assert len(analytics.hits.read_text("utf-8").splitlines()) == 2

        analytics.start()
        await all_there(analytics)
