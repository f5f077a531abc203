"""What was decided, as records for other services; ids are pure functions, so that a repeat is seen as one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tabiji_common import commands, events
from tabiji_common.topics import (
    CUSTOMERS,
    JOURNEY_COMMANDS,
    SENDS,
    TRANSITIONS,
    Mode,
    Record,
    customer_key,
    derived_id,
    split_key,
)
from tabiji_journey.domain.arrival import Told
from tabiji_journey.domain.model import Cancel, Ids, Moved, Send
from tabiji_journey.domain.state import Folded

SOURCE = "tabiji/journey"


@dataclass(slots=True)
class Outgoing:
    """Records of one customer: those that go at once, in order, and the sends, which wait for their barrier."""

    records: list[Record[Any]] = field(default_factory=list)
    sends: list[Record[Any]] = field(default_factory=list)


def outgoing(folded: Folded, seen: commands.Seen, now: datetime) -> Outgoing:
    """What a fold asks of others; ``seen`` is what this service has applied of what dispatch decides by."""
    ids = Ids(*split_key(folded.state.key))
    out = Outgoing()
    for effect in folded.effects:
        match effect:
            case Moved():
                out.records.append(transition(ids, effect, now))
            case Send():
                out.sends.append(send(ids, effect, seen, now))
            case Cancel():
                out.records.append(cancel(ids, effect, now))
    for event, target in folded.passed:
        out.records.append(handover(ids.workspace, target, event, event.hops + 1, now))
    out.records.extend(known(ids, target, record, now) for target, record in folded.answered)
    for record in folded.erased:
        out.records.extend(erased(ids.workspace, visitor, record, now) for visitor in folded.forgotten)
        out.records.append(erasure_done(ids, record, now))
    return out


def transition(ids: Ids, moved: Moved, now: datetime) -> Record[Any]:
    """A move, for everyone."""
    body = commands.Transition(
        workspace=ids.workspace,
        customer=ids.customer,
        enrollment=moved.enrollment,
        journey=moved.journey,
        version=moved.version,
        kind=moved.kind,
        at=moved.at,
        from_state=moved.from_state,
        to_state=moved.to_state,
        cause=moved.cause,
        cause_id=moved.cause_id,
        reason=moved.reason,
        holdout=moved.holdout,
        key=moved.key,
        seq=moved.seq,
        message_key=moved.message_key,
        arms=dict(moved.arms),
    )
    id_ = derived_id(moved.enrollment, str(moved.seq), "transition")
    return _record(TRANSITIONS, body, "transition", id_, moved.at, now)


def send(ids: Ids, wish: Send, seen: commands.Seen, now: datetime) -> Record[Any]:
    """Ask dispatch for a message; its id is the message key."""
    body = commands.SendMessage(
        workspace=ids.workspace,
        customer=ids.customer,
        message_key=wish.message_key,
        journey=wish.journey,
        version=wish.version,
        enrollment=wish.enrollment,
        state=wish.state,
        channel=wish.channel,
        template=wish.template,
        message_class=wish.message_class,
        provider=wish.provider,
        variables=dict(wish.variables),
        decided_at=wish.decided_at,
        not_after=wish.not_after,
        priority=wish.priority,
        seen=seen,
    )
    return _record(SENDS, body, "send", wish.message_key, wish.decided_at, now)


def cancel(ids: Ids, wish: Cancel, now: datetime) -> Record[Any]:
    """Ask dispatch not to send a message that may be with it already."""
    body = commands.CancelMessage(
        workspace=ids.workspace, customer=ids.customer, message_key=wish.message_key, reason=wish.reason
    )
    return _record(SENDS, body, "cancel", derived_id(wish.message_key, "cancel"), now, now)


def handover(workspace: str, target: str, event: Any, hops: int, now: datetime) -> Record[Any]:
    """Pass an event on to the customer that its visitor turned out to be, with its own id and times.

    ``event`` has the fields of ``ports.Kept``; ``hops`` counts this one.
    """
    value = event.value if isinstance(event.value, str) else event.value.decode()
    body = commands.Handover(
        workspace=workspace,
        customer=target,
        original_id=event.id,
        original_type=event.type,
        original_source=event.source,
        original_topic=event.topic,
        occurred_at=event.occurred_at,
        value=value,
        mode=event.mode,
        body_hash=event.body_hash,
        hops=hops,
    )
    id_ = derived_id("handover", workspace, event.source, event.id, target)
    return _record(JOURNEY_COMMANDS, body, "handover", id_, event.occurred_at, now, Mode(event.mode))


def known(ids: Ids, target: str, record: Told, now: datetime) -> Record[Any]:
    """Tell ``target`` that who was said to be it is a known customer."""
    body = events.Merged(workspace=ids.workspace, customer=target, source=ids.customer, target=target, known=True)
    id_ = derived_id("known", ids.workspace, record.source, record.id, target)
    return _record(CUSTOMERS, body, "merged", id_, record.occurred_at, now, Mode(record.mode))


def erased(workspace: str, visitor: str, cause: Told, now: datetime) -> Record[Any]:
    """Forget the visitor who turned out to be an erased customer, as it was when that one was to be forgotten."""
    body = events.Erased(workspace=workspace, customer=visitor)
    id_ = derived_id("erased", workspace, visitor, cause.id)
    return _record(CUSTOMERS, body, "erased", id_, cause.occurred_at, now)


def erasure_done(ids: Ids, cause: Told, now: datetime) -> Record[Any]:
    """The journey service has forgotten the customer; what it ended for that, it ended when the erasure was taken."""
    until = max(cause.occurred_at, cause.now)
    body = events.ErasureDone(workspace=ids.workspace, customer=ids.customer, service="journey", until=until)
    return _record(CUSTOMERS, body, "erasure_done", derived_id("erasure_done", "journey", cause.id), now, now)


def _record(
    topic: Any, body: Any, type_: str, id_: str, occurred_at: datetime, now: datetime, mode: Mode = Mode.LIVE
) -> Record[Any]:
    key = customer_key(body.workspace, body.customer)
    return Record(topic, key, id_, type_, SOURCE, occurred_at, now, body, mode)
