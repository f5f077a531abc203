"""Rows about the door: ingest killed, answers lost, ids used again."""

import asyncio
import base64
import json
from typing import Any

from tests.conformance import ledgers
from tests.faults.ground import Ground
from tests.faults.suite import Figures, row
from tests.faults.system import System, shopping
from tests.faults.test_crash_points import POINTS, kill_round


@row(1, runs=10)
async def ingest_killed(place: Ground, seed: int) -> Figures:
    """The whole system; ingest dies at each of its failpoints under load, and clients retry."""
    async with place.system() as yard:
        for number, point in enumerate(POINTS["ingest"], 1):
            await kill_round(yard, {"ingest": point}, number)
        return Figures(len(POINTS["ingest"]), len(yard.told))


@row(2, runs=10)
async def answers_lost(place: Ground, seed: int, *, customers: int = 6) -> Figures:
    """Each visit is posted 50 times at once, half of the answers unheard; then its order with another amount."""
    async with place.system() as yard:
        visits = [shopping(f"s{seed}-{n}") for n in range(customers)]
        for visit in visits:
            unheard = [hang_up(yard, visit) for _ in range(25)]
            await asyncio.gather(*unheard, *(yard.post(visit) for _ in range(25)))
        await yard.settle()
        await yard.check()
        orders = [event for visit in visits for event in visit if event.get("event") == "Order Completed"]
        for event in orders:
            await again_with_another_amount(yard, event)
        await yard.settle()
        await yard.check()
        wrong = await yard.rows("SELECT FROM analytics.order_fact WHERE amount_minor = 1")
        reused = await dead_letters(yard, "events.purchase.v1", "id_reused")
        assert reused == len(orders), f"{reused} dead letters for {len(orders)} ids used again"
        posts = customers * 50 + len(orders)
        return Figures(posts, len(yard.told), doubled=len(wrong))


async def hang_up(yard: System, events: list[dict[str, Any]]) -> None:
    """Send a whole request and close the connection before the answer."""
    body = json.dumps({"batch": events}).encode()
    token = base64.b64encode(f"{yard.write_key}:".encode()).decode()
    head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {token}\r\nContent-Type: application/json\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", yard.installation.ports.of("ingest"))
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
    await asyncio.sleep(0.002)
    writer.transport.abort()


async def again_with_another_amount(yard: System, event: dict[str, Any]) -> None:
    """The same id with another body: taken at the door, and dead-lettered later."""
    other = {**event, "properties": {**event["properties"], "total": 1}}
    url = f"{yard.installation.url('ingest')}/v1/batch"
    answer = await yard.http.post(url, json={"batch": [other]}, auth=(yard.write_key, ""))
    assert answer.status_code == 200, answer.text


async def dead_letters(yard: System, topic: str, reason: str) -> int:
    """How many records of ``topic`` journey has put aside for that reason, repeats dropped."""
    letters = await ledgers.published(yard.installation.settings(), f"{topic}.journey.dlq")
    return len({headers["ce_id"] for _, headers, _ in letters if headers["reason"].startswith(reason)})
