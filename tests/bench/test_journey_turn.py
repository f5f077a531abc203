"""What a turn of the journey service costs an event, beside the bare write of as many rows."""

import gc
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import tabiji_journey
from tabiji_common import events
from tabiji_common.kafka.turn import Received, Turn
from tests.integration.journey.desk import OWNED, Desk, open_desk
from tests.unit.journey.pipeline.people import MONDAY, after, cart, order, outcome, received

pytestmark = pytest.mark.bench

JOURNEYS = Path(tabiji_journey.__file__).parents[3] / "journeys"
EVENTS = 1000


def mixed(batch: int) -> list[Received]:
    """Orders, carts, page views and traits of 500 customers."""
    bodies: list[Any] = []
    for n in range(EVENTS):
        who = f"b{batch}-{n % 500}"
        bodies.append(
            (
                order(f"o{batch}-{n}", customer=who),
                cart(f"c{n}", who),
                events.PageViewed(workspace="w", customer=who),
                events.Identified(workspace="w", customer=who, traits={"n": n}),
            )[n % 4]
        )
    at = after(minutes=batch)
    return [received(body, f"e{batch}-{n}", at) for n, body in enumerate(bodies)]


async def cost(desk: Desk, records: list[Received], minutes: float) -> tuple[float, list[Any]]:
    """Microseconds an event of one turn, commit included, and the sends."""
    now = MONDAY + timedelta(minutes=minutes)
    turn = Turn(records, now, OWNED, dict.fromkeys(OWNED, now), {}, "bench")
    for record in records:
        record._body = None
    started = time.perf_counter()
    async with desk.pool.acquire() as connection, connection.transaction():
        applied = await desk.pipeline.apply(connection, turn)
    desk.pipeline.committed(turn, applied)
    return (time.perf_counter() - started) / len(records) * 1e6, applied.sends


async def bare(desk: Desk) -> float:
    """Microseconds a row of one statement that writes as many rows of that width."""
    await desk.pool.execute("CREATE TABLE IF NOT EXISTS bare (id text PRIMARY KEY, body jsonb)")
    ids, bodies = [f"row {n} {time.perf_counter()}" for n in range(EVENTS)], ['{"a": "' + "x" * 400 + '"}'] * EVENTS
    started = time.perf_counter()
    await desk.pool.execute(
        "INSERT INTO bare SELECT i, b::jsonb FROM unnest($1::text[], $2::text[]) n(i, b)", ids, bodies
    )
    return (time.perf_counter() - started) / EVENTS * 1e6


async def test_the_cost_of_a_turn(database: str) -> None:
    documents = [path.read_text(encoding="utf-8") for path in sorted(JOURNEYS.glob("*.yaml"))]
    async with open_desk(database, *documents) as desk:
        await cost(desk, mixed(0), 0)
        batches = [mixed(batch) for batch in range(1, 6)]
        buyers = [
            received(order(f"first {n}", customer=f"new{n}"), f"first {n}", after(minutes=9)) for n in range(EVENTS)
        ]
        gc.collect()
        gc.freeze()
        everyday = sorted([(await cost(desk, batch, 1 + n))[0] for n, batch in enumerate(batches)])[2]
        entering, sends = await cost(desk, buyers, 9)
        answers = [
            received(outcome(s.body, "sent", after(minutes=10), s.body.customer), f"o {s.id}", after(minutes=10))
            for s in sends
        ]
        answered, _ = await cost(desk, answers, 10)
        ceiling = sorted([await bare(desk) for _ in range(5)])[2]
        gc.unfreeze()
    print(f"\n  one bare row                     {ceiling:6.1f} µs")
    for name, took in (
        ("a mixed event", everyday),
        ("an event that enters and sends", entering),
        ("an outcome", answered),
    ):
        print(f"  {name:<32} {took:6.1f} µs = {took / ceiling:4.1f} x")
