"""What Kafka is told of our offsets, every few seconds and beside the turns: a lag gauge for tools, nothing stands on
it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from tabiji_common.clock import Clock
from tabiji_common.kafka.merge import Place

EVERY = 5.0


class Board(Protocol):
    """Where applied offsets are shown."""

    async def gauge(self, offsets: Mapping[Place, int]) -> None:
        """Show them; whatever goes wrong with that is of no consequence."""
        ...


class LagGauge:
    """Shows the next offsets at most every ``EVERY`` seconds of machine time, and never twice at once."""

    def __init__(self, board: Board | None, clock: Clock) -> None:
        self.board, self.clock = board, clock
        self._shown_at = float("-inf")
        self._task: asyncio.Task[None] | None = None

    def show(self, offsets: Mapping[Place, int]) -> None:
        """Never waits."""
        now = self.clock.elapsed()
        if self.board is None or not offsets or now - self._shown_at < EVERY:
            return
        if self._task is None or self._task.done():
            self._shown_at = now
            self._task = asyncio.create_task(self.board.gauge(dict(offsets)))

    def stop(self) -> None:
        """Leave what is under way."""
        if self._task is not None:
            self._task.cancel()
