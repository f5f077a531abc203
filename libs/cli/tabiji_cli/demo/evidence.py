"""What a run left behind: the driver's own files on one side, what the services say on the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tabiji_cli.demo.expected import Bought
from tabiji_cli.ledger import Mail, Reaction

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row of dispatch's ledger."""

    key: str
    customer: str
    journey: str
    template: str
    channel: str
    state: str
    reason: str


@dataclass(frozen=True)
class JourneyCount:
    """People in one journey; ``entered`` comes from a ledger of its own."""

    journey: str
    entered: int
    waiting: Mapping[str, int]
    finished: int
    exited: Mapping[str, int]
    converted: int = 0

    @property
    def unaccounted(self) -> int:
        """Entered, less everybody who is somewhere: 0 unless somebody is lost or counted twice."""
        return self.entered - sum(self.waiting.values()) - self.finished - sum(self.exited.values())


@dataclass(frozen=True, slots=True)
class Arm:
    """One group of an experiment: its customers, and how many of them reached the goal."""

    journey: str
    experiment: str
    arm: str
    people: int
    converted: int


@dataclass(frozen=True)
class Evidence:
    """Everything that the checks and the report need, read once after the last tick.

    events      accepted events by kind              consents   when each customer agreed to mail
    mails       with LINE messages among them        line_consents  when each customer agreed to those
    taken_in    when each order was accepted, in simulated time
    tables      analytics views: ``retention_monthly@Asia/Tokyo`` names the zone where a view has one
    drift       cells in which a view and its recomputation differ
    """

    events: Mapping[str, int]
    orders: Sequence[Bought]
    consents: Mapping[str, datetime]
    mails: Sequence[Mail]
    reactions: Sequence[Reaction]
    deliveries: Mapping[str, Delivery]
    tables: Mapping[str, Sequence[Row]]
    journeys: Sequence[JourneyCount]
    arms: Sequence[Arm] = ()
    line_consents: Mapping[str, datetime] = field(default_factory=dict)
    taken_in: Mapping[str, datetime] = field(default_factory=dict)
    timeouts: int = 0
    drift: int = 0
    stuck: int = 0
    parked: int = 0
    dead_letters: int = 0
    known: Mapping[str, int] = field(default_factory=dict)
