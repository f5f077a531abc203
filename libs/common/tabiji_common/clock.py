"""Two clocks in one object: ``now()`` is business time, ``elapsed()`` is machine time.

Business time decides what is due, late or today. Machine time measures leases, timeouts, back-off and rates; it never
scales. On the live clock business time is the wall's; in stepped simulation it is the last tick that the time-master
gave.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What services ask of time."""

    @property
    def simulated(self) -> bool:
        """Whether business time is stepped by a time-master."""
        ...

    @property
    def held(self) -> bool:
        """Whether nothing may be applied until the next tick: its inputs are on their way into the log."""
        ...

    def now(self) -> datetime:
        """Business time, aware UTC."""
        ...

    def elapsed(self) -> float:
        """Machine time in seconds since an arbitrary start; monotonic, never scaled."""
        ...

    def wall(self) -> datetime:
        """The unscaled wall clock, for stored leases and ages only."""
        ...


class LiveClock:
    """The wall's time."""

    simulated = False
    held = False

    def now(self) -> datetime:
        """The wall's time, aware UTC."""
        return datetime.now(UTC)

    def elapsed(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def wall(self) -> datetime:
        """The wall's time, aware UTC."""
        return datetime.now(UTC)


class SteppedClock:
    """Business time stands at the last tick; ``step`` moves it forward."""

    simulated = True

    def __init__(self, start: datetime = datetime(1970, 1, 1, tzinfo=UTC)) -> None:
        self.tick = start
        self.held = False

    def now(self) -> datetime:
        """The last tick, aware UTC."""
        return self.tick

    def elapsed(self) -> float:
        """Monotonic seconds of the machine."""
        return time.monotonic()

    def wall(self) -> datetime:
        """The wall's time, aware UTC."""
        return datetime.now(UTC)

    def step(self, to: datetime) -> None:
        """Move to ``to``; a step back is refused with ``ValueError``, the same instant again is nothing."""
        if to < self.tick:
            raise ValueError(f"the clock cannot go back from {self.tick.isoformat()} to {to.isoformat()}")
        self.tick = to
        self.held = False


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER = datetime.max.replace(tzinfo=UTC)


def from_millis(millis: int) -> datetime:
    """An instant from milliseconds since 1970, aware UTC."""
    return EPOCH + timedelta(milliseconds=millis)
