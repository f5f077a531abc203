"""What a shop would run instead: the shapes that other systems were measured at, on two cores, client included.

``SHAPE=peers make bench``. Rates by the clock of the wall; what the others did is in the titles: PostHog's capture
(Rust), RudderStack's gateway (Go), Parcelvoy, Dittofeed and listmonk, each by its own means on a machine like this.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import msgspec

from tests.bench.caller import call, requests
from tests.bench.dispatch import office
from tests.bench.figure import Aim, Figure, Pair, Run
from tests.bench.ingest import KEY, door, posted
from tests.bench.road import ORDERS, Road, event, road
from tests.bench.stage import Meter, Stage

REQUESTS = {1: 12_000, 20: 3_000, 50: 1_500}
BOUGHT = 4_000  # orders, each of which leads to one message
MAILS = 30_000
PATIENCE = 600.0  # seconds


def small(n: int) -> dict[str, object]:
    """An event of 200 bytes."""
    made: dict[str, object] = {
        "type": "track",
        "event": "Button Pressed",
        "messageId": f"peers-{n:012d}",
        "userId": f"customer-{n % 5000}",
        "timestamp": "2026-04-01T03:00:00.000Z",
        "properties": {"button": ""},
    }
    made["properties"] = {"button": "x" * (200 - len(msgspec.json.encode(made)))}
    return made


def acked(each: int) -> Callable[[Stage], AbstractAsyncContextManager[Pair]]:
    @asynccontextmanager
    async def opened(on: Stage) -> AsyncIterator[Pair]:
        events = (small(n) for n in range(REQUESTS[each] * each))
        made = [[next(events) for _ in range(each)] for _ in range(REQUESTS[each])]
        bodies = [msgspec.json.encode(some[0] if each == 1 else {"batch": some}) for some in made]
        every = requests(bodies, KEY, "/v1/track" if each == 1 else "/v1/batch")
        async with door(on) as (port, pid):
            await posted(on, port, pid, every[:300], each)
            yield Pair(lambda: posted(on, port, pid, every, each), None)

    return opened


async def bought(there: Road) -> Run:
    """Orders as fast as they are taken, fifty a request, until the last one's message has reached the provider."""
    numbers = range(there.customers, there.customers + BOUGHT * ORDERS)
    there.customers = numbers.stop
    await there._introduce(numbers)
    there.came.clear()
    orders = [msgspec.Raw(event(n)) for n in numbers if n % ORDERS == 0]
    bodies = [msgspec.json.encode({"batch": _tracked(orders[at : at + 50])}) for at in range(0, len(orders), 50)]
    meter, until = Meter(there.on, *there._pids()), time.monotonic() + PATIENCE
    assert set(await call(there.installation.ports.ingest, requests(bodies, there.key, "/v1/batch"))) == {200}
    while await _more(there) or len(there.came) < 0.8 * BOUGHT:  # a tenth is held out
        assert time.monotonic() < until, f"{len(there.came)} of {BOUGHT} came"
    return Run(len(there.came), meter.seconds, meter.cpu)


def _tracked(orders: list[msgspec.Raw]) -> list[dict[str, object]]:
    return [{"type": "track", **msgspec.json.decode(one)} for one in orders]


async def _more(there: Road) -> bool:
    """Whether another message comes within a moment."""
    before = len(there.came)
    await asyncio.sleep(0.1)
    return len(there.came) > before


@asynccontextmanager
async def whole_road(on: Stage) -> AsyncIterator[Pair]:
    async with road(on) as there:
        yield Pair(lambda: bought(there), None)


@asynccontextmanager
async def campaign(on: Stage) -> AsyncIterator[Pair]:
    async with office(on, "smtp", people_=MAILS) as there:
        yield Pair(there.deliver, None)


def rate(run: Run, _: Run) -> float:
    """Events a second by the clock of the wall."""
    return run.per_second


FIGURES = (
    *(
        Figure(
            f"peers-ingest-{each}",
            f"ingest acked/s, {each} event{'s' * (each > 1)} of 200 bytes a request, 32 connections ({others})",
            "",
            Aim(aim, unit="/s"),
            rate,
            acked(each),
        )
        for each, aim, others in (
            (1, 2_100, "PostHog 1.6 k, RudderStack 2.1 k, Parcelvoy 0.7 k"),
            (20, 2_900, "Parcelvoy 2.9 k"),
            (50, 53_000, "PostHog 53 k, RudderStack 41 k"),
        )
    ),
    Figure(
        "peers-road",
        "event to journey to the provider's call, messages/s (Parcelvoy 79, Dittofeed 2)",
        "",
        Aim(79, unit="/s"),
        rate,
        whole_road,
    ),
    Figure(
        "peers-mails",
        f"{MAILS:,} mails, messages/s (listmonk 6.7 k, no ledger)",
        "",
        Aim(6_700, unit="/s"),
        rate,
        campaign,
    ),
)
