"""Which timers a turn may fire: what barriers allow, as far as the clock is believed, and at a set rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tabiji_common.clock import EPOCH, Clock
from tabiji_common.clock_guard import ClockGuard
from tabiji_common.kafka.barrier import Probe
from tabiji_common.metrics import CLOCK_LEAPT


class Allowance:
    """At most ``rate`` a second of machine time, and no more than one second's worth at once; 0 is no limit."""

    def __init__(self, clock: Clock, rate: int) -> None:
        self._clock = clock
        self._rate = 0 if clock.simulated else rate
        self._left = float(self._rate)
        self._at = clock.elapsed()

    def left(self) -> int | None:
        """How many may be spent now; ``None`` for any number."""
        if not self._rate:
            return None
        at = self._clock.elapsed()
        self._left = min(float(self._rate), self._left + (at - self._at) * self._rate)
        self._at = at
        return int(self._left)

    def spend(self, count: int) -> None:
        """These are gone; what an event made necessary may go beyond what was left."""
        self._left = max(0.0, self._left - count)


@dataclass(frozen=True, slots=True)
class Firing:
    """What one turn may fire; see ``Turn``."""

    now: datetime
    limit: datetime
    until: dict[int, datetime]
    budget: int | None


class Timers:
    """Decides it for one group."""

    def __init__(self, group: str, clock: Clock, rate: int) -> None:
        self.group = group
        self.guard = ClockGuard(clock)
        self.allowance = Allowance(clock, rate)

    def firing(self, passed: Mapping[int, Probe], *, paused: bool) -> Firing:
        """By partition number, what everything that the log held is applied for (``passed``), and not beyond.

        Nothing at all while ``paused``: numbers stay known as having a barrier, for what is no timer. ``limit`` bounds
        those too that an event makes necessary, whatever time its record tells.
        """
        believed = self.guard.look()
        CLOCK_LEAPT.labels(self.group).set(believed.leapt)
        limit = EPOCH if paused else believed.until
        until = {p: min(probe.seen, limit) for p, probe in passed.items()}
        return Firing(believed.now, limit, until, self.allowance.left())

    def more(self, budget: int | None, fired: int) -> bool:
        """Count what a turn has fired; whether its budget would have allowed more."""
        self.allowance.spend(fired)
        return budget is None or fired < budget
