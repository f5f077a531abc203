"""A log in memory, for unit tests only: the same ports, held to the same suite as Apache Kafka (``tests/conformance``).

One event loop, one process. It knows nothing of fencing, rebalances that take time, or lost acks: those are tested on
the real broker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tabiji_common.errors import Misconfigured
from tabiji_common.kafka.client import received
from tabiji_common.kafka.merge import Place
from tabiji_common.kafka.producer import Encoded, Wire
from tabiji_common.kafka.turn import Received
from tabiji_common.topics import Headers, Record, partition_of


@dataclass(frozen=True, slots=True)
class Kept:
    """A record as the log keeps it; ``timestamp`` is append time in milliseconds."""

    partition: int
    offset: int
    timestamp: int
    key: bytes
    headers: Headers
    value: bytes


@dataclass
class FakeLog:
    """What brokers would hold: records by place, first offsets still kept, members by group."""

    partitions: int = 4
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    kept: dict[Place, list[Kept]] = field(default_factory=dict)
    starts: dict[Place, int] = field(default_factory=dict)
    members: dict[str, list[FakeMembership]] = field(default_factory=dict)
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self, place: Place) -> int:
        """The next offset to be written."""
        return len(self.kept.get(place, []))

    def write(self, record: Encoded) -> None:
        """Append one record, a millisecond after the last one."""
        self.now += timedelta(milliseconds=1)
        place = (record.topic, partition_of(record.key, self.partitions))
        kept = Kept(
            place[1],
            self.end(place),
            round(self.now.timestamp() * 1000),
            record.key.encode(),
            list(record.headers),
            record.value,
        )
        self.kept.setdefault(place, []).append(kept)

    def truncate(self, place: Place, before: int) -> None:
        """Drop what lies below ``before``, as retention does."""
        self.starts[place] = before


class FakeAppender:
    """Appends to a ``FakeLog``; every append is acked."""

    def __init__(self, log: FakeLog) -> None:
        self.log = log

    async def append(self, records: Sequence[Record[Any]]) -> None:
        """Return once all are acked."""
        await self.append_encoded([Wire(record) for record in records])

    async def append_encoded(self, records: Sequence[Encoded]) -> None:
        """The same, for records encoded before."""
        for record in records:
            self.log.write(record)
        self.log.grown.set()
        self.log.grown = asyncio.Event()
        await asyncio.sleep(0)


class FakeMembership:
    """Shares the numbers out evenly among the members of a group, at once."""

    def __init__(self, log: FakeLog, group: str) -> None:
        self.log, self.group = log, group

    @property
    def _all(self) -> list[FakeMembership]:
        return self.log.members.setdefault(self.group, [])

    async def start(self) -> None:
        """Join the group."""
        self._all.append(self)

    async def stop(self) -> None:
        """Leave the group."""
        if self in self._all:
            self._all.remove(self)

    def assigned(self) -> frozenset[int]:
        """The numbers assigned to this member."""
        if self not in self._all:
            return frozenset()
        return frozenset(range(self._all.index(self), self.log.partitions, len(self._all)))

    async def prove(self, partitions: frozenset[int]) -> bool:
        """Whether the group still counts this member in with these numbers."""
        return bool(partitions) and partitions <= self.assigned()


class FakeReader:
    """Reads a ``FakeLog``."""

    def __init__(self, log: FakeLog, *, most: int = 1000) -> None:
        self.log, self.most = log, most
        self.positions: dict[Place, int] = {}

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Disconnect."""
        self.positions = {}

    def assign(self, positions: Mapping[Place, int]) -> None:
        """Read exactly these places, each from its next offset."""
        self.positions = dict(positions)

    async def fetch(self, seconds: float, *, paused: Iterable[Place] = ()) -> dict[Place, list[Received]]:
        """What has come, or after ``seconds`` nothing; see the port."""
        passed_over = frozenset(paused)
        try:
            async with asyncio.timeout(seconds):
                while not (found := self._look(passed_over)):
                    await self.log.grown.wait()
        except TimeoutError:
            return self._look(passed_over)
        return found

    def _look(self, paused: frozenset[Place]) -> dict[Place, list[Received]]:
        found: dict[Place, list[Received]] = {}
        for place, position in self.positions.items():
            if not self.log.starts.get(place, 0) <= position <= self.log.end(place):
                raise Misconfigured(f"the log does not have the next offset any more: {place} {position}")
            raw = [] if place in paused else self.log.kept.get(place, [])[position : position + self.most]
            if raw:
                found[place] = [received(place[0], kept) for kept in raw]
        for place, records in found.items():
            self.positions[place] = records[-1].offset + 1
        return found


class FakeProbes:
    """Asks a ``FakeLog`` about itself."""

    def __init__(self, log: FakeLog) -> None:
        self.log = log

    async def start(self) -> str:
        """Connect; the cluster's id."""
        return "fake"

    async def stop(self) -> None:
        """Disconnect."""

    async def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """The end offset of each place, now."""
        return {place: self.log.end(place) for place in places}

    async def starts(self, places: Iterable[Place]) -> dict[Place, int]:
        """The first offset still kept of each place."""
        return {place: self.log.starts.get(place, 0) for place in places}
