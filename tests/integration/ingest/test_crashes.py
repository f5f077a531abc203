"""SIGKILL at each of ingest's crash points, under load: whatever a client was told 200 is in the log, in order.

The ledger is the clients' own: what they sent, and what they were told.
"""

import asyncio
import signal
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.integration.ingest.harness import House
from tests.unit.ingest.support import LIVE

CLIENTS, BATCHES, SIZE = 6, 12, 8


class Shop:
    """A client that sends batch after batch, each until it is told 200, always with the same ids."""

    def __init__(self, name: int) -> None:
        self.name = name
        self.told: list[str] = []
        self.retries = 0

    def batch(self, n: int) -> list[dict[str, Any]]:
        return [
            {
                "type": "track",
                "event": "Product Viewed",
                "userId": f"c{self.name}-{k % 3}",
                "messageId": f"c{self.name}-{n:03d}-{k}",
            }
            for k in range(SIZE)
        ]

    async def run(self, http: httpx.AsyncClient, url: str) -> None:
        for n in range(BATCHES):
            events = self.batch(n)
            while not await self._taken(http, url, events):
                self.retries += 1
                await asyncio.sleep(0.05)
            self.told += [event["messageId"] for event in events]

    @staticmethod
    async def _taken(http: httpx.AsyncClient, url: str, events: list[dict[str, Any]]) -> bool:
        try:
            answer = await http.post(f"{url}/v1/batch", json={"batch": events}, auth=(LIVE, ""))
        except httpx.TransportError:
            return False
        assert answer.status_code in {200, 503}, answer.text
        return answer.status_code == 200


@asynccontextmanager
async def shopping(house: House) -> AsyncIterator[list[Shop]]:
    shops = [Shop(n) for n in range(CLIENTS)]
    async with httpx.AsyncClient(timeout=15) as http, asyncio.TaskGroup() as group:
        for shop in shops:
            group.create_task(shop.run(http, house.url))
        yield shops


async def crash(house: House) -> list[Shop]:
    async with shopping(house) as shops:
        assert house.process is not None
        assert await asyncio.to_thread(house.process.wait, 30) == -signal.SIGKILL
        told = {id_ for shop in shops for id_ in shop.told}
        kept = {record.id for record in await house._kept()}
        assert told <= kept, f"{len(told - kept)} were promised and are lost"
        await asyncio.to_thread(house.start)
    return shops


def check(house: House, shops: list[Shop]) -> None:
    """Nothing lost; each customer's events, repeats left out, in the order in which they were sent."""
    first: dict[str, list[str]] = defaultdict(list)
    for record in house.kept():
        if record.id not in first[record.key]:
            first[record.key].append(record.id)
    sent = {id_ for shop in shops for id_ in shop.told}
    assert sent == {id_ for ids in first.values() for id_ in ids}
    assert len(sent) == CLIENTS * BATCHES * SIZE
    for ids in first.values():
        batches = [id_.split("-")[1] for id_ in ids]
        assert batches == sorted(batches)


@pytest.mark.parametrize("point", ["ingest.append.before", "ingest.answer.before", "producer.append.acked_some"])
def test_sigkill_at(ingest: House, point: str) -> None:
    ingest.end()
    ingest.start(failpoints=f"{point}=kill@20")
    shops = asyncio.run(crash(ingest))
    assert point in ingest.hits.read_text()
    assert sum(shop.retries for shop in shops) > 0
    check(ingest, shops)


def test_an_answer_that_is_held_back_is_no_promise(ingest: House) -> None:
    """Before the ack nothing is told: with the append held back, no client hears anything."""
    ingest.end()
    ingest.start(failpoints="ingest.append.before=sleep:2")
    with pytest.raises(httpx.ReadTimeout):
        ingest.post("/v1/page", {"userId": "u-1", "messageId": "m-1"}, timeout=1)
    assert ingest.kept() == []
