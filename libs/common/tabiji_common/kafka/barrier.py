"""Barriers: what the log held when something was decided, and whether that has been applied since. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tabiji_common.kafka.merge import Place


@dataclass(frozen=True)
class Probe:
    """End offsets that were asked for after poll ``number`` was fetched; ``seen`` is business time just before."""

    number: int
    seen: datetime
    ends: Mapping[Place, int]
    by_number: dict[int, list[tuple[Place, int]]] = field(init=False)

    def __post_init__(self) -> None:
        by_number: dict[int, list[tuple[Place, int]]] = {}
        for place, end in self.ends.items():
            by_number.setdefault(place[1], []).append((place, end))
        object.__setattr__(self, "by_number", by_number)

    def passed(self, p: int, applied: Mapping[Place, int]) -> bool:
        """Whether all that the log held of ``p`` has been applied; never where ``p`` was not asked about."""
        ends = self.by_number.get(p)
        return ends is not None and all(applied.get(place, -1) >= end for place, end in ends)


class Barriers:
    """The newest probe that each partition number has passed.

    Only what is committed counts as passed for good: a probe itself stays true whatever becomes of a turn.
    """

    def __init__(self) -> None:
        self.probes: deque[Probe] = deque()
        self.newest: dict[int, Probe] = {}

    def add(self, probe: Probe) -> None:
        """A probe came back; numbers grow.

        At most a hundred are kept, the middle thinned out, since passing a newer probe implies the older ones.
        """
        self.probes.append(probe)
        if len(self.probes) > 100:
            self.probes = deque(probe for n, probe in enumerate(self.probes) if n % 2 or n == len(self.probes) - 1)

    def forget(self, kept: frozenset[int]) -> None:
        """Numbers not in ``kept`` pass anew: what they have applied is another process's to say."""
        self.newest = {p: probe for p, probe in self.newest.items() if p in kept}

    def passed(self, owned: frozenset[int], applied: Mapping[Place, int]) -> dict[int, Probe]:
        """By partition number, the newest probe passed once ``applied`` are the next offsets; nothing is kept of it."""
        found = {p: probe for p, probe in self.newest.items() if p in owned}
        for probe in self.probes:
            for p in owned:
                newest = found.get(p)
                if (newest is None or newest.number < probe.number) and probe.passed(p, applied):
                    found[p] = probe
        return found

    def advance(self, owned: frozenset[int], committed: Mapping[Place, int]) -> dict[int, Probe]:
        """The same for next offsets that are committed: it is kept, and probes that every number has passed go."""
        self.newest = self.passed(owned, committed)
        floor = min((self.newest[p].number if p in self.newest else -1 for p in owned), default=-1)
        while self.probes and self.probes[0].number <= floor:
            self.probes.popleft()
        return dict(self.newest)
