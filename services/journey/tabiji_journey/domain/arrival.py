"""A record as journeys see it: the original event of a handover, and the values that conditions may look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import msgspec
from tabiji_common import commands, events
from tabiji_common.errors import Reject
from tabiji_common.topics import TOPICS

from tabiji_journey.domain.model import EventInput

_HIDDEN = frozenset({"workspace", "customer", "anonymous", "anonymous_id", "properties", "pii", "message_key", "machine"})


class Arrival(Protocol):
    """A record that arrived; ``body`` raises ``Reject`` where it cannot be read."""

    topic: str
    key: str
    id: str
    type: str
    source: str
    occurred_at: datetime
    accepted_at: datetime
    mode: Any
    body_hash: str
    value: bytes

    @property
    def body(self) -> Any:
        """The payload."""
        ...


@dataclass(frozen=True, slots=True)
class Told:
    """An event told to this customer: as it came, or handed over from the visitor it once was (``hops`` times).

    ``now`` is logical time: when the event was taken, or when it was handed over.
    """

    topic: str
    id: str
    type: str
    source: str
    occurred_at: datetime
    now: datetime
    mode: str
    body_hash: str
    value: bytes
    body: Any
    hops: int = 0


def told(arrival: Arrival) -> Told:
    """The event, command or outcome behind a record; raises ``Reject`` where it cannot be read."""
    body = arrival.body
    if isinstance(body, commands.Handover):
        return _handed_over(arrival, body)
    return Told(
        arrival.topic,
        arrival.id,
        arrival.type,
        arrival.source,
        arrival.occurred_at,
        arrival.accepted_at,
        str(arrival.mode),
        arrival.body_hash,
        arrival.value,
        body,
    )


def _handed_over(arrival: Arrival, handover: commands.Handover) -> Told:
    topic = TOPICS.get(handover.original_topic)
    if topic is None:
        raise Reject(f"unknown topic {handover.original_topic!r}", "original_topic")
    value = handover.value.encode()
    original: events.Event = topic.decode(handover.original_type, value)
    return Told(
        handover.original_topic,
        handover.original_id,
        handover.original_type,
        handover.original_source,
        handover.occurred_at,
        arrival.accepted_at,
        handover.mode,
        handover.body_hash,
        value,
        msgspec.structs.replace(original, customer=handover.customer, anonymous=False),
        handover.hops,
    )


def event_input(event: Told) -> EventInput:
    """What the engine sees of an event: plain values under their own names, nothing personal."""
    body = event.body
    fields = {
        name: value
        for name, value in msgspec.structs.asdict(body).items()
        if name not in _HIDDEN and value is not None
    }
    return EventInput(
        id=event.id,
        type=event.type,
        occurred_at=event.occurred_at,
        accepted_at=event.now,
        context={**body.properties, **fields},
        order_id=_named(body, "order_id"),
        cart_id=_named(body, "cart_id"),
        message_key=getattr(body, "message_key", None),
        machine=getattr(body, "machine", False),
        mode=event.mode,
        anonymous=body.anonymous,
    )


def _named(body: events.Event, name: str) -> str | None:
    value = getattr(body, name, None) or body.properties.get(name)
    return value if isinstance(value, str) else None
