"""Every commit point of the runtime, killed under load, and owners that wake too late: once, in order, nothing lost."""

import asyncio
import signal
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial

import pytest
from msgspec.structs import replace

from tabiji_common.clock import LiveClock
from tests.conformance.harness import Stories, Story, Toy, Yard, load, until

POINTS = (
    "runtime.turn.before_begin",
    "toy.fold.middle",
    "runtime.turn.before_commit",
    "runtime.turn.in_commit",
    "runtime.turn.after_commit",
    "runtime.publish.before",
    "runtime.publish.before_mark",
    "producer.append.acked_some",
)
FINISH = ("runtime.finish.before_commit", "runtime.finish.after_commit")
UPKEEP = ("runtime.inbox.created", "runtime.inbox.dropped")
STOPPED = {
    "inside its transaction": "toy.fold.middle=stop@6",
    "before its next transaction": "runtime.turn.before_begin=stop@6",
    "with a batch to publish": "runtime.publish.before=stop@2",
}
BARE = {"TOY_INBOX": ""}  # no inbox: epochs and offsets alone must hold


async def kill_at(toys: Yard, point: str, *, module: str = "tests.conformance.toy") -> None:
    sent = load(1200)
    await toys.send(sent[:600])
    doomed = toys.start(failpoints=f"{point}=kill@2", TABIJI_POLL_RECORDS="200", module=module, **BARE)
    await dies(doomed, point)
    await toys.send(sent[600:])
    toys.start(module=module, **BARE)
    await toys.settle()
    await toys.check(sent)


async def dies(toy: Toy, point: str) -> None:
    await asyncio.to_thread(toy.process.wait, 120)
    assert toy.process.returncode == -signal.SIGKILL, toy.log.read_text()[-3000:]
    assert point in toy.hits.read_text()


async def kill_in_takeover(toys: Yard) -> None:
    """One owner dies under load; the next dies with its epochs and nothing read; the third goes on."""
    sent = load(1200)
    await toys.send(sent[:600])
    first = toys.start(failpoints="runtime.turn.after_commit=kill@3", TABIJI_POLL_RECORDS="100", **BARE)
    await dies(first, "runtime.turn.after_commit")
    await dies(toys.start(failpoints="runtime.take.bumped=kill@1", **BARE), "runtime.take.bumped")
    await toys.send(sent[600:])
    toys.start(**BARE)
    await toys.settle()
    await toys.check(sent)
    assert {row["epoch"] for row in await toys.rows("SELECT epoch FROM partition_owner")} == {3}


async def kill_in_clean_stop(toys: Yard, point: str) -> None:
    """SIGTERM in mid-flow: it has acked rows to delete, and dies before or after that is committed.

    What is acked is noted late, so that the stop finds some of it however busy the machine is.
    """
    sent = load(3000)
    await toys.send(sent[:2000])
    late = f"{point}=kill@1;runtime.publish.before_mark=sleep:0.5"
    doomed = toys.start(failpoints=late, TABIJI_POLL_RECORDS="100", **BARE)
    await until(lambda: bool(doomed.owned), "it did not start")
    while not await toys.rows("SELECT FROM applied LIMIT 1"):
        await asyncio.sleep(0.01)
    doomed.signal(signal.SIGTERM)
    await dies(doomed, point)
    await toys.send(sent[2000:])
    heir = toys.start(**BARE)
    await toys.settle()
    await toys.check(sent)
    await asyncio.to_thread(heir.stop)
    assert await toys.rows("SELECT FROM outbox") == []


async def kill_in_upkeep(toys: Yard, point: str) -> None:
    """Upkeep that has much to make up for is killed half-way; repeats of before are still known, and the next one ends
    it.
    """
    now = LiveClock().now()
    sent = [replace(record, occurred_at=now, accepted_at=now) for record in load(600)]
    first = toys.start()
    await toys.send(sent[:300])
    await toys.settle()
    await asyncio.to_thread(first.stop)
    today, old = now.date(), [now.date() - timedelta(days=days) for days in (60, 61)]
    await toys.rows(f"ALTER TABLE inbox DETACH PARTITION inbox_{today:%Y%m%d}")
    await toys.rows(f"INSERT INTO inbox_rest SELECT * FROM inbox_{today:%Y%m%d}")
    await toys.rows(f"DROP TABLE inbox_{today:%Y%m%d}")
    for day in old:
        bounds = f"FROM ('{day}') TO ('{day + timedelta(days=1)}')"
        await toys.rows(f"CREATE TABLE inbox_{day:%Y%m%d} PARTITION OF inbox FOR VALUES {bounds}")
    await toys.send(sent[:450])
    await dies(toys.start(failpoints=f"{point}=kill@1"), point)
    await toys.send(sent[450:])
    toys.start()
    await toys.settle()
    await toys.check(sent)
    assert today in await days_of_inbox(toys)
    assert not set(old) & await days_of_inbox(toys)


async def days_of_inbox(toys: Yard) -> set[date]:
    """Days that have a partition of their own."""
    rows = await toys.rows("SELECT relid::text AS name FROM pg_partition_tree('inbox') WHERE isleaf")
    names = [row["name"].rpartition("_")[2] for row in rows]
    return {date.fromisoformat(name) for name in names if name.isdigit()}


async def wake_late(toys: Yard, stop: str, *, module: str = "tests.conformance.toy", patience: float = 120) -> None:
    """An owner is stopped with a backlog in memory, another one takes over, the first one wakes."""
    sent = load(1800)
    await toys.send(sent[:1500])
    zombie = toys.start(failpoints=stop, TABIJI_POLL_RECORDS="50", module=module, **BARE)
    await zombie.reached("stop")
    heir = toys.start(module=module, **BARE)
    await until(lambda: heir.owned == [0, 1, 2, 3], "nobody took over")
    await toys.send(sent[1500:1600])
    await asyncio.sleep(1)
    zombie.signal(signal.SIGCONT)
    await toys.send(sent[1600:])
    await asyncio.sleep(2)
    await toys.settle(patience)
    await toys.check(sent)
    writers = {row["pid"] for row in await toys.rows("SELECT DISTINCT pid FROM applied")}
    assert heir.process.pid in writers


@pytest.fixture(scope="module")
def told(stories: Stories) -> Iterator[Stories]:
    plots: dict[str, Story] = {point: partial(kill_at, point=point) for point in POINTS}
    plots |= {name: partial(wake_late, stop=stop) for name, stop in STOPPED.items()}
    plots |= {point: partial(kill_in_clean_stop, point=point) for point in FINISH}
    plots |= {point: partial(kill_in_upkeep, point=point) for point in UPKEEP}
    plots["take-over"] = kill_in_takeover
    with stories.told(plots) as telling:
        yield telling


@pytest.mark.parametrize("point", [*POINTS, *FINISH, *UPKEEP])
def test_sigkill_loses_nothing_and_doubles_nothing_at(told: Stories, point: str) -> None:
    told.end(point)


def test_who_takes_over_and_dies_before_it_has_read_anything_leaves_it_to_the_next(told: Stories) -> None:
    told.end("take-over")


@pytest.mark.parametrize("where", STOPPED)
def test_an_owner_that_wakes_after_a_takeover_is_fenced_when_it_was_stopped(told: Stories, where: str) -> None:
    told.end(where)
