"""The loop of the demo: post what happened, move time, wait until everybody is done, go on to the next tick.

A conservative discrete-event simulation: no tick is left before all that it caused is applied, so that results
depend on no speed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from tabiji_cli.demo.inputs import Plan
from tabiji_cli.demo.life import Input
from tabiji_cli.demo.readers import Readers
from tabiji_cli.demo.shop import Shop
from tabiji_cli.demo.timemaster import TimeMaster, next_due, tick_after, tick_at_or_after
from tabiji_cli.mailbox import Mailbox

Hook = Callable[["Simulation"], Awaitable[None]]


async def _nothing(_: Simulation) -> None:
    return


@dataclass
class Simulation:
    """Everything that moves; ``before_inputs`` runs ahead of every tick that has inputs."""

    plan: Plan
    master: TimeMaster
    shop: Shop
    mailbox: Mailbox
    readers: Readers
    before_inputs: Hook = _nothing
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    ticks: int = 0
    posted: int = 0

    @property
    def end(self) -> datetime:
        """The last tick: the first one that sees the last day's inputs."""
        return tick_at_or_after(self.plan.end)

    async def play(self) -> bool:
        """Run to the end; false where ``stop`` was set first.

        Raises ``RunFailed`` or ``NotAccepted``.
        """
        seen = await self.master.settle()
        while (tick := self._next(next_due(seen))) is not None:
            if self.stop.is_set():
                return False
            await self._until(tick)
            await self.master.step(tick)
            seen = await self.master.settle()
            self.ticks += 1
        return True

    async def _until(self, tick: datetime) -> None:
        """Let happen what happens up to ``tick``: readers first, whose mails are older, then the shop's inputs."""
        now, dues, inputs = self.master.now, self.mailbox.pop_until(tick), self._inputs_until(tick)
        if inputs:
            await self.before_inputs(self)
        if dues or inputs:
            await self.master.hold()
            await self.readers.react(dues, now)
            await self.shop.post(inputs, now)

    def _next(self, due: datetime | None) -> datetime | None:
        """The next tick with anything to do; after the last input only the last tick itself."""
        if self.master.now >= self.end:
            return None
        upcoming = self.plan.inputs[self.posted : self.posted + 1]
        times = [*(step.occurred_at for step in upcoming), due, self.mailbox.next_due(), self.end]
        earliest = min(time for time in times if time is not None)
        return min(max(tick_at_or_after(earliest), tick_after(self.master.now)), self.end)

    def _inputs_until(self, tick: datetime) -> list[Input]:
        first = self.posted
        inputs = self.plan.inputs
        while self.posted < len(inputs) and inputs[self.posted].occurred_at <= tick:
            self.posted += 1
        return inputs[first : self.posted]
