"""Members come, go and are replaced one by one under load: one owner a number, nothing lost, doubled or inverted."""

import asyncio
import time
from collections.abc import Iterator
from functools import partial

import pytest

from tests.conformance.harness import PATIENCE, Stories, Story, Toy, Yard, load, until
from tests.conformance.traffic import traffic

MEMBERS = (2, 3, 5)
AT_ONCE = 2.0  # seconds; the group gives up on a member that died after six


async def shared_out(toys: Yard) -> None:
    """Until the living own every number, each one of them alone."""
    everything = list(range(toys.settings.partitions))

    def is_so() -> bool:
        return sorted(p for toy in toys.toys if toy.alive for p in toy.owned) == everything

    await until(is_so, lambda: f"not shared out: {[toy.owned for toy in toys.toys if toy.alive]}\n{toys.logs()}")


async def replace_all(toys: Yard, members: int) -> None:
    async with traffic(toys) as made:
        for _ in range(members):
            toys.start()
        await shared_out(toys)
        for n, old in enumerate(toys.toys[:members]):
            toys.start()
            await shared_out(toys)
            if n == 1:
                old.kill()  # this one says no goodbye
            else:
                await asyncio.to_thread(old.stop)
        await shared_out(toys)
    await toys.settle()
    await toys.check(made.sent)
    owners = {row["pid"] for row in await toys.rows("SELECT DISTINCT pid FROM applied")}
    assert owners - {old.process.pid for old in toys.toys[:members]}, "nobody came after the first"


async def add_a_topic(toys: Yard) -> None:
    """A rolling deploy whose new version reads one topic more, with records in it from before."""
    async with traffic(toys) as made:
        old = [toys.start(TOY_FEWER="1") for _ in range(2)]
        await shared_out(toys)
        await asyncio.sleep(1)
        for leaving in old:
            toys.start()
            await shared_out(toys)
            await asyncio.sleep(0.5)
            await asyncio.to_thread(leaving.stop)
        await shared_out(toys)
    await toys.settle()
    await toys.check(made.sent)
    offsets = await toys.rows("SELECT DISTINCT topic FROM consumer_offset")
    assert "events.page_view.v1" in {row["topic"] for row in offsets}


async def hand_over(toys: Yard) -> None:
    """The best of some, so that a busy machine does not decide; without a goodbye none is so quick."""
    took: list[float] = []
    while not took or (min(took) >= AT_ONCE and len(took) < 8):
        took.append(await _hand_over_once(toys))
    assert min(took) < AT_ONCE, took


async def _hand_over_once(toys: Yard) -> float:
    async with traffic(toys):
        leaving, staying = toys.start(), toys.start()
        await shared_out(toys)
        started = time.monotonic()
        await asyncio.to_thread(leaving.stop)
        await until(lambda: staying.owned == list(range(4)), "nobody took over")
        took = time.monotonic() - started
    await asyncio.to_thread(staying.stop)
    return took


async def stop_in_mid_flow(toys: Yard) -> None:
    sent = load(6000)
    await toys.send(sent)
    toy = toys.start(failpoints="runtime.turn.before_begin=sleep:0.5", TABIJI_POLL_RECORDS="300")
    await _has_applied_some(toys, toy)
    await asyncio.to_thread(toy.stop)
    applied = await toys.rows("SELECT id FROM applied")
    assert 0 < len(applied) < len(sent)
    held = await toys.rows("SELECT id FROM outbox WHERE held")
    assert await toys.rows("SELECT id FROM outbox WHERE NOT held AND topic = 'journey.transition.v1'") == await behind(
        toys
    )
    answers = await toys.published("journey.transition.v1") + await toys.published("dispatch.send.v1")
    waiting = await behind(toys)
    assert len({headers["ce_id"] for _, headers, _ in answers}) == len(applied) - len(held) - len(waiting)


async def behind(toys: Yard) -> list[object]:
    """Rows that wait behind a held one of their customer."""
    return await toys.rows(
        "SELECT id FROM outbox o WHERE NOT held AND EXISTS"
        " (SELECT FROM outbox h WHERE h.held AND h.key = o.key AND (h.epoch, h.n) < (o.epoch, o.n))"
    )


async def _has_applied_some(toys: Yard, toy: Toy) -> None:
    await until(lambda: bool(toy.owned), "it owns nothing")
    deadline = time.monotonic() + PATIENCE
    while not await toys.rows("SELECT FROM applied LIMIT 1"):
        assert time.monotonic() < deadline, "nothing was applied"
        await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def told(stories: Stories) -> Iterator[Stories]:
    plots: dict[str, Story] = {
        f"{members} members": partial(replace_all, members=members) for members in reversed(MEMBERS)
    }
    plots |= {"a topic more": add_a_topic, "stop": stop_in_mid_flow}
    with stories.told(plots) as telling:
        yield telling


@pytest.mark.parametrize("members", MEMBERS)
def test_members_that_are_replaced_one_by_one_lose_and_double_nothing(told: Stories, members: int) -> None:
    told.end(f"{members} members")


def test_a_rolling_deploy_may_add_a_topic(told: Stories) -> None:
    told.end("a topic more")


def test_a_clean_stop_leaves_nothing_unpublished_that_may_go(told: Stories) -> None:
    told.end("stop")


def test_a_clean_stop_hands_over_at_once(toys: Yard) -> None:
    asyncio.run(hand_over(toys))
