"""Leases that ran out: which open attempts are over, and what that means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

from tabiji_dispatch.domain.consent import Listing
from tabiji_dispatch.domain.ledger import Move
from tabiji_dispatch.domain.message import Delivery
from tabiji_dispatch.domain.outcomes import Attempt, Result, Step, Verdict, on_unknown
from tabiji_dispatch.domain.pick import Moment, Terms

Id = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Open:
    """An attempt without a result. Times are wall time."""

    delivery: Delivery
    lease_until: datetime
    claimed_by: str

    @property
    def id(self) -> Id:
        """Message key and token."""
        return self.delivery.key, self.delivery.token


@dataclass(frozen=True, slots=True)
class Settlement:
    """An attempt's result and what it means. Wall time but for ``now``."""

    key: str
    token: int
    provider: str
    verdict: Verdict
    step: Step
    retry_at: datetime
    wall: datetime
    now: datetime
    listing: Listing | None = None


def watch(
    found: Iterable[Open], flying: AbstractSet[Id], watched: Mapping[Id, float], elapsed: float
) -> dict[Id, float]:
    """Open attempts that no courier of this process holds, with the machine time at which each was first seen."""
    return {one.id: watched.get(one.id, elapsed) for one in found if one.id not in flying}


def over(found: Iterable[Open], watched: Mapping[Id, float], terms: Terms, moment: Moment) -> list[Open]:
    """Those to reap: ours (never started), and others' whose lease is over on the wall and on our own clock too."""
    return [
        one
        for one in found
        if one.id in watched
        and (
            one.claimed_by == terms.who
            or (one.lease_until < moment.wall and moment.elapsed - watched[one.id] >= terms.lease)
        )
    ]


def lost(one: Open, terms: Terms, moment: Moment) -> Settlement:
    """What becomes of it: unsent where it was ours and never started, else by the provider's policy."""
    delivery, wall = one.delivery, moment.wall
    if one.claimed_by == terms.who:
        verdict, step = Verdict(Result.UNSENT, "not started"), Step(Move.RETURNED, "unsent", burned=False)
    else:
        carrier = terms.carriers.get(delivery.provider)
        age = (wall - (delivery.first_attempt_at or wall)).total_seconds()
        attempt = Attempt(delivery.key, delivery.token, delivery.attempts, 0, age, delivery.in_doubt)
        verdict, step = Verdict(Result.UNKNOWN, "lease"), Step(Move.LOST, "unknown", in_doubt=True)
        if carrier:
            step = on_unknown(carrier.capability(delivery.message_class), attempt)
    retry_at = wall + timedelta(seconds=step.delay)
    return Settlement(delivery.key, delivery.token, delivery.provider, verdict, step, retry_at, wall, moment.now)
