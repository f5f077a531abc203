"""Ingest: events acked a CPU-second, against the same framework and parser with Kafka left out."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

import msgspec

from tabiji_cli.stack.ports import free_port
from tabiji_common.postgres import connect_pool, migrate
from tabiji_common.topics import EVENT_TOPICS
from tabiji_ingest.__main__ import MIGRATIONS
from tabiji_ingest.adapters.postgres import register_key
from tests.bench.caller import call, requests
from tests.bench.figure import Aim, Figure, Pair, Run, by_core
from tests.bench.stage import PARTITIONS, Meter, Stage

KEY = "BENCHKEY"
CUSTOMERS = 5000
CALLS = {1: 4000, 10: 1200, 100: 240}
QUIET = "import prometheus_client.metrics as m, structlog\n" + "".join(
    f"m.{kind}.{verb} = lambda *_, **__: None\n"
    for kind, verb in (("Counter", "inc"), ("Gauge", "set"), ("Histogram", "observe"))
)
"""Metrics that do nothing, for the figure that says what they cost."""


def event(n: int) -> dict[str, object]:
    """A purchase as Segment's clients send it."""
    return {
        "type": "track",
        "event": "Order Completed",
        "messageId": f"bench-{n:012d}",
        "userId": f"customer-{n % CUSTOMERS}",
        "timestamp": "2026-04-01T03:00:00.000Z",
        "context": {"library": {"name": "analytics-python", "version": "2.3.3"}},
        "properties": {"order_id": f"order-{n}", "total": 1980, "currency": "JPY", "products": [{"product_id": "p1"}]},
    }


def bodies(calls: int, each: int) -> list[bytes]:
    """The bodies of so many requests."""
    if each == 1:
        return [msgspec.json.encode(event(n)) for n in range(calls)]
    return [msgspec.json.encode({"batch": [event(n * each + m) for m in range(each)]}) for n in range(calls)]


@contextmanager
def process(argv: Sequence[str], environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process while the block runs."""
    child = subprocess.Popen([sys.executable, *argv], env={**os.environ, **(environment or {})})
    try:
        yield child
    finally:
        child.terminate()
        child.wait(20)


async def answers(port: int, child: subprocess.Popen[bytes], seconds: float = 120) -> None:
    """Return once somebody listens on ``port``."""
    for _ in range(int(seconds / 0.1)):
        assert child.poll() is None, "the process ended"
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise AssertionError(f"nobody listens on {port}")


@asynccontextmanager
async def door(on: Stage, *, quiet: bool = False) -> AsyncIterator[tuple[int, int]]:
    """Ingest as a process on the real broker: (port, process id)."""
    database = on.database()
    dsn, port = on.postgres.dsn(database), free_port()
    await asyncio.to_thread(migrate, dsn, "ingest", MIGRATIONS)
    async with await connect_pool(dsn, "ingest", size=1) as pool:
        await register_key(pool, KEY, "w", "live")
    async with on.topics(*(topic.name for topic in EVENT_TOPICS)) as settings:
        environment = {
            "TABIJI_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
            "TABIJI_POSTGRES_DSN": dsn,
            "TABIJI_TOPIC_PREFIX": settings.topic_prefix,
            "TABIJI_PARTITIONS": str(PARTITIONS),
            "TABIJI_WORKSPACE_SECRET": "a secret of this benchmark",
            "TABIJI_PORT": str(port),
            "TABIJI_ADMIN_PORT": str(free_port()),
            "TABIJI_WRITE_KEY_RATE": "0",
            "TABIJI_LOG_LEVEL": "ERROR" if quiet else "INFO",
        }
        run = "from tabiji_ingest.__main__ import main\nmain()"
        with process(["-c", (QUIET if quiet else "") + run], environment) as child:
            await answers(port, child)
            await asyncio.sleep(0.5)
            yield port, child.pid
    on.drop(database)


async def posted(on: Stage, port: int, pid: int, every: Sequence[bytes], each: int) -> Run:
    """All requests answered 200."""
    meter = Meter(on, pid)
    statuses = await call(port, every)
    run = Run(len(every) * each, meter.seconds, meter.cpu)
    assert statuses == {200: len(every)}, statuses
    return run


def against_bare(each: int) -> Callable[[Stage], AbstractAsyncContextManager[Pair]]:
    @asynccontextmanager
    async def opened(on: Stage) -> AsyncIterator[Pair]:
        every = requests(bodies(CALLS[each], each), KEY, "/v1/track" if each == 1 else "/v1/batch")
        bare = free_port()
        with process(["-m", "tests.bench.bare_door", str(bare)]) as child:
            await answers(bare, child)
            async with door(on) as (port, pid):
                await posted(on, port, pid, every[:200], each)
                await posted(on, bare, child.pid, every[:200], each)
                yield Pair(
                    lambda: posted(on, port, pid, every, each),
                    lambda: _service_only(posted(on, bare, child.pid, every, each)),
                )

    return opened


async def _service_only(running: Awaitable[Run]) -> Run:
    """Nobody but the service works for the ceiling."""
    run = await running
    return Run(run.count, run.seconds, {"service": run.cpu["service"]})


@asynccontextmanager
async def against_quiet(on: Stage) -> AsyncIterator[Pair]:
    every = requests(bodies(CALLS[10], 10), KEY, "/v1/batch")
    async with door(on) as (port, pid), door(on, quiet=True) as (other, silent):
        await posted(on, port, pid, every[:200], 10)
        await posted(on, other, silent, every[:200], 10)
        yield Pair(lambda: posted(on, port, pid, every, 10), lambda: posted(on, other, silent, every, 10))


FIGURES = (
    *(
        Figure(
            f"ingest-{each}",
            f"ingest to ack, {each} event{'s' * (each > 1)} a request",
            "the same framework and parser, nothing behind them",
            Aim(aim),
            by_core,
            against_bare(each),
            "per_core",
            "/CPU-s",
        )
        for each, aim in ((1, 0.20), (10, 0.15), (100, 0.15))
    ),
    Figure(
        "ingest-watched",
        "ingest to ack, 10 events a request, with metrics and logs",
        "the same with metrics that do nothing and no log",
        Aim(0.85),
        by_core,
        against_quiet,
        "per_core",
        "/CPU-s",
    ),
)
