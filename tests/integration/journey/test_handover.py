"""A visitor becomes a customer of another partition number, and the process dies between commit and publish."""

import asyncio
import signal
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tabiji_cli.services import create_topics
from tabiji_common import events
from tabiji_common.clock import LiveClock
from tabiji_common.settings import Settings
from tabiji_common.topics import CUSTOMERS, PAGE_VIEWS, PURCHASES, Record, customer_key, partition_of
from tests.integration.journey.desk import open_desk
from tests.integration.journey.town import Town
from tests.operator import let_in_now
from tests.unit.journey.pipeline.people import CART, THANKS, cart, order

PARTITIONS = 2


def somebody(prefix: str, p: int) -> str:
    """A name whose key has this partition number."""
    return next(name for n in range(99) if partition_of(customer_key("w", name := f"{prefix}{n}"), PARTITIONS) == p)


COOKIE, ANN = somebody("cookie", 0), somebody("ann", 1)


@pytest.fixture
def town(kafka: Any, database: str, topic_prefix: str) -> Iterator[Town]:
    settings = Settings(
        kafka_bootstrap=kafka.bootstrap, postgres_dsn=database, topic_prefix=topic_prefix, partitions=PARTITIONS
    )
    asyncio.run(create_topics(settings))
    let_in_now(database)
    with tempfile.TemporaryDirectory() as folder:
        made = Town(settings, Path(folder))
        try:
            yield made
        finally:
            made.close()


def record(topic: Any, body: Any, id_: str, at: datetime) -> Record[Any]:
    return topic.record(body, id=id_, source="shop", occurred_at=at, accepted_at=at, body_hash=id_)  # type: ignore[no-any-return]


def merge(at: datetime) -> list[Record[Any]]:
    sides = [events.Merged(workspace="w", customer=side, source=COOKIE, target=ANN) for side in (COOKIE, ANN)]
    return [record(CUSTOMERS, body, "identify", at) for body in sides]


@pytest.mark.parametrize("point", ["runtime.publish.before", "runtime.publish.before_mark", "journey.handover.decided"])
def test_a_handover_survives_a_kill_and_the_later_purchase_read_first_wins(town: Town, point: str) -> None:
    now = LiveClock().now().replace(microsecond=0)
    seen = [
        record(PAGE_VIEWS, cart(name, COOKIE, anonymous=True), f"added to {name}", now - timedelta(minutes=ago))
        for name, ago in (("bought", 60), ("left", 50))
    ]
    purchase = record(PURCHASES, order("1", customer=ANN, cart_id="bought"), "buy", now - timedelta(minutes=20))

    async def story() -> None:
        async with open_desk(town.settings.postgres_dsn, CART, THANKS) as desk:
            doomed = town.start(failpoints=f"{point}=kill@1")
            await town.send(*seen)
            while len(await desk.rows("SELECT id FROM anonymous_event")) < len(seen):
                await asyncio.sleep(0.05)
            await town.send(*merge(now - timedelta(minutes=30)))
            await asyncio.to_thread(doomed.process.wait, 40)
            assert doomed.process.returncode == -signal.SIGKILL
            handed = await desk.rows("SELECT id FROM outbox WHERE type = 'handover'")
            kept = await desk.rows("SELECT id FROM anonymous_event")
            assert (len(handed), len(kept)) == ((2, 0) if point.startswith("runtime.publish") else (0, 2))
            await town.send(purchase)
            heir = town.start()
            town.start()
            await town.settle()

            assert await desk.rows("SELECT id FROM anonymous_event") == []
            carts = await desk.rows("SELECT entry_key, status FROM enrollment WHERE journey = 'cart' ORDER BY 1 DESC")
            # Published before the kill, the cart stands in the log before the purchase, which then ends it.
            begun = [{"entry_key": "bought", "status": "exited"}] if point == "runtime.publish.before_mark" else []
            assert carts == [{"entry_key": "left", "status": "waiting"}, *begun]
            assert ("thanks", "waiting", "thank", 1) in await desk.standing()
            assert heir.get("/v1/conservation")["lost"] == 0
            transitions = await town.published("journey.transition.v1")
            assert sum(move["kind"] == "entered" for move in transitions.values()) == 2 + len(begun)

            after = record(PAGE_VIEWS, cart("later", COOKIE, anonymous=True), "added to later", now)
            await town.send(after)
            await town.settle()
            assert ("cart", "waiting", "browsing", 2) in await desk.standing()

    asyncio.run(story())
