"""Identities and choices: pure functions of what they name, never of time, attempt or worker."""

from __future__ import annotations

import hashlib

from tabiji_common.topics import derived_id
from tabiji_journey.domain.definition import WHOLE, Arm, Definition, Split
from tabiji_journey.domain.model import Enrollment, EventInput, Ids

_ORDER_EVENTS = frozenset({"order_cancelled", "order_shipped", "order_delivered"})


def business_id(event: EventInput) -> str:
    """What makes the event one of a kind for the shop: the order of a purchase, else the record's id."""
    if event.order_id and event.type == "order_completed":
        return event.order_id
    if event.order_id and event.type in _ORDER_EVENTS:
        return f"{event.type}:{event.order_id}"
    return event.id


def enrollment_id(definition: Definition, ids: Ids, key: str, business: str) -> str:
    """The id of an enrollment; under ``reenter: never`` there is one for each key.

    Who comes back after an erasure is somebody new, whose messages are not those of before.
    """
    parts = [ids.workspace, definition.id, ids.customer, key]
    if ids.erased_at is not None:
        parts.append(f"after {ids.erased_at.isoformat()}")
    return derived_id(*parts) if definition.enter.reenter == "never" else derived_id(*parts, business)


def visit_id(enrollment: str, state: str, visit: int) -> str:
    """The id of one stay in one state."""
    return derived_id(enrollment, state, str(visit))


def message_key(enrollment: str, state: str, visit: int, channel: str) -> str:
    """The key of the one message that a visit of a send state makes."""
    return derived_id(visit_id(enrollment, state, visit), channel, "0")


def timer_id(enrollment: Enrollment, kind: str) -> str:
    """What a transition names as the timer behind it."""
    return f"{visit_id(enrollment.id, enrollment.state, enrollment.visit)}:{kind}"


def share(journey: str, customer: str, choice: str) -> int:
    """Where a customer falls in a choice: 0 … 999,999, evenly, the same for ever."""
    text = "\x1f".join((journey, customer, choice)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) * WHOLE >> 64


def in_holdout(definition: Definition, customer: str) -> bool:
    """Whether this customer is one of those that get no message."""
    return share(definition.id, customer, "holdout") < definition.holdout


def arm_of(journey: str, customer: str, split: Split) -> Arm:
    """The arm this customer takes."""
    place = share(journey, customer, split.name)
    for arm in split.arms:
        place -= arm.share
        if place < 0:
            return arm
    return split.arms[-1]
