"""What the pipeline needs kept; every call is a fixed number of statements, however large the batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from tabiji_common.postgres import Connection
from tabiji_common.topics import Record
from tabiji_journey.domain.catalog import Catalog
from tabiji_journey.domain.state import CustomerState
from tabiji_journey.domain.writes import Writes


@dataclass(slots=True)
class Wanted:
    """What to load: customers with live enrollments, ended ones by (customer, journey, key) and (customer, id).

    Of those ``merging`` into another one it must be told whether they are users.
    """

    customers: list[str] = field(default_factory=list)
    entries: set[tuple[str, str, str]] = field(default_factory=set)
    enrollments: set[tuple[str, str]] = field(default_factory=set)
    merging: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Due:
    """Customers with timers that may fire, by key with their p; ``more`` is true where the limit was met."""

    customers: Mapping[str, int]
    more: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """An event that was kept for the customer that its visitor turns out to be."""

    key: str
    topic: str
    id: str
    type: str
    source: str
    occurred_at: datetime
    mode: str
    body_hash: str
    value: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How timers stand: the earliest one that may fire, and how many are due."""

    next_due: datetime | None
    due: int


class Journeys(Protocol):
    """The published journeys."""

    async def catalogs(self, tx: Connection) -> Mapping[str, Catalog]:
        """By workspace, the journeys as they stand at this moment."""
        ...


class Customers(Protocol):
    """The customers' rows. All calls run inside the turn's transaction."""

    async def due(
        self,
        tx: Connection,
        until: Mapping[int, datetime],
        running: Iterable[int],
        limit: int,
        unreadable: Collection[tuple[int, int]] = (),
    ) -> Due:
        """Whose timers of the journeys numbered ``running`` are due at or before ``until`` of their p.

        At most ``limit`` timers are looked at; parked customers and those held by a pause are left out, and so are
        those on an ``unreadable`` (number, version): what cannot fire must not stand before what can.
        """
        ...

    async def load(self, tx: Connection, wanted: Wanted) -> dict[str, CustomerState]:
        """The states of ``wanted.customers``; of one never seen, an empty one."""
        ...

    async def take_kept(self, tx: Connection, keys: Iterable[str]) -> list[Kept]:
        """Take out the events kept of these visitors, in the order in which they came."""
        ...

    async def write(self, tx: Connection, writes: Writes, catalogs: Mapping[str, Catalog], now: datetime) -> None:
        """Write it all."""
        ...


class Clockwork(Protocol):
    """What is asked outside of turns."""

    async def standing(
        self,
        connection: Connection,
        owned: Iterable[int],
        now: datetime,
        running: Iterable[int],
        unreadable: Collection[tuple[int, int]] = (),
    ) -> Standing:
        """How the timers of ``owned`` stand that ``Customers.due`` would find, of the journeys numbered ``running``."""
        ...

    async def held_sends(self, connection: Connection, owned: Iterable[int]) -> dict[str, tuple[str, int]]:
        """By message key (customer key, p): sends that an earlier owner decided and did not publish."""
        ...

    async def parked(self, connection: Connection, keys: Iterable[str]) -> frozenset[str]:
        """Those of these customers that are parked."""
        ...


class Commands(Protocol):
    """Where requests to act on one customer go: the log, in order with the customer's events."""

    async def append(self, records: Sequence[Record[Any]]) -> None:
        """Returns once all are acked; raises ``Retry`` where that is unknown."""
        ...
