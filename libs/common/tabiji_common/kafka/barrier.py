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
    """The newest probe that each partition number has passed."""

    def __init__(self) -> None:
        self.probes: deque[Probe] = deque()
        self.newest: dict[int, Probe] = {}

    def add(self, probe: Probe) -> None:
        """A probe came back; numbers grow."""
        self.probes.append(probe)

    def forget(self, kept: frozenset[int]) -> None:
        """Drop all but what was passed by the numbers that stay."""
        self.newest = {p: probe for p, probe in self.newest.items() if p in kept}
        self.probes.clear()

    def advance(self, owned: frozenset[int], applied: Mapping[Place, int]) -> dict[int, Probe]:
        """By partition number, the newest probe passed once ``applied`` are the next offsets.

        Old probes go once every number has passed them; of what is left at most a hundred are kept, the middle
        thinned out, since passing a newer probe implies the older ones.
        """
        for probe in self.probes:
            for p in owned:
                newest = self.newest.get(p)
                if (newest is None or newest.number < probe.number) and probe.passed(p, applied):
                    self.newest[p] = probe
        floor = min((self.newest[p].number if p in self.newest else -1 for p in owned), default=-1)
        while self.probes and self.probes[0].number <= floor:
            self.probes.popleft()
        if len(self.probes) > 100:
            self.probes = deque(probe for n, probe in enumerate(self.probes) if n % 2 or n == len(self.probes) - 1)
        return dict(self.newest)
