"""Every commit point of the runtime, killed under load, and owners that wake too late: once, in order, nothing lost."""

import asyncio
import signal
from collections.abc import Iterator
from functools import partial

import pytest

from tests.conformance.harness import Stories, Story, Yard, load, until

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
    await asyncio.to_thread(doomed.process.wait, 60)
    assert doomed.process.returncode == -signal.SIGKILL, doomed.log.read_text()[-3000:]
    assert point in doomed.hits.read_text()
    await toys.send(sent[600:])
    toys.start(module=module, **BARE)
    await toys.settle()
    await toys.check(sent)


async def wake_late(toys: Yard, stop: str, *, module: str = "tests.conformance.toy", patience: float = 60) -> None:
    """An owner is stopped with a backlog in memory, another one takes over, the first one wakes."""
    sent = load(1800)
    await toys.send(sent[:1500])
    zombie = toys.start(failpoints=stop, TABIJI_POLL_RECORDS="50", module=module, **BARE)
    await zombie.reached("stop", 60)
    heir = toys.start(module=module, **BARE)
    await until(lambda: heir.owned == [0, 1, 2, 3], "nobody took over", 60)
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
    with stories.told(plots) as telling:
        yield telling


@pytest.mark.parametrize("point", POINTS)
def test_sigkill_loses_nothing_and_doubles_nothing_at(told: Stories, point: str) -> None:
    told.end(point)


@pytest.mark.parametrize("where", STOPPED)
def test_an_owner_that_wakes_after_a_takeover_is_fenced_when_it_was_stopped(told: Stories, where: str) -> None:
    told.end(where)
