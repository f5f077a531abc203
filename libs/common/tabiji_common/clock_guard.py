"""Which business time is believed: a wall clock that leaps ahead of the machine's is not, until a person accepts it.

A step back needs no guard: what has fired is gone, and what has not waits until the clock is there again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tabiji_common.clock import Clock
from tabiji_common.logs import logger

log = logger(__name__)
LEAP = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Believed:
    """One look. ``now`` is business time as far as it is believed; timers may fire up to ``until``.

    While the clock is ahead by a leap, ``now`` goes on at the machine's pace and ``until`` stands still.
    """

    now: datetime
    until: datetime
    leapt: bool


class ClockGuard:
    """Compares ``now()`` with ``elapsed()``, look by look; a stepped clock is always believed.

    What a leap is measured against is the highest line that was believed so far: a clock that went back and returns
    has not leapt.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._line = self._ahead_of_machine()
        self._until = clock.now()
        self.leapt = False

    def _ahead_of_machine(self) -> datetime:
        return self._clock.now() - timedelta(seconds=self._clock.elapsed())

    def look(self) -> Believed:
        """Business time now, as far as it is believed."""
        now = self._clock.now()
        if self._clock.simulated:
            return Believed(now, now, leapt=False)
        elapsed = timedelta(seconds=self._clock.elapsed())
        leap = now - elapsed - self._line
        self._notice(leap)
        if self.leapt:
            return Believed(self._line + elapsed, self._until, leapt=True)
        self._line = max(self._line, now - elapsed)
        self._until = now
        return Believed(now, now, leapt=False)

    def _notice(self, leap: timedelta) -> None:
        if leap > LEAP and not self.leapt:
            log.error("clock_leapt", seconds=round(leap.total_seconds()), timers="paused")
        if leap <= LEAP and self.leapt:
            log.warning("clock_came_back", timers="released")
        self.leapt = leap > LEAP

    def accept(self) -> bool:
        """A person says that the clock is right; whether it was not believed until now."""
        doubted, self.leapt = self.leapt, False
        if doubted:
            self._line = self._ahead_of_machine()
            log.warning("clock_accepted", timers="released")
        return doubted
