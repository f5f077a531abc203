"""What the pipeline needs kept, within the turn's transaction: orders, touches, messages, moves, rollups, people."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from tabiji_analytics.domain.contribution import Touch
from tabiji_analytics.domain.deltas import CellDeltas
from tabiji_analytics.domain.facts import Concluded, Engaged, Moved, OrderPlaced, RefundGiven, Touched, Who
from tabiji_analytics.domain.funnel import FunnelCell
from tabiji_analytics.domain.ledger import Orders, Placing
from tabiji_analytics.domain.messages import Message
from tabiji_common.postgres import Connection
from tabiji_common.users import Users


class OrderBook(Protocol):
    """Orders and refunds, each once in its workspace."""

    async def of(self, tx: Connection, whos: Collection[Who]) -> dict[Who, Orders]:
        """All orders of these customers, with their refunds."""
        ...

    async def place(
        self, tx: Connection, placed: Sequence[tuple[Who, OrderPlaced]], mentioned: Mapping[bytes, Who]
    ) -> Placing:
        """Insert orders, and rows that wait for ``mentioned`` orders that nobody placed; locks all, in sorted order."""
        ...

    async def correct(
        self, tx: Connection, refunds: Sequence[RefundGiven], dropped: Collection[bytes]
    ) -> set[tuple[bytes, bytes]]:
        """Keep refunds and cancellations; the (order, refund) keys of the refunds that were new."""
        ...

    async def release(self, tx: Connection, whos: Collection[Who]) -> None:
        """Make these customers' orders nobody's until a handover claims them; refunds and cancellations wait there."""
        ...


class TouchBook(Protocol):
    """Events that name a medium."""

    async def first(self, tx: Connection, whos: Collection[Who]) -> dict[Who, Touch]:
        """The earliest touch of each of these customers."""
        ...

    async def add(self, tx: Connection, touches: Sequence[tuple[Who, Touched]]) -> set[bytes]:
        """Insert; the keys of those that were new."""
        ...

    async def take(self, tx: Connection, whos: Collection[Who]) -> dict[Who, list[Touched]]:
        """Delete and return all touches of these customers."""
        ...


class MessageBook(Protocol):
    """Outcomes and engagements."""

    async def of(
        self, tx: Connection, messages: Collection[str]
    ) -> tuple[dict[Message, list[Concluded]], dict[Message, list[Engaged]]]:
        """What is known of these message keys, by customer and message key."""
        ...

    async def conclude(self, tx: Connection, outcomes: Sequence[tuple[Who, Concluded]]) -> set[bytes]:
        """Insert; the keys of those that were new."""
        ...

    async def engage(self, tx: Connection, engagements: Sequence[tuple[Who, Engaged]]) -> set[bytes]:
        """Insert; the keys of those that were new."""
        ...

    async def take(self, tx: Connection, whos: Collection[Who]) -> dict[Who, list[Engaged]]:
        """Delete and return all engagements of these customers."""
        ...


class MoveBook(Protocol):
    """Moves of enrollments."""

    async def cells(self, tx: Connection, enrollments: Collection[str]) -> set[tuple[str, FunnelCell]]:
        """The cells that these enrollments are counted in already."""
        ...

    async def add(self, tx: Connection, moves: Sequence[tuple[Who, Moved]]) -> set[bytes]:
        """Insert; the keys of those that were new."""
        ...


class Rollups(Protocol):
    """The cells under the views."""

    async def zones(self, tx: Connection) -> list[ZoneInfo]:
        """The zones that months are kept for; they cannot change before the transaction ends."""
        ...

    async def add(self, tx: Connection, rollup: str, deltas: CellDeltas) -> None:
        """Add to the cells of the table ``rollup``, in sorted order; cells that are not there begin at zero."""
        ...


class Ids(Protocol):
    """Which ids are users'."""

    async def users(self, tx: Connection, keys: Collection[str]) -> set[str]:
        """Those of these customer keys that are users'."""
        ...

    async def remember(self, tx: Connection, users: Users) -> None:
        """Keep what was found out about ids."""
        ...


class People(Protocol):
    """Who is who."""

    async def targets(self, tx: Connection, whos: Collection[Who]) -> dict[Who, str]:
        """The customers that these visitors turned out to be, for those who did."""
        ...

    async def merge(self, tx: Connection, merges: Mapping[Who, str]) -> set[Who]:
        """Record visitor → customer; those for which it is new. The first merge of a visitor stands."""
        ...

    async def pend(self, tx: Connection, pairs: Collection[tuple[str, str, str]]) -> int:
        """Record (workspace, source, target) of known customers said to be one; how many are new."""
        ...

    async def erase(self, tx: Connection, whos: Mapping[Who, datetime | None]) -> dict[Who, Who]:
        """Put a random id in the place of each of these customers; which one.

        Everywhere, or where there is an instant, only in what is of before it: facts that happened until then,
        enrollments that had begun by then, and messages of those.
        """
        ...


@dataclass(frozen=True, slots=True)
class Books:
    """Everything the pipeline keeps things in."""

    orders: OrderBook
    touches: TouchBook
    messages: MessageBook
    moves: MoveBook
    rollups: Rollups
    people: People
    ids: Ids
