"""Dispatch: messages a CPU-second, against rendering and the same client calls without a ledger."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from tabiji_cli.services import groups
from tabiji_cli.stack.ports import free_port
from tabiji_common import events
from tabiji_common.clock import LiveClock
from tabiji_common.commands import SendMessage
from tabiji_common.settings import Settings
from tabiji_common.topics import CUSTOMERS, OUTCOMES, SENDS, Record, anchor_name
from tabiji_dispatch.adapters.providers import provider_of
from tabiji_dispatch.adapters.templates import TemplateFolder
from tabiji_dispatch.domain.message import MARKETING, Delivery
from tabiji_dispatch.domain.outcomes import Result
from tabiji_dispatch.domain.render import Shop, render
from tabiji_dispatch.settings import ProviderSettings
from tests.bench.figure import Aim, Figure, Pair, Run, by_core
from tests.bench.ingest import answers, process
from tests.bench.loops import append
from tests.bench.stage import PARTITIONS, Meter, Stage

MESSAGES = 1200
SLOTS = 32
SECRET = "a secret of this benchmark"
TOPICS_USED = (*(topic.name for topic in groups()["dispatch"]), OUTCOMES.name, anchor_name("dispatch"))
PARAGRAPH = (
    "<p>{{ customer.name }} 様、このたびはお買い上げいただき、"
    "誠にありがとうございます。使い方のご案内をお送りします。</p>\n"
)
HTML = (
    "<html><body><h1>{{ shop.name }}</h1>\n"
    + PARAGRAPH * 18
    + '<a href="{{ "https://shop.example.com/guide" | track }}">使い方</a>\n'
    + '<a href="{{ unsubscribe_url }}">配信停止</a>\n'
    "</body></html>"
)


def templates(folder: Path) -> Path:
    """A letter of 3 KB of Japanese HTML, and a short one for LINE."""
    letter = folder / "bench" / "letter"
    letter.mkdir(parents=True, exist_ok=True)
    (letter / "subject.liquid").write_text("{{ customer.name }} 様へ、使い方のご案内", "utf-8")
    (letter / "body.html").write_text(HTML, "utf-8")
    (letter / "body.txt").write_text(
        "{{ customer.name }} 様、使い方のご案内です。\n配信停止: {{ unsubscribe_url }}", "utf-8"
    )
    return folder


def address(channel: str, n: int) -> str:
    return f"c{n}@example.com" if channel == "email" else f"U{n:032x}"


def people(channel: str, count: int, now: datetime) -> Iterator[Record[Any]]:
    """Customers with an address who agreed."""
    pii = "email" if channel == "email" else "line_id"
    for n in range(count):
        known = events.Identified(workspace="w", customer=f"c{n}", pii={pii: address(channel, n), "name": "山田 花子"})
        given = events.ConsentGiven(workspace="w", customer=f"c{n}", channel=channel)
        for body in (known, given):
            id_ = f"{type(body).__name__} {n}"
            yield CUSTOMERS.record(body, id=id_, source="bench", occurred_at=now, accepted_at=now)


@dataclass
class Office:
    """Dispatch as a process, and the providers that it sends to."""

    on: Stage
    settings: Settings
    dsn: str
    provider: ProviderSettings
    pid: int
    folder: Path
    messages: int = MESSAGES
    rounds: Iterator[int] = field(default_factory=itertools.count)

    @property
    def channel(self) -> str:
        return self.provider.channels[0]

    async def count(self, query: str) -> int:
        connection = await asyncpg.connect(self.dsn, server_settings={"search_path": "dispatch"})
        try:
            return int(await connection.fetchval(query))
        finally:
            await connection.close()

    async def until(self, query: str, wanted: int) -> None:
        while await self.count(query) < wanted:
            await asyncio.sleep(0.25)  # the question itself costs the database

    async def deliver(self) -> Run:
        """As many messages as there are customers, until the ledger says that all were sent."""
        number, now = next(self.rounds), LiveClock().now()
        meter = Meter(self.on, self.pid)
        await append(self.settings, [self.message(number, n, now) for n in range(self.messages)])
        await self.until("SELECT count(*) FROM delivery WHERE state = 'sent'", self.messages * (number + 1))
        return Run(self.messages, meter.seconds, meter.cpu)

    def message(self, number: int, n: int, now: datetime) -> Record[Any]:
        body = SendMessage(
            workspace="w",
            customer=f"c{n}",
            message_key=f"00000000-0000-5000-8000-{number:04d}{n:08d}",
            journey="bench",
            version=1,
            enrollment=f"e{n}",
            state="guide",
            channel=self.channel,
            template="bench/letter",
            decided_at=now,
            not_after=now + timedelta(days=1),
        )
        return SENDS.record(body, id=body.message_key, source="bench", occurred_at=now, accepted_at=now)

    async def bare(self) -> Run:
        """The same letters rendered and handed over by the same client, as many at a time, with nothing written."""
        provider, folder, clock = provider_of(self.provider, LiveClock()), TemplateFolder(self.folder), LiveClock()
        shop, waiting = (
            Shop("旅路の店", "https://shop.example.com", "http://127.0.0.1:8010", SECRET),
            iter(range(MESSAGES)),
        )

        async def work() -> None:
            for n in waiting:
                letter = render(
                    folder.find("bench/letter"),
                    self.delivery(n, clock.now()),
                    shop,
                    address=address(self.channel, n),
                    name="山田 花子",
                    now=clock.now(),
                )
                verdict = await provider.send(letter, 25)
                assert verdict.result is Result.ACCEPTED, verdict

        meter = Meter(self.on, own=True)
        await asyncio.gather(*(work() for _ in range(SLOTS)))
        run = Run(MESSAGES, meter.seconds, {"service": meter.cpu["service"]})
        await provider.close()
        return run

    def delivery(self, n: int, now: datetime) -> Delivery:
        return Delivery(
            f"00000000-0000-5000-8000-{n:012d}",
            0,
            "w",
            f"c{n}",
            "bench",
            1,
            f"e{n}",
            "guide",
            self.channel,
            "bench/letter",
            MARKETING,
            self.provider.name,
            now,
            now,
        )


@asynccontextmanager
async def office(on: Stage, kind: str, people_: int = MESSAGES) -> AsyncIterator[Office]:
    """Dispatch up, its customers known, its providers in a process of their own."""
    smtp, http, port = free_port(), free_port(), free_port()
    channel = "email" if kind == "smtp" else "line"
    provider = ProviderSettings(
        name=kind,
        kind="smtp" if kind == "smtp" else "line",
        channels=[channel],
        port=smtp,
        slots=SLOTS,
        url="" if kind == "smtp" else f"http://127.0.0.1:{http}",
        token="" if kind == "smtp" else "token",
    )
    database, folder = on.database(), templates(on.home / "templates")
    async with AsyncExitStack() as exits:
        exits.callback(on.drop, database)
        settings = await exits.enter_async_context(on.topics(*TOPICS_USED))
        stub = exits.enter_context(process(["-m", "tests.bench.stubs", str(smtp), str(http)]))
        await answers(smtp, stub)
        environment = {
            "TABIJI_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
            "TABIJI_POSTGRES_DSN": on.postgres.dsn(database),
            "TABIJI_TOPIC_PREFIX": settings.topic_prefix,
            "TABIJI_PARTITIONS": str(PARTITIONS),
            "TABIJI_WORKSPACE_SECRET": SECRET,
            "TABIJI_PORT": str(port),
            "TABIJI_ADMIN_PORT": str(free_port()),
            "TABIJI_TEMPLATES": str(folder),
            "TABIJI_PROVIDERS": json.dumps([provider.model_dump()]),
            "TABIJI_QUIET_START": "00:00",
            "TABIJI_QUIET_END": "00:00",
            "TABIJI_LOG_LEVEL": "ERROR",
        }
        child = exits.enter_context(process(["-m", "tabiji_dispatch"], environment))
        await answers(port, child)
        there = Office(on, settings, on.postgres.dsn(database), provider, child.pid, folder, people_)
        await append(settings, people(channel, people_, LiveClock().now()))
        await there.until("SELECT count(*) FROM contact", people_)
        await there.deliver()
        yield there


def against_bare(kind: str) -> Callable[[Stage], AbstractAsyncContextManager[Pair]]:
    @asynccontextmanager
    async def opened(on: Stage) -> AsyncIterator[Pair]:
        async with office(on, kind) as there:
            yield Pair(there.deliver, there.bare)

    return opened


FIGURES = tuple(
    Figure(
        f"dispatch-{kind}",
        f"messages sent, {what}",
        "rendering and the same client calls without a ledger",
        Aim(0.4),
        by_core,
        against_bare(kind),
        "per_core",
        "/CPU-s",
    )
    for kind, what in (("smtp", "3 KB of Japanese HTML over SMTP"), ("line", "text over LINE's API"))
)
