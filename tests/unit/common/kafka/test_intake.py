"""Waiting for the log or a wake-up, whichever comes first, on the log in memory."""

import asyncio

from tabiji_common.kafka.fake import FakeAppender, FakeLog, FakeReader
from tabiji_common.kafka.intake import BUFFERED, Intake
from tabiji_common.kafka.merge import Merge, Place
from tabiji_common.topics import CUSTOM, partition_of
from tests.unit.common.kafka.events import event

HERE: Place = (CUSTOM.name, partition_of("w:c", 4))


def intake(log: FakeLog, *, most: int = 1000) -> Intake:
    made = Intake(FakeReader(log, most=most), Merge([CUSTOM.name]))
    made.merge.assign({HERE: 0})
    made.reader.assign({HERE: 0})
    return made


async def test_what_has_come_is_kept_until_it_is_merged() -> None:
    log = FakeLog()
    reading = intake(log)
    await FakeAppender(log).append([event(n, "c") for n in range(5)])
    assert not await reading.read(1, backlog=False)
    assert [r.id for r in reading.merge.take(10, {HERE: 5})] == [f"e{n}" for n in range(5)]


async def test_a_wake_up_ends_the_wait_and_what_comes_with_it_is_not_lost() -> None:
    log = FakeLog()
    reading = intake(log)
    waiting = asyncio.create_task(reading.read(60, backlog=False))
    await asyncio.sleep(0)
    reading.woken.set()
    assert await waiting
    await FakeAppender(log).append([event(1, "c")])
    assert not await reading.read(60, backlog=False)
    assert reading.merge.waiting(HERE) == 1


async def test_it_is_idle_only_while_it_waits_with_nothing_to_do() -> None:
    reading = intake(FakeLog())
    assert reading.busy
    for backlog in (False, True):
        waiting = asyncio.create_task(reading.read(0.02, backlog=backlog))
        await asyncio.sleep(0.001)
        assert reading.busy is backlog
        await waiting
        assert reading.busy


async def test_records_that_were_read_before_are_not_kept_twice() -> None:
    log = FakeLog()
    reading = intake(log)
    await FakeAppender(log).append([event(n, "c") for n in range(5)])
    await reading.read(1, backlog=False)
    reading.reader.assign({HERE: 2})
    await reading.read(0, backlog=False)
    assert reading.merge.waiting(HERE) == 5


async def test_a_place_with_a_full_buffer_is_left_alone_until_it_is_emptied() -> None:
    log = FakeLog()
    reading = intake(log, most=BUFFERED)
    await FakeAppender(log).append([event(n, "c") for n in range(BUFFERED + 10)])
    for _ in range(3):
        await reading.read(0, backlog=True)
    assert reading.merge.waiting(HERE) == BUFFERED
    reading.merge.take(BUFFERED, {HERE: BUFFERED + 10})
    await reading.read(0, backlog=True)
    assert reading.merge.waiting(HERE) == 10
