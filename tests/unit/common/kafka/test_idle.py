"""The watchdog: lag that does not move for a minute, and nothing else, calls for a restart."""

from typing import Any

from tabiji_common.kafka.fake import FakeAppender, FakeLog, FakeMembership, FakeProbes, FakeReader
from tabiji_common.kafka.idle import STALLED, lag, stalled
from tabiji_common.kafka.loop import Loop
from tabiji_common.kafka.merge import Place
from tabiji_common.kafka.ports import Parts
from tabiji_common.topics import CUSTOM, partition_of
from tests.unit.common.kafka.events import event
from tests.unit.common.kafka.machine import Machine

HERE: Place = (CUSTOM.name, partition_of("w:c", 4))


def loop(log: FakeLog, clock: Machine) -> Loop:
    pool: Any = None  # no turn is taken here
    parts = Parts(pool, clock, FakeMembership(log, "toy"), FakeReader(log), FakeProbes(log), FakeAppender(log))
    made = Loop("toy", parts, [CUSTOM.name], partitions=4)
    made.ownership.offsets = {HERE: 0}
    return made


async def look(of: Loop) -> None:
    """What a turn does for the watchdog."""
    of.ends = await of.parts.probes.ends([HERE])
    of._show()


async def test_lag_that_has_not_moved_for_a_minute_is_a_stall() -> None:
    log, clock = FakeLog(), Machine()
    watched = loop(log, clock)
    await FakeAppender(log).append([event(n, "c") for n in range(5)])
    assert await lag(watched) == 5
    clock.seconds += STALLED - 1
    await look(watched)
    assert not stalled(watched, 5)
    clock.seconds += 2
    assert stalled(watched, 5)


async def test_a_record_after_a_quiet_hour_is_no_stall() -> None:
    log, clock = FakeLog(), Machine()
    watched = loop(log, clock)
    for _ in range(60):
        clock.seconds += 60
        await look(watched)
    await FakeAppender(log).append([event(1, "c")])
    assert not stalled(watched, await lag(watched))


async def test_without_lag_nothing_stalls_however_long_it_is() -> None:
    clock = Machine()
    watched = loop(FakeLog(), clock)
    clock.seconds += 1e6
    assert not stalled(watched, await lag(watched))
