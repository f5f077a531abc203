"""Rows about a broker that takes nothing: it refuses, is silent, or cannot be reached; ingest is the client."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tabiji_common.topics import PAGE_VIEWS
from tests.conformance.harness import Stalled
from tests.faults.ground import Ground
from tests.faults.suite import Figures, row
from tests.integration.ingest.harness import House
from tests.unit.ingest.support import LIVE

CUSTOMERS = 12  # over all four partition numbers
LARGE = "x" * 9000
GRACE = 0.3
"""Seconds after a fault is set, and before it is taken away, that belong to neither side."""


@dataclass
class Shops:
    """Clients that post page views, each batch until it is told 200; ``told`` is what they were promised, and when."""

    door: House
    http: httpx.AsyncClient
    told: list[tuple[str, float, float]] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    ending: bool = False

    async def shop(self, who: int) -> None:
        """Ids grow with each promise; what was not promised is posted again."""
        number = 0
        while not self.ending:
            if await self.post([view(f"c{who}", f"c{who}-{number}-{k}") for k in range(3)]) == 200:
                number += 1
            await asyncio.sleep(0.02)

    async def post(self, events: list[dict[str, Any]]) -> int:
        """One request; 0 where no answer was heard."""
        asked = time.monotonic()
        try:
            answer = await self.http.post(f"{self.door.url}/v1/batch", json={"batch": events}, auth=(LIVE, ""))
        except httpx.TransportError:
            return 0
        self.statuses[answer.status_code] += 1
        if answer.status_code == 200:
            self.told += [(event["messageId"], asked, time.monotonic()) for event in events]
        return answer.status_code

    async def again(self, seconds: float = 30) -> float:
        """Seconds until each customer, hence each partition number, has been promised something once more."""
        begun = time.monotonic()
        async with asyncio.timeout(seconds):
            while True:
                late = {id_.partition("-")[0] for id_, asked, _ in self.told if asked >= begun}
                if len(late) == CUSTOMERS:
                    return time.monotonic() - begun
                await asyncio.sleep(0.02)

    def within(self, start: float, end: float) -> int:
        """Promises that were asked for and given between two instants."""
        return sum(start <= asked and answered <= end for _, asked, answered in self.told)


def view(customer: str, id_: str, **properties: Any) -> dict[str, Any]:
    return {"type": "page", "userId": customer, "messageId": id_, "name": "Home", "properties": properties}


@asynccontextmanager
async def shopping(door: House) -> AsyncIterator[Shops]:
    """Clients all the while."""
    async with httpx.AsyncClient(timeout=15) as http:
        made = Shops(door, http)
        running = [asyncio.create_task(made.shop(who)) for who in range(CUSTOMERS)]
        try:
            await made.again()
            yield made
        finally:
            made.ending = True
            await asyncio.gather(*running)


async def configure(place: Ground, topic: str, **config: str) -> None:
    """Set a topic's configuration; what is not named goes back to the broker's own."""
    admin = AIOKafkaAdminClient(bootstrap_servers=place.kafka.bootstrap)
    await admin.start()
    try:
        wanted = {name.replace("_", "."): value for name, value in config.items()}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=wanted)])
    finally:
        await admin.close()
    await asyncio.sleep(GRACE)


Refusing = Callable[[Ground, str, Shops], Awaitable[int]]
"""Breaks the topic for a while; the promises given meanwhile."""


async def too_few_replicas(place: Ground, topic: str, shops: Shops) -> int:
    """One of three dies where all three have to be in sync: those that are left refuse every append."""
    await configure(place, topic, min_insync_replicas="3")
    trio = place.kafka
    dying = trio.brokers[await trio.leader(topic)]
    await asyncio.to_thread(dying.kill)
    start = time.monotonic() + GRACE
    await asyncio.sleep(4)
    end = time.monotonic()
    assert not await trio.whole(topic), "all replicas are in sync"
    await asyncio.to_thread(dying.start)
    await configure(place, topic)
    return shops.within(start, end)


async def silence(place: Ground, topic: str, shops: Shops) -> int:
    """The brokers are stopped, and say nothing until it is too late."""
    pids = [broker.pid for broker in place.kafka.brokers.values()]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        start = time.monotonic() + GRACE  # an ack may be on its way
        await asyncio.sleep(4)
        end = time.monotonic()
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    return shops.within(start, end)


async def too_large(place: Ground, topic: str, shops: Shops) -> int:
    """Large views are refused by the broker for their size, while small ones of the same customers go on."""
    await configure(place, topic, max_message_bytes="4000")
    promised = 0
    for n in range(20):
        promised += await shops.post([view(f"c{n % CUSTOMERS}", f"large-{n}", text=LARGE)]) == 200
    await shops.again(10)
    await configure(place, topic)
    return promised


FAULTS: tuple[Refusing, ...] = (too_few_replicas, silence, too_large)


@row(3, runs=10, note="three brokers; unknown producer cannot be met, for the producer is not idempotent")
async def produce_errors(place: Ground, seed: int) -> Figures:
    """Each error in turn on one topic under load; then every partition number has to take events again."""
    trio = await place.of_three()
    async with trio.ingest() as door:
        topic = door.settings.topic_prefix + PAGE_VIEWS.name
        false, waited = 0, []
        async with shopping(door) as shops:
            for n in range(len(FAULTS)):
                fault = FAULTS[(seed + n) % len(FAULTS)]
                before = shops.statuses[503]
                false += await fault(trio, topic, shops)
                assert shops.statuses[503] > before, f"nothing was refused under {fault.__name__}"
                try:
                    waited.append(await shops.again())
                except TimeoutError:
                    raise Stalled(f"a partition is wedged after {fault.__name__}") from None
        assert set(shops.statuses) <= {200, 429, 503}, shops.statuses
        return await judged(door, shops, len(FAULTS), false, max(waited))


async def judged(door: House, shops: Shops, faults: int, false: int, waited: float) -> Figures:
    """What was promised against the log; a promise without a record, or one that nobody could keep, is lost."""
    kept = [(record.key, record.id) for record in await asyncio.to_thread(door.kept)]
    told = {id_ for id_, _, _ in shops.told}
    first = list(dict.fromkeys(kept))
    numbers = [(key, [int(part) for part in id_.split("-")[1:]]) for key, id_ in first if not id_.startswith("large")]
    latest: dict[str, list[int]] = {}
    inversions = 0
    for key, number in numbers:
        inversions += number < latest.get(key, [])
        latest[key] = max(number, latest.get(key, []))
    return Figures(
        faults,
        len(told),
        lost=len(told - {id_ for _, id_ in kept}) + false,
        inversions=inversions,
        other={"false 2xx": false, "s to next ack": waited},
    )
