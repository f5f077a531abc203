"""Two owners of the journey group on this machine's cores, against one."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg

from tabiji_cli.processes import Ports
from tests.bench import journey
from tests.bench.figure import Aim, Figure, Pair, Run, by_rate
from tests.bench.ingest import process
from tests.bench.loops import append
from tests.bench.stage import PARTITIONS, Meter, Stage


async def fold(on: Stage, template: str, owners: int) -> Run:
    """The log of ``journey`` written to, and folded by, ``owners`` processes that share the partition numbers."""
    database = on.database(template)
    dsn = on.postgres.dsn(database)
    async with AsyncExitStack() as exits:
        exits.callback(on.drop, database)
        settings = await exits.enter_async_context(on.topics(*journey.TOPICS_USED))
        ports, pids = [], []
        for _ in range(owners):
            ports.append(Ports.free().journey)
            environment = {
                "TABIJI_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
                "TABIJI_POSTGRES_DSN": dsn,
                "TABIJI_TOPIC_PREFIX": settings.topic_prefix,
                "TABIJI_PARTITIONS": str(PARTITIONS),
                "TABIJI_WORKSPACE_SECRET": "a secret of this benchmark",
                "TABIJI_PORT": str(ports[-1]),
                "TABIJI_PUBLISH_SHIPPED": "false",
                "TABIJI_LOG_LEVEL": "ERROR",
            }
            pids.append(exits.enter_context(process(["-m", "tabiji_journey"], environment)).pid)
        await _shared(ports)
        meter = Meter(on, *pids)
        total = await append(settings, journey.mixed(journey.EVENTS))
        await _applied(dsn, total)
        return Run(total, meter.seconds, meter.cpu)


async def _shared(ports: list[int], seconds: float = 120) -> None:
    """Until every process owns its share, twice in a row."""
    calm = 0
    for _ in range(int(seconds / 0.3)):
        owned = [await asyncio.to_thread(_owned, port) for port in ports]
        calm = calm + 1 if sum(owned) == PARTITIONS and min(owned) > 0 else 0
        if calm == 2:
            return
        await asyncio.sleep(0.3)
    raise AssertionError("the numbers were not shared")


def _owned(port: int) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port + 1000}/idle", timeout=5) as answer:
            return len(json.load(answer).get("owned", ()))
    except OSError:
        return 0


async def _applied(dsn: str, total: int) -> None:
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "journey"})
    try:
        while await connection.fetchval("SELECT sum(next) FROM consumer_offset") < total:
            await asyncio.sleep(0.05)
    finally:
        await connection.close()


@asynccontextmanager
async def opened(on: Stage) -> AsyncIterator[Pair]:
    name = await journey.template(on)
    yield Pair(lambda: fold(on, name, 2), lambda: fold(on, name, 1))
    on.drop(name)


FIGURES = (
    Figure(
        "owners-2",
        "events folded by two owners; broker, database and client share the cores",
        "by one",
        Aim(1.6),
        by_rate,
        opened,
    ),
)
