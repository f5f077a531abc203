"""Segment's calls (``track identify page screen group alias``), alone or in a batch -> ours."""

from __future__ import annotations

from typing import Any, cast, get_args

from tabiji_ingest.domain.call import Call, CallKind, Names
from tabiji_ingest.domain.poison import fingerprint
from tabiji_ingest.domain.properties import MAX_TEXT, read_object, read_text
from tabiji_ingest.domain.refusal import Kind, Refusal

SOURCE = "segment"
"""The one source of every Segment-compatible route: an id is the same event, whichever of them it came by."""

KINDS = frozenset(get_args(CallKind))
CONTEXT = ("campaign", "traits", "userAgent", "user_agent")
"""What is looked at in ``context``."""

_SHOWN = frozenset({"page", "screen"})

NAMES = Names(
    user="userId",
    anonymous="anonymousId",
    previous="previousId",
    id="messageId",
    name="event",
    time="timestamp",
    properties="properties",
    traits="traits",
)


def read_kind(event: dict[str, Any]) -> CallKind:
    """The type that an event of a batch gives itself; raises ``Refusal``."""
    kind = event.get("type")
    if not isinstance(kind, str) or kind not in KINDS:
        raise Refusal("type", f"must be one of {', '.join(sorted(KINDS))}", Kind.TYPE)
    return cast("CallKind", kind)


def read_call(
    kind: CallKind, event: dict[str, Any], sent_at: Any = None, context: dict[str, Any] | None = None
) -> Call:
    """The call in ``event``; ``sent_at`` and ``context`` are the batch's and yield to the event's own."""
    own = read_object(event.get("context"), "context")
    original = event.get("originalTimestamp")
    properties = read_object(event.get("properties"), "properties")
    if kind in _SHOWN and "category" in event and "category" not in properties:
        properties = {**properties, "category": event["category"]}
    return Call(
        kind=kind,
        source=SOURCE,
        names=NAMES,
        body_hash=fingerprint(event),
        name=_name(kind, event),
        id=event.get("messageId"),
        user=event.get("userId"),
        anonymous=event.get("anonymousId"),
        previous=event.get("previousId"),
        group=event.get("groupId"),
        time=event.get("timestamp") if original in (None, "") else original,
        sent_at=event.get("sentAt") or sent_at,
        properties=properties,
        traits=_traits(kind, event, own),
        context={**context, **own} if context else own,
    )


def _name(kind: CallKind, event: dict[str, Any]) -> str:
    if kind == "track":
        name = event.get("event")
        if not isinstance(name, str) or not name.strip():
            raise Refusal("event", "must be the event's name", Kind.TYPE)
        if len(name) > MAX_TEXT:
            raise Refusal("event", f"must be at most {MAX_TEXT} characters", Kind.TYPE)
        return name
    return (read_text(event.get("name"), "name") or "") if kind in _SHOWN else ""


def _traits(kind: CallKind, event: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """Some SDKs put the traits of an identify call under ``context`` only; a group's are never there."""
    if kind == "group":
        return read_object(event.get("traits"), "traits")
    if kind != "identify":
        return {}
    return {
        **read_object(context.get("traits"), "context.traits"),
        **read_object(event.get("traits"), "traits"),
    }
