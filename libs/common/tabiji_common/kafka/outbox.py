"""The outbox as its owner remembers it: what may go out now, in order for each customer. Pure; the rows are in
``store``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tabiji_common.kafka.turn import Received
from tabiji_common.topics import Headers, Record, cloud_headers

Slot = tuple[int, int, int]  # partition number, epoch, n: a row's key, and its place in the order


@dataclass(slots=True)
class Row:
    """One record on its way: not handed over, handed over, or (gone from memory) acked."""

    slot: Slot
    topic: str
    key: str
    id: str
    type: str
    source: str
    occurred_at: datetime
    accepted_at: datetime
    mode: str
    body_hash: str
    day: str
    value: bytes
    headers: Headers
    held: bool = False
    reason: str = ""
    barrier: int = -1
    handed: bool = False

    @classmethod
    def of(cls, slot: Slot, record: Record[Any], *, held: bool = False) -> Row:
        """The row of ``record``; encoded here, once."""
        return cls(
            slot,
            record.topic.name,
            record.key,
            record.id,
            record.type,
            record.source,
            record.occurred_at,
            record.accepted_at,
            record.mode.value,
            record.body_hash,
            record.day,
            record.value(),
            record.headers(),
            held=held,
        )

    @classmethod
    def dead(cls, slot: Slot, record: Received, topic: str, reason: str) -> Row:
        """A record that cannot apply, as it was received, on its way to ``topic`` with the reason in a header."""
        row = cls(
            slot,
            topic,
            record.key,
            record.id,
            record.type,
            record.source,
            record.occurred_at,
            record.accepted_at,
            record.mode.value,
            record.body_hash,
            record.day.isoformat(),
            record.value,
            [],
            reason=reason,
        )
        row.headers = row.wire_headers()
        return row

    def wire_headers(self) -> Headers:
        """The headers, made from the row's columns."""
        headers = cloud_headers(
            self.id,
            self.type,
            self.source,
            self.occurred_at,
            self.accepted_at,
            self.mode,
            self.body_hash,
            self.day,
        )
        return [*headers, ("reason", self.reason.encode())] if self.reason else headers


@dataclass(slots=True)
class Outbox:
    """Rows in order by partition number. A held row is passed over; later rows of its customer wait behind it."""

    rows: dict[int, dict[Slot, Row]] = field(default_factory=dict)
    acked: list[Slot] = field(default_factory=list)
    waiting: dict[str, Row] = field(default_factory=dict)

    def add(self, rows: Iterable[Row]) -> None:
        """Committed rows, in order."""
        for row in rows:
            self.rows.setdefault(row.slot[0], {})[row.slot] = row
            if row.held:
                self.waiting[row.id] = row

    def reconcile(self, rows: Iterable[Row], kept: frozenset[int], barrier: int) -> None:
        """Become what the database has (``rows``, in order): what is not there is gone, and what was never heard of is
        new.

        Of the numbers in ``kept`` memory knows more than the database: what was handed over, released or acked. All
        other rows get a fresh ``barrier``, for those live in memory.
        """
        known = {slot: row for p, mine in self.rows.items() if p in kept for slot, row in mine.items()}
        acked, there = set(self.acked), set()
        self.rows = {}
        for row in rows:
            there.add(row.slot)
            if row.slot not in acked:
                row.barrier = barrier
                self.rows.setdefault(row.slot[0], {})[row.slot] = known.get(row.slot, row)
        self.acked = [slot for slot in self.acked if slot in there]
        self.waiting = {row.id: row for mine in self.rows.values() for row in mine.values() if row.held}

    def passed(self, newest: dict[int, int]) -> list[Row]:
        """Held rows whose barrier is among the probes passed (``newest``: by number, the newest probe's)."""
        return [row for row in self.waiting.values() if 0 <= row.barrier <= newest.get(row.slot[0], -1)]

    def release(self, rows: Iterable[Row]) -> None:
        """Their barrier has passed and nobody withdrew them: they may be handed over."""
        for row in rows:
            row.held = False
            self.waiting.pop(row.id, None)

    def inherited(self, epochs: Mapping[int, int]) -> frozenset[str]:
        """Ids of held rows that were written under other epochs than these: who wrote them may have published them."""
        return frozenset(id_ for id_, row in self.waiting.items() if epochs.get(row.slot[0]) != row.slot[1])

    def withdraw(self, ids: Iterable[str]) -> list[Slot]:
        """The slots of held rows, to be deleted in this transaction; ``drop`` them once it has committed."""
        return [self.waiting[id_].slot for id_ in ids]

    def drop(self, slots: Iterable[Slot]) -> None:
        """Forget rows that are gone."""
        for slot in slots:
            row = self.rows.get(slot[0], {}).pop(slot, None)
            if row is not None:
                self.waiting.pop(row.id, None)

    def hand_over(self, limit: int, blocked: Iterable[str] = ()) -> list[Row]:
        """Rows to publish now, at most ``limit``; ``blocked`` customers (parked) wait."""
        ready: list[Row] = []
        for rows in self.rows.values():
            behind = set(blocked)
            for row in rows.values():
                if row.held or row.key in behind:
                    behind.add(row.key)
                elif not row.handed:
                    row.handed = True
                    ready.append(row)
                    if len(ready) >= limit:
                        return ready
        return ready

    def ack(self, rows: Iterable[Row]) -> None:
        """Kafka has them; the next transaction deletes their rows."""
        for row in rows:
            if self.rows.get(row.slot[0], {}).pop(row.slot, None) is not None:
                self.acked.append(row.slot)

    def fail(self, rows: Iterable[Row]) -> None:
        """No ack: they go again, in their place."""
        for row in rows:
            row.handed = False

    def __len__(self) -> int:
        return sum(len(rows) for rows in self.rows.values())
