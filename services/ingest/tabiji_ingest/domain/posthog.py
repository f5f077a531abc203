"""PostHog's capture protocol -> calls: what its server SDKs send to ``/batch/`` and ``/capture/``.

``distinct_id`` is the customer, or a visitor where the event says so: ``$process_person_profile`` or
``$is_identified`` is false, or it equals ``$device_id``. ``$identify`` joins ``$anon_distinct_id`` to it.
``$create_alias`` makes ``alias`` a former id of ``distinct_id`` (PostHog's rule), except from posthog-python, which
sends the two the other way round.
``$set``, alone or on any event, is traits; ``$set_once`` is not taken, since nobody here knows what was set before.
Other ``$`` properties are PostHog's own and are left out, but for those that have a plain name below.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tabiji_ingest.domain.call import Call, CallKind, Names
from tabiji_ingest.domain.poison import fingerprint
from tabiji_ingest.domain.properties import MAX_TEXT, read_object, read_text
from tabiji_ingest.domain.refusal import Kind, Refusal

SOURCE = "posthog"
NAMES = Names(
    user="distinct_id",
    anonymous="distinct_id",
    previous="properties.alias",
    id="uuid",
    name="event",
    time="timestamp",
    properties="properties",
    traits="$set",
    group="properties.$group_key",
    sent="sent_at",
)
_JOINING = replace(NAMES, anonymous="properties.$anon_distinct_id")
_TURNED = replace(NAMES, user="properties.alias", previous="distinct_id")

_KINDS: dict[str, CallKind] = {
    "$identify": "identify",
    "$set": "identify",
    "$create_alias": "alias",
    "$merge_dangerously": "alias",
    "$groupidentify": "group",
    "$pageview": "page",
    "$screen": "screen",
}
_PLAIN = {"$current_url": "url", "$pathname": "path", "$referrer": "referrer"}
_ADDRESSING = frozenset({"distinct_id", "token", "alias"})
_ENVELOPE = frozenset({"api_key", "token", "sent_at", "historical_migration"})


def read_call(event: dict[str, Any], sent_at: Any = None) -> Call:
    """The call in ``event``; ``sent_at`` is the envelope's. Raises ``Refusal``."""
    name = _name(event)
    told = read_object(event.get("properties"), "properties")
    kind = _KINDS.get(name, "track")
    names, user, anonymous, previous = _ids(kind, event, told)
    return Call(
        kind=kind,
        source=SOURCE,
        names=names,
        body_hash=fingerprint({key: value for key, value in event.items() if key not in _ENVELOPE}),
        name=_title(told) if kind in {"page", "screen"} else name,
        id=event.get("uuid"),
        user=user,
        anonymous=anonymous,
        previous=previous,
        group=told.get("$group_key"),
        time=event.get("timestamp"),
        sent_at=event.get("sent_at") or sent_at,
        properties=_properties(told),
        traits=_traits(kind, event, told),
        context={
            "campaign": {"medium": told.get("utm_medium")},
            "userAgent": told.get("$raw_user_agent") or told.get("$useragent"),
        },
    )


def _name(event: dict[str, Any]) -> str:
    name = event.get("event")
    if not isinstance(name, str) or not name.strip():
        raise Refusal("event", "must be the event's name", Kind.TYPE)
    if len(name) > MAX_TEXT:
        raise Refusal("event", f"must be at most {MAX_TEXT} characters", Kind.TYPE)
    return name


def _ids(kind: CallKind, event: dict[str, Any], told: dict[str, Any]) -> tuple[Names, Any, Any, Any]:
    """(names, user, anonymous, previous) of an event."""
    own = event.get("distinct_id", told.get("distinct_id"))
    if kind == "identify":
        return _JOINING, own, told.get("$anon_distinct_id"), None
    if kind == "alias":
        if told.get("$lib") == "posthog-python":
            return _TURNED, told.get("alias"), None, own
        return NAMES, own, None, told.get("alias")
    if kind == "group" and own == f"${told.get('$group_type')}_{told.get('$group_key')}":
        raise Refusal("distinct_id", "must be a customer's: a group alone is nobody's event", Kind.IDENTITY)
    if _is_visitor(own, told):
        return NAMES, None, own, None
    return NAMES, own, None, None


def _is_visitor(id_: Any, told: dict[str, Any]) -> bool:
    unknown = told.get("$process_person_profile") is False or told.get("$is_identified") is False
    return unknown or (id_ is not None and id_ == told.get("$device_id"))


def _title(told: dict[str, Any]) -> str:
    return read_text(told.get("$screen_name", told.get("title")), "properties.title") or ""


def _properties(told: dict[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in told.items() if not key.startswith("$") and key not in _ADDRESSING}
    for theirs, plain in _PLAIN.items():
        if theirs in told:
            own.setdefault(plain, told[theirs])
    return own


def _traits(kind: CallKind, event: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    if kind == "group":
        return read_object(told.get("$group_set"), "properties.$group_set")
    traits = {**read_object(told.get("$set"), "properties.$set"), **read_object(event.get("$set"), "$set")}
    return {key: value for key, value in traits.items() if not key.startswith("$")}
