"""The smallest service: thirty lines, and consuming, retrying, dead letters and a clean stop come with them."""

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from tabiji_common.events import OrderCompleted, OrderShipped
from tabiji_common.kafka.admin import create
from tabiji_common.topics import PURCHASES, Record
from tests.conformance import vip
from tests.conformance.harness import LOG_TIME, START, Yard, until
from tests.stack import delete_topics

Found = TypeVar("Found")
Records = list[tuple[str, dict[str, str], bytes]]
VIP, MOODY = "tests.conformance.vip", "tests.conformance.moody_vip"


@pytest.fixture
def yard(toys: Yard) -> Yard:
    asyncio.run(create(toys.settings, dict.fromkeys(["vip.reached.v1", "events.purchase.v1.vip.dlq"], LOG_TIME)))
    return toys


def order(n: int, amount: int, **properties: Any) -> Record[Any]:
    body = OrderCompleted(
        workspace="w",
        customer=f"c{n % 9}",
        order_id=f"o{n}",
        amount_minor=amount,
        currency="JPY",
        properties=properties,
    )
    return PURCHASES.record(body, id=f"e{n}", source="shop", occurred_at=START, accepted_at=START)


async def seen(look: Callable[[], Awaitable[Found]], enough: Callable[[Found], bool], yard: Yard) -> Found:
    """What a look finds, once that is enough."""
    for _ in range(600):
        if enough(found := await look()):
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"not seen: {yard.logs()}")


async def announced(yard: Yard, count: int, *, repeats: int = 0) -> Records:
    """What is on ``vip.reached.v1`` once ``count`` different announcements, and so many repeats, are there."""

    def all_there(found: Records) -> bool:
        return len({headers["ce_id"] for _, headers, _ in found}) >= count and len(found) >= count + repeats

    return await seen(partial(yard.published, "vip.reached.v1"), all_there, yard)


def test_it_is_as_short_as_promised() -> None:
    assert len(Path(vip.__file__).read_text().splitlines()) <= 35


def test_large_orders_are_announced_once_and_other_types_are_passed_over(yard: Yard) -> None:
    async def story() -> None:
        yard.start(module=VIP)
        shipped = OrderShipped(workspace="w", customer="c1", order_id="o1")
        await yard.send([order(n, 30_000 + 1_000 * n) for n in range(40)])
        await yard.send([PURCHASES.record(shipped, id="s1", source="shop", occurred_at=START, accepted_at=START)])
        found = await announced(yard, 20)
        assert len(found) == 20
        assert {headers["ce_source"] for _, headers, _ in found} == {"tabiji/vip"}
        assert {headers["ce_type"] for _, headers, _ in found} == {"vip_reached"}
        assert {headers["ce_time"] for _, headers, _ in found} == {"2026-01-01T00:00:00Z"}

    asyncio.run(story())


def test_without_its_topic_it_ends_and_names_it(yard: Yard) -> None:
    lost = yard.start(module=VIP, TABIJI_TOPIC_PREFIX="nowhere.")
    assert lost.process.wait(120) == 1
    assert "Misconfigured: topic nowhere.events.purchase.v1 does not exist" in lost.log.read_text()


def test_when_its_topic_goes_it_says_so_once_a_minute(yard: Yard) -> None:
    async def story() -> None:
        toy = yard.start(module=VIP)
        await yard.send([order(0, 60_000)])
        await announced(yard, 1)
        await asyncio.to_thread(delete_topics, yard.settings.kafka_bootstrap, yard.settings.topic_prefix)
        await until(lambda: "not found in cluster metadata" in toy.log.read_text(), "it says nothing")
        await asyncio.sleep(5)
        assert toy.alive
        said = Counter(line for line in toy.log.read_text().splitlines() if "not found in cluster metadata" in line)
        assert said  # of each topic: one that was made a moment ago may be missing for a moment too
        assert max(said.values()) == 1, said
        assert len(toy.log.read_text().splitlines()) < 10, toy.log.read_text()

    asyncio.run(story())


@pytest.mark.parametrize("point", ["stateless.commit.before", "producer.append.acked_some"])
def test_killed_between_ack_and_commit_it_repeats_itself_under_the_same_ids(yard: Yard, point: str) -> None:
    async def story() -> None:
        await yard.send([order(n, 60_000) for n in range(60)])
        doomed = yard.start(module=VIP, failpoints=f"{point}=kill@1")
        await asyncio.to_thread(doomed.process.wait, 120)
        assert doomed.process.returncode == -signal.SIGKILL
        first = await yard.published("vip.reached.v1")
        assert first
        yard.start(module=VIP)
        found = await announced(yard, 60, repeats=len(first))
        times = Counter(headers["ce_id"] for _, headers, _ in found)
        assert len(times) == 60
        assert max(times.values()) == 2
        values = {(headers["ce_id"], value) for _, headers, value in found}
        assert len(values) == 60  # a repeat says the same

    asyncio.run(story())


def test_reject_is_a_dead_letter_retry_is_another_try_and_both_let_others_pass(yard: Yard) -> None:
    async def story() -> None:
        orders = [order(n, 60_000, **mood) for n, mood in enumerate([{}, {"refuse": 1}, {"fail": 2}, {}])]
        await yard.send(orders)
        toy = yard.start(module=MOODY)
        found = await announced(yard, 3)
        assert len({headers["ce_id"] for _, headers, _ in found}) == 3
        dead = await seen(partial(yard.published, "events.purchase.v1.vip.dlq"), bool, yard)
        assert {headers["ce_id"] for _, headers, _ in dead} == {"e1"}
        assert {headers["reason"] for _, headers, _ in dead} == {"properties.refuse: is not a number we know"}
        assert toy.log.read_text().count("batch_retried") == 2

    asyncio.run(story())


def test_a_clean_stop_ends_with_status_0_and_its_successor_repeats_nothing(yard: Yard) -> None:
    async def story() -> None:
        leaving = yard.start(module=VIP)
        await yard.send([order(n, 60_000) for n in range(10)])
        await announced(yard, 10)
        await committed(yard, 10)
        await asyncio.to_thread(leaving.stop)
        yard.start(module=VIP)
        await yard.send([order(n, 60_000) for n in range(10, 20)])
        assert len(await announced(yard, 20)) == 20

    asyncio.run(story())


async def committed(yard: Yard, count: int) -> None:
    """Until the group has told Kafka that it is done with so many records."""
    admin = AIOKafkaAdminClient(bootstrap_servers=yard.settings.kafka_bootstrap)
    await admin.start()
    try:
        told = partial(admin.list_consumer_group_offsets, f"{yard.settings.topic_prefix}vip")
        await seen(told, lambda found: sum(max(one.offset, 0) for one in found.values()) >= count, yard)
    finally:
        await admin.close()
