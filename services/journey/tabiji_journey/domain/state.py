"""One customer's state as it is loaded and written, and what a fold of its records came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from tabiji_journey.domain.arrival import Told
from tabiji_journey.domain.memory import NOTHING, Memory
from tabiji_journey.domain.model import FAULTY, Effect, Enrollment, Moved
from tabiji_journey.domain.profile import EMPTY, Profile


class Ties(msgspec.Struct, frozen=True):
    """``visitors`` turned out to be this customer; ``paused`` journeys hold it until resumed.

    What happened until ``erased_at`` is forgotten, also where it is read later.
    """

    visitors: tuple[str, ...] = ()
    paused: tuple[str, ...] = ()
    erased_at: datetime | None = None


class CustomerState(msgspec.Struct, frozen=True):
    """All that is loaded of one customer: those of its enrollments that an input could still concern, by id.

    ``user`` says that the id was a user's before; it is only asked where a merge needs it.
    """

    key: str
    profile: Profile = EMPTY
    memory: Memory = NOTHING
    ties: Ties = Ties()
    merged_into: str = ""
    user: bool = False
    enrollments: dict[str, Enrollment] = msgspec.field(default_factory=dict)


@dataclass(slots=True)
class Folded:
    """What a fold came to. Effects are in the order in which they were decided.

    kept        events of a visitor not yet known, to be kept for whom it turns out to be
    merged      the customer that everything kept so far belongs to, ``""`` where nothing was merged
    passed      (event, customer id) to hand over, after what was kept before
    withdrawn   message keys of held sends that must not go
    erased      the records that asked to forget the customer; what it had is in ``gone``
    forgotten   visitors who had turned out to be the erased customer
    pending     (other customer, time) of merges between two known customers
    answered    (customer id, merge) to be told that who is said to be it is a known customer
    late        by how many seconds each timer that fired was late
    refused     (journey, reason) of entries that did not happen
    too_late    how many events happened before an erasure that was read earlier
    """

    state: CustomerState
    effects: list[Effect] = field(default_factory=list)
    kept: list[Told] = field(default_factory=list)
    merged: str = ""
    passed: list[tuple[Told, str]] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)
    rejected: list[tuple[Told, str]] = field(default_factory=list)
    erased: list[Told] = field(default_factory=list)
    gone: dict[str, Enrollment] = field(default_factory=dict)
    forgotten: tuple[str, ...] = ()
    pending: list[tuple[str, datetime]] = field(default_factory=list)
    answered: list[tuple[str, Told]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    conflicts: int = 0
    too_late: int = 0
    evicted: int = 0
    late: list[float] = field(default_factory=list)

    @property
    def fired(self) -> int:
        """How many timers fired."""
        return len(self.late)

    def definition_errors(self) -> list[str]:
        """The journeys whose conditions failed to evaluate, once for each time."""
        exits = [e.journey for e in self.effects if isinstance(e, Moved) and e.kind == "exited" and e.reason == FAULTY]
        return [*exits, *(journey for journey, reason in self.refused if reason == FAULTY)]


def nobody(key: str, erased_at: datetime | None = None) -> CustomerState:
    """Somebody nothing is known of: never seen, or erased then."""
    return CustomerState(key, ties=Ties(erased_at=erased_at))


def goal_open(enrollment: Enrollment) -> bool:
    """Whether its goal may still be reached."""
    return enrollment.goal_until is not None and enrollment.goal_at is None
