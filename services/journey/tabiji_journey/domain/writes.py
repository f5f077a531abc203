"""What a turn writes: the difference between what was loaded of each customer and what the fold made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from tabiji_common.users import Users
from tabiji_journey.domain.arrival import Told
from tabiji_journey.domain.catalog import Catalog
from tabiji_journey.domain.model import Enrollment, Moved
from tabiji_journey.domain.state import CustomerState, Folded, nobody


class EnrollmentWrite(msgspec.Struct, frozen=True):
    """An enrollment as it was loaded (``None``: it is new) and as it is now.

    ``held`` keeps its timer from firing until a command; ``at_once`` makes it fire as soon as its journey runs again.
    """

    p: int
    before: Enrollment | None
    after: Enrollment
    held: bool = False
    at_once: bool = False


@dataclass(slots=True)
class Writes:
    """Everything that one turn writes; each row carries p.

    ``erased`` are (customer key, id of the record that asked), ``tombs`` (p, customer key, until when); ``forgotten``
    their enrollments, which stay without saying whose they were; ``users`` which ids turned out to be users'.
    """

    owned: frozenset[int]
    users: Users = field(default_factory=Users)
    customers: list[tuple[int, CustomerState]] = field(default_factory=list)
    enrollments: list[EnrollmentWrite] = field(default_factory=list)
    moves: list[tuple[int, Moved]] = field(default_factory=list)
    kept: list[tuple[int, str, Told]] = field(default_factory=list)
    pending: list[tuple[int, str, str, datetime]] = field(default_factory=list)
    erased: list[tuple[str, str]] = field(default_factory=list)
    tombs: list[tuple[int, str, datetime]] = field(default_factory=list)
    forgotten: list[EnrollmentWrite] = field(default_factory=list)
    pauses: list[tuple[str, str, str]] = field(default_factory=list)

    def take(self, p: int, before: CustomerState, folded: Folded, catalog: Catalog) -> None:
        """Add what changed for one customer."""
        after = folded.state
        self.kept.extend((p, after.key, record) for record in folded.kept)
        self.pending.extend((p, after.key, other, at) for other, at in folded.pending)
        self.erased.extend((after.key, record.id) for record in folded.erased)
        self.forgotten.extend(EnrollmentWrite(p, before.enrollments.get(id_), e) for id_, e in folded.gone.items())
        erased_at = after.ties.erased_at
        if folded.erased and erased_at is not None:
            self.tombs.append((p, after.key, erased_at))
        if _changed(before, after) and not (folded.erased and after == nobody(after.key, erased_at)):
            self.customers.append((p, after))
        for id_, enrollment in after.enrollments.items():
            known = None if folded.erased else before.enrollments.get(id_)
            if enrollment is not known:
                held = enrollment.journey in after.ties.paused
                at_once = enrollment.paused and not held and catalog.paused(enrollment.journey)
                self.enrollments.append(EnrollmentWrite(p, known, enrollment, held=held, at_once=at_once))
        self.moves.extend(
            (p, effect)
            for effect in folded.effects
            if isinstance(effect, Moved) and effect.enrollment in after.enrollments
        )


def _changed(before: CustomerState, after: CustomerState) -> bool:
    return (
        after.profile is not before.profile
        or after.memory is not before.memory
        or after.ties != before.ties
        or after.merged_into != before.merged_into
    )
