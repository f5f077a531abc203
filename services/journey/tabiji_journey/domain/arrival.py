"""A record as journeys see it: the original event of a handover, and the values that conditions may look at."""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime
from typing import Any, Protocol

import msgspec

from tabiji_common import commands, events
from tabiji_common.errors import Reject
from tabiji_common.topics import TOPICS
from tabiji_journey.domain.model import EventInput

# Of a known customer, only these matter without a journey that names them.
_TELLING = (
    events.OrderCompleted,
    events.OrderRefunded,
    events.OrderCancelled,
    events.Identified,
    events.ConsentGiven,
    events.ConsentWithdrawn,
    events.Unsubscribed,
    events.Merged,
    events.Erased,
)
_HIDDEN = frozenset(
    {"workspace", "customer", "anonymous", "anonymous_id", "name", "properties", "pii", "message_key", "machine"}
)


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


class Told(msgspec.Struct, frozen=True):
    """An event told to this customer: as it came, or handed over from the visitor it once was (``hops`` times).

    ``now`` is logical time: when the event was taken, or when it was handed over. ``event`` is what the engine sees,
    where a journey names the type. ``arrival`` is the record it came in.
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
    arrival: Arrival
    hops: int = 0
    event: EventInput | None = None


def told(arrival: Arrival, named: Container[str]) -> Told:
    """The event, command or outcome behind a record; raises ``Reject`` where it cannot be read.

    ``named`` are the event types that journeys name.
    """
    body = arrival.body
    if isinstance(body, commands.Handover):
        return _handed_over(arrival, body, named)
    mode = arrival.mode.value
    event = None
    if arrival.type in named and isinstance(body, events.Event):
        event = _event_input(body, arrival.id, arrival.type, arrival.occurred_at, arrival.accepted_at, mode)
    return Told(
        arrival.topic,
        arrival.id,
        arrival.type,
        arrival.source,
        arrival.occurred_at,
        arrival.accepted_at,
        mode,
        arrival.body_hash,
        arrival.value,
        body,
        arrival,
        0,
        event,
    )


def matters(record: Told) -> bool:
    """Whether a record can change anything: most page views of known customers cannot."""
    body = record.body
    if isinstance(body, events.Event):
        return record.event is not None or body.anonymous or isinstance(body, _TELLING)
    return True


def _handed_over(arrival: Arrival, handover: commands.Handover, named: Container[str]) -> Told:
    topic = TOPICS.get(handover.original_topic)
    if topic is None:
        raise Reject(f"unknown topic {handover.original_topic!r}", "original_topic")
    value = handover.value.encode()
    original = topic.decode(handover.original_type, value)
    if not isinstance(original, events.Event):
        raise Reject("only events are handed over", "original_topic")
    body = msgspec.structs.replace(original, customer=handover.customer, anonymous=False)
    id_, type_, occurred_at, now = (
        handover.original_id,
        handover.original_type,
        handover.occurred_at,
        arrival.accepted_at,
    )
    event = _event_input(body, id_, type_, occurred_at, now, handover.mode) if type_ in named else None
    return Told(
        handover.original_topic,
        id_,
        type_,
        handover.original_source,
        occurred_at,
        now,
        handover.mode,
        handover.body_hash,
        value,
        body,
        arrival,
        handover.hops,
        event,
    )


def _event_input(body: Any, id_: str, type_: str, occurred_at: datetime, now: datetime, mode: str) -> EventInput:
    """What the engine sees of an event: plain values under their own names, nothing personal."""
    fields = {
        name: value for name, value in msgspec.structs.asdict(body).items() if name not in _HIDDEN and value is not None
    }
    return EventInput(
        id_,
        type_,
        occurred_at,
        now,
        {**body.properties, **fields},
        _named(body, "order_id"),
        _named(body, "cart_id"),
        getattr(body, "message_key", None),
        getattr(body, "machine", False),
        mode,
        body.anonymous,
    )


def _named(body: events.Event, name: str) -> str | None:
    value = getattr(body, name, None) or body.properties.get(name)
    return value if isinstance(value, str) else None
