"""A provider as the ledger sees it: channels, capability per class, slots, rate, and a breaker for storms."""

from __future__ import annotations

from dataclasses import dataclass

from tabiji_dispatch.domain.message import MARKETING
from tabiji_dispatch.domain.outcomes import Capability, Result

_STORM = 5  # refusals in a row
_PAUSE_FIRST, _PAUSE_MOST = 1.0, 60.0


@dataclass(frozen=True, slots=True)
class Carrier:
    """What the installation says of a provider. Times in seconds; ``rate`` in sends a second and ``quota`` in messages
    a calendar month, 0 for no limit.
    """

    name: str
    channels: frozenset[str]
    marketing: Capability
    transactional: Capability
    slots: int = 32
    rate: float = 0.0
    timeout: float = 25.0
    attempts: int = 12
    quota: int = 0

    def capability(self, message_class: str) -> Capability:
        """What holds for a message of this class."""
        return self.marketing if message_class == MARKETING else self.transactional


@dataclass
class Bucket:
    """A token bucket in machine time: ``rate`` a second, at most a second's worth at once; 0 is without limit."""

    rate: float
    level: float = 1.0
    at: float | None = None

    def room(self, elapsed: float) -> float:
        """Tokens that are there now."""
        if not self.rate:
            return float("inf")
        most = max(1.0, self.rate)
        grown = most if self.at is None else min(most, self.level + (elapsed - self.at) * self.rate)
        self.level, self.at = grown, elapsed
        return grown

    def take(self, count: int) -> None:
        """Use ``count`` tokens; ``room`` was asked before."""
        if self.rate:
            self.level -= count


@dataclass
class Breaker:
    """Stops claims for a while after refusals in a row, then lets one probe through; doubles while probes fail."""

    failures: int = 0
    pause: float = 0.0
    open_until: float = 0.0

    def room(self, elapsed: float) -> float:
        """How many sends may start now."""
        if elapsed < self.open_until:
            return 0
        return float("inf") if self.failures < _STORM else 1

    def probes(self, elapsed: float) -> int | None:
        """How many may try it during a storm, ``None`` while there is none."""
        if self.failures < _STORM:
            return None
        return 0 if elapsed < self.open_until else 1

    def saw(self, result: Result, elapsed: float, retry_after: float | None = None) -> None:
        """Learn from an attempt."""
        if result is Result.THROTTLED:
            self.open_until = max(self.open_until, elapsed + (retry_after if retry_after is not None else _PAUSE_FIRST))
        elif result in {Result.REFUSED, Result.UNKNOWN}:
            self.failures += 1
            if self.failures >= _STORM:
                self.pause = min(_PAUSE_MOST, max(_PAUSE_FIRST, self.pause * 2))
                self.open_until = elapsed + self.pause
        elif result in {Result.ACCEPTED, Result.PERMANENT}:
            self.failures, self.pause = 0, 0.0
