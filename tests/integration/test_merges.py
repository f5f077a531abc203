"""Journey and analytics take every merge for the same thing, whatever came before it and however turns are cut."""

import asyncio
import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from tabiji_common import events
from tabiji_common.kafka.turn import Received
from tabiji_common.postgres import migrate
from tabiji_common.topics import CUSTOMERS, PAGE_VIEWS, PURCHASES
from tests.integration.analytics.yard import MIGRATIONS, NOW, Yard, pools, received, record
from tests.integration.journey.desk import Desk, open_desk
from tests.unit.journey.pipeline.people import THANKS

NAMES = ["ann", "bob", "cid", "dan", "cookie-1", "cookie-2", "cookie-3"]
ROUNDS = 40


class Dice:
    """Numbers that are the same at every run."""

    def __init__(self) -> None:
        self._thrown = 0

    def below(self, most: int) -> int:
        self._thrown += 1
        return int.from_bytes(hashlib.blake2b(str(self._thrown).encode(), digest_size=4).digest()) % most


def lives(dice: Dice, prefix: str) -> Iterator[Received]:
    """Twelve things that happen to ids, each told at its own second."""
    for n in range(12):
        one = dice.below(len(NAMES))
        name, other = (f"{prefix}{NAMES[n % len(NAMES)]}" for n in (one, one + 1 + dice.below(len(NAMES) - 1)))
        when = NOW + timedelta(seconds=n)
        who: dict[str, Any] = {"workspace": "w", "customer": name, "anonymous": bool(dice.below(2))}
        match dice.below(4):
            case 0:
                body: Any = events.PageViewed(**who)
                yield record(PAGE_VIEWS, body, f"{prefix}{n}", when)
            case 1:
                body = events.OrderCompleted(**who, order_id=f"{prefix}{n}", amount_minor=1, currency="JPY")
                yield record(PURCHASES, body, f"{prefix}{n}", when)
            case _:
                for side in (name, other):
                    body = events.Merged(workspace="w", customer=side, source=name, target=other)
                    yield record(CUSTOMERS, body, f"{prefix}{n}-{side}", when)


def cut(dice: Dice, records: list[Received]) -> Iterator[list[Received]]:
    while records:
        size = 1 + dice.below(6)
        yield records[:size]
        records = records[size:]


async def decided(desk: Desk, yard: Yard) -> tuple[Any, Any]:
    """(visitor, customer) and pairs of known customers, as the two have them."""
    moved = {
        (row["key"].partition(":")[2], row["merged_into"])
        for row in await desk.rows("SELECT key, merged_into FROM customer WHERE merged_into IS NOT NULL")
    }
    pairs = {
        frozenset((row["customer"].partition(":")[2], row["other"]))
        for row in await desk.rows("SELECT customer, other FROM merge_pending")
    }
    mine = {(row[0], row[1]) for row in await yard.pool.fetch("SELECT customer, target FROM merged")}
    theirs = {frozenset(row) for row in await yard.pool.fetch("SELECT source, target FROM merge_pending")}
    return (moved, pairs), (mine, theirs)


async def test_the_two_agree_on_who_is_a_visitor_and_who_is_known(database: str) -> None:
    await asyncio.to_thread(migrate, database, "analytics", MIGRATIONS)
    yard = Yard(*await pools(database))
    dice = Dice()
    async with open_desk(database, THANKS) as desk:
        for number in range(ROUNDS):
            records = list(lives(dice, f"{number}-"))
            for part in cut(dice, records):
                applied = await desk.takes(*part, fire=False)
                answers = [received(one) for one in applied.records if isinstance(one.body, events.Merged)]
                await desk.takes(*answers, fire=False)
            for part in cut(dice, records):
                await yard.feed(part)
        in_journey, in_analytics = await decided(desk, yard)
        assert in_journey == in_analytics
        moved, pairs = in_journey
        assert len(moved) > ROUNDS
        assert len(pairs) > ROUNDS
    await yard.pool.close()
    await yard.patient.close()
