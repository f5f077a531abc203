"""records -> readings -> a batch: which facts are this customer's, which go on to another. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tabiji_analytics.domain import handover
from tabiji_analytics.domain.facts import (
    Concluded,
    Engaged,
    Fact,
    Movable,
    Moved,
    OrderDropped,
    OrderPlaced,
    RefundGiven,
    Touched,
    Who,
)
from tabiji_analytics.domain.reading import facts_in
from tabiji_common.commands import FactsHandover
from tabiji_common.events import Erased, ErasureDone, Merged
from tabiji_common.kafka.turn import Received
from tabiji_common.topics import ANALYTICS_COMMANDS, CUSTOM, PAGE_VIEWS, identity_hash, split_key
from tabiji_common.users import Users


@dataclass(frozen=True, slots=True)
class Reading:
    """What one record says: the facts of ``who`` and how often they were passed on, or a merge, or an erasure.

    Another service's word that it is done is an erasure too: what it told last of the customer lies before it. That
    one comes late, so it forgets what was until the erasure (``until``) and leaves alone who has come back since.
    """

    received: Received
    who: Who
    facts: Sequence[Fact] = ()
    hops: int = 0
    merged: Merged | None = None
    erased: bool = False
    until: datetime | None = None


def read(received: Received, users: Users) -> Reading | None:
    """What a record says, ``None`` where analytics has no use for it; ``users`` learns of it; raises ``Reject``."""
    topic = received.topic
    if topic == ANALYTICS_COMMANDS.name:
        return None
    body = users.read(received.key, received.partition, received.body)
    if topic in {PAGE_VIEWS.name, CUSTOM.name} and b'"medium"' not in received.value:
        return None
    who = split_key(received.key)
    if isinstance(body, FactsHandover):
        return Reading(received, who, handover.unpack(body), body.hops)
    if isinstance(body, Merged):
        return Reading(received, who, merged=body)
    identity = identity_hash(who[0], received.source, received.id)
    facts = list(facts_in(body, identity, received.type, received.occurred_at))
    erased = isinstance(body, Erased) or (isinstance(body, ErasureDone) and body.service != "analytics")
    until = (body.until or received.occurred_at) if isinstance(body, ErasureDone) else None
    return Reading(received, who, facts, erased=erased, until=until) if facts or erased else None


def segments(readings: Iterable[Reading]) -> Iterator[list[Reading]]:
    """Cut so that nothing of an erased customer follows its erasure in the same segment."""
    segment: list[Reading] = []
    gone: set[Who] = set()
    for reading in readings:
        if reading.who in gone:
            yield segment
            segment, gone = [], set()
        segment.append(reading)
        if reading.erased:
            gone.add(reading.who)
    if segment:
        yield segment


@dataclass(slots=True)
class Forward:
    """Facts to pass on from one customer to another."""

    source: Who
    target: str
    hops: int
    facts: list[Movable] = field(default_factory=list)


@dataclass(slots=True)
class Batch:
    """The facts of a segment under the customers they belong to, each once; the first of a kind counts."""

    p: dict[Who, int] = field(default_factory=dict)
    orders: dict[bytes, tuple[Who, OrderPlaced]] = field(default_factory=dict)
    again: list[OrderPlaced] = field(default_factory=list)
    refunds: dict[tuple[bytes, bytes], tuple[Reading, RefundGiven]] = field(default_factory=dict)
    dropped: dict[bytes, Reading] = field(default_factory=dict)
    touches: dict[bytes, tuple[Who, Touched]] = field(default_factory=dict)
    engagements: dict[bytes, tuple[Who, Engaged]] = field(default_factory=dict)
    moves: dict[bytes, tuple[Who, Moved]] = field(default_factory=dict)
    outcomes: dict[bytes, tuple[Who, Concluded]] = field(default_factory=dict)
    forwards: dict[tuple[Who, str, int], Forward] = field(default_factory=dict)

    def forward(self, source: Who, target: str, hops: int, facts: Iterable[Movable]) -> None:
        """Pass ``facts`` on."""
        key = (source, target, hops)
        self.forwards.setdefault(key, Forward(*key)).facts.extend(facts)

    def sort(self, readings: Iterable[Reading], targets: Mapping[Who, str]) -> Batch:
        """Put every fact where it belongs; what has made three hops stays where it is."""
        for reading in readings:
            self.p[reading.who] = reading.received.partition
            target = targets.get(reading.who) if reading.hops < handover.MOST_HOPS else None
            for fact in reading.facts:
                if target is not None and isinstance(fact, Movable):
                    self.forward(reading.who, target, reading.hops + 1, [fact])
                else:
                    self._keep(reading, fact)
        return self

    def _keep(self, reading: Reading, fact: Fact) -> None:
        who = reading.who
        match fact:
            case OrderPlaced():
                if self.orders.setdefault(fact.key, (who, fact))[1] is not fact:
                    self.again.append(fact)
            case RefundGiven():
                self.refunds.setdefault((fact.order, fact.key), (reading, fact))
            case OrderDropped():
                self.dropped.setdefault(fact.order, reading)
            case Touched():
                self.touches.setdefault(fact.key, (who, fact))
            case Engaged():
                self.engagements.setdefault(fact.key, (who, fact))
            case Moved():
                self.moves.setdefault(fact.key, (who, fact))
            case Concluded():
                self.outcomes.setdefault(fact.key, (who, fact))

    def buyers(self) -> set[Who]:
        """The customers whose contribution to the order rollups this batch may change."""
        return {
            *(who for who, _ in self.orders.values()),
            *(reading.who for reading, _ in self.refunds.values()),
            *(reading.who for reading in self.dropped.values()),
            *(who for who, _ in self.touches.values()),
        }

    def mentioned(self) -> dict[bytes, Who]:
        """Orders that a refund or a cancellation names, with who named them."""
        named = {order: reading.who for (order, _), (reading, _) in self.refunds.items()}
        return named | {order: reading.who for order, reading in self.dropped.items()}
