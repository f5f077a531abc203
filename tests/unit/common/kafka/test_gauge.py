"""The lag gauge: every few seconds of machine time, never twice at once, and never waited for."""

import asyncio
from collections.abc import Mapping

from tabiji_common.kafka.gauge import EVERY, LagGauge
from tabiji_common.kafka.merge import Place
from tests.unit.common.kafka.machine import Machine

HERE: Place = ("t", 0)


class Board:
    def __init__(self) -> None:
        self.shown: list[Mapping[Place, int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def gauge(self, offsets: Mapping[Place, int]) -> None:
        await self.gate.wait()
        self.shown.append(offsets)


async def test_offsets_are_shown_at_once_and_then_every_few_seconds() -> None:
    board, clock = Board(), Machine()
    gauge = LagGauge(board, clock)
    for n in range(20):
        gauge.show({HERE: n})
        await asyncio.sleep(0)
        clock.seconds += 1
    assert [offsets[HERE] for offsets in board.shown] == [0, EVERY, 2 * EVERY, 3 * EVERY]


async def test_a_board_that_is_slow_is_not_asked_twice_at_once() -> None:
    board, clock = Board(), Machine()
    board.gate.clear()
    gauge = LagGauge(board, clock)
    for n in range(4):
        gauge.show({HERE: n})
        await asyncio.sleep(0)
        clock.seconds += EVERY
    board.gate.set()
    await asyncio.sleep(0)
    assert [offsets[HERE] for offsets in board.shown] == [0]


async def test_what_is_shown_is_what_was_true_then() -> None:
    board, offsets = Board(), {HERE: 1}
    LagGauge(board, Machine()).show(offsets)
    offsets[HERE] = 2
    await asyncio.sleep(0)
    assert board.shown == [{HERE: 1}]


async def test_without_a_board_or_without_numbers_nothing_is_shown() -> None:
    LagGauge(None, Machine()).show({HERE: 1})
    board = Board()
    LagGauge(board, Machine()).show({})
    await asyncio.sleep(0)
    assert board.shown == []
