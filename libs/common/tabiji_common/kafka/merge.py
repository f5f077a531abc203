"""Merging a partition number's topics by append time, up to a frontier that no unread topic could undercut. Pure."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime

from tabiji_common.kafka.turn import Received

Place = tuple[str, int]  # topic without prefix, partition number


class Merge:
    """The records read and not yet applied, by topic and partition number.

    ``rank`` orders topics where append times are equal (they have milliseconds).
    """

    def __init__(self, topics: Iterable[str]) -> None:
        self.rank = {topic: n for n, topic in enumerate(topics)}
        self.queues: dict[Place, deque[Received]] = {}
        self.fetched: dict[Place, datetime] = {}
        self.position: dict[Place, int] = {}
        self._first = 0

    def assign(self, positions: Mapping[Place, int]) -> None:
        """Start anew at these next offsets; everything read before is dropped."""
        self.queues = {place: deque() for place in positions}
        self.fetched = {}
        self.position = dict(positions)

    def add(self, place: Place, records: list[Received], next_offset: int) -> None:
        """Keep what was read of ``place``; the log was read up to ``next_offset``."""
        self.queues[place].extend(records)
        self.position[place] = next_offset
        if records:
            self.fetched[place] = records[-1].appended_at

    def waiting(self, place: Place) -> int:
        """Records read of ``place`` and not yet taken."""
        return len(self.queues[place])

    def take(self, limit: int, ends: Mapping[Place, int]) -> list[Received]:
        """At most ``limit`` records in append order per partition number, beginning with another number each time.

        ``ends`` are end offsets asked for lately: a topic that was read that far bounds nothing, one that was not
        bounds its partition number at the time of its last record read.
        """
        taken: list[Received] = []
        numbers = sorted({p for _, p in self.queues})
        behind = [p for p in numbers if p >= self._first]
        for p in [*behind, *numbers[: len(numbers) - len(behind)]]:
            if len(taken) >= limit:
                break
            self._take_from(p, limit, ends, taken)
            self._first = p + 1  # a number with a backlog lets the others go before its next part
        return taken

    def _take_from(self, p: int, limit: int, ends: Mapping[Place, int], taken: list[Received]) -> None:
        places = [place for place in self.queues if place[1] == p]
        frontier: datetime | None = None
        for place in places:
            if self.position[place] < ends.get(place, 1 << 62):
                if place not in self.fetched:
                    return
                frontier = min(frontier or self.fetched[place], self.fetched[place])
        heap = [(self._order(place), place) for place in places if self.queues[place]]
        heapq.heapify(heap)
        while heap and len(taken) < limit:
            (appended_at, *_), place = heap[0]
            if frontier is not None and appended_at > frontier:
                return
            taken.append(self.queues[place].popleft())
            if self.queues[place]:
                heapq.heapreplace(heap, (self._order(place), place))
            else:
                heapq.heappop(heap)

    def _order(self, place: Place) -> tuple[datetime, int, int]:
        first = self.queues[place][0]
        return (first.appended_at, self.rank[place[0]], first.offset)
