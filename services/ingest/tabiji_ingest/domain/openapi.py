"""What the OpenAPI document says of ingest's routes, beside what the framework reads off the functions.

A schema says what is looked at. Rules that depend on a value (which ids are nobody's, currencies, times ahead) are
answered with 400 and named there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from tabiji_ingest.domain.body import MAX_EVENTS
from tabiji_ingest.domain.call import CallKind
from tabiji_ingest.domain.examples import EXAMPLES
from tabiji_ingest.domain.identity import MAX_ID
from tabiji_ingest.domain.properties import MAX_TEXT

Schema = dict[str, Any]

SECURITY: Schema = {
    "basic": {"type": "http", "scheme": "basic", "description": "The write key as user, no password"},
    "verbatim": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "The write key itself"},
}

_ID: Schema = {"type": ["string", "integer", "null"], "maxLength": MAX_ID}
_TEXT: Schema = {"type": ["string", "integer", "null"], "maxLength": MAX_TEXT}
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT}
_TIME: Schema = {"type": ["string", "null"], "description": "ISO 8601"}
_OBJECT: Schema = {"type": ["object", "null"]}
_TIMES = dict.fromkeys(("timestamp", "originalTimestamp", "sentAt"), _TIME)
_COMMON: Schema = {"messageId": _TEXT, "userId": _ID, "anonymousId": _ID, "context": _OBJECT, **_TIMES}
_SHOWN: Schema = {"name": _TEXT, "category": {}, "properties": _OBJECT}
_OWN: dict[str, tuple[Schema, list[str]]] = {
    "track": ({"event": _NAME, "properties": _OBJECT}, ["event"]),
    "identify": ({"traits": _OBJECT}, []),
    "page": (_SHOWN, []),
    "screen": (_SHOWN, []),
    "group": ({"groupId": _ID, "traits": _OBJECT}, ["groupId"]),
    "alias": ({"previousId": _ID}, []),
}


def _object(properties: Schema, *required: str) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required)}


def _events(event: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "maxItems": MAX_EVENTS, "items": event}


def _segment(kind: str) -> Schema:
    own, required = _OWN[kind]
    return _object({**_COMMON, **own}, *required)


def _batch() -> Schema:
    kinds = [
        _object({"type": {"const": kind}, **_COMMON, **own}, "type", *required)
        for kind, (own, required) in _OWN.items()
    ]
    return _object({"batch": _events({"anyOf": kinds}), "sentAt": _TIME, "context": _OBJECT}, "batch")


_CLOUDEVENT = _object(
    {
        "specversion": {"const": "1.0"},
        "id": _NAME,
        "source": _NAME,
        "type": _NAME,
        "subject": _ID,
        "time": _TIME,
        "data": _OBJECT,
    },
    "specversion",
    "id",
    "source",
    "type",
)
_CAPTURE: Schema = {
    "event": _NAME,
    "distinct_id": _ID,
    "uuid": _TEXT,
    "timestamp": _TIME,
    "properties": _OBJECT,
    "$set": _OBJECT,
}
_KEYED: Schema = {"api_key": {"type": "string"}, "sent_at": _TIME, "historical_migration": {"type": "boolean"}}
_POSTHOG: Schema = {
    "anyOf": [
        _object({**_KEYED, "batch": _events(_object(_CAPTURE, "event", "distinct_id"))}, "api_key", "batch"),
        _object({**_KEYED, **_CAPTURE}, "api_key", "event", "distinct_id"),
    ]
}

_BODIES: dict[str, dict[str, Schema]] = {
    **{kind: {"application/json": _segment(kind)} for kind in get_args(CallKind)},
    "batch": {"application/json": _batch()},
    "events": {
        "application/cloudevents+json": _CLOUDEVENT,
        "application/cloudevents-batch+json": {**_events(_CLOUDEVENT), "minItems": 0},
        "application/json": _OBJECT,
    },
    "posthog": {"application/json": _POSTHOG},
}
_ATTRIBUTES = [
    {
        "name": f"ce-{name}",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": "Binary mode: the attribute, percent-encoded",
    }
    for name in ("specversion", "id", "source", "type", "subject", "time")
]
_MODE = {
    "name": "mode",
    "in": "query",
    "required": False,
    "schema": {"enum": ["live", "backfill"]},
    "description": "backfill: history, which starts no journey and sends nothing",
}

_REFUSAL = _object({"field": {"type": "string"}, "rule": {"type": "string"}}, "field", "rule")
_REJECTED: Schema = {
    "type": "array",
    "items": _object({"index": {"type": "integer"}, **_REFUSAL["properties"]}, "index", "field", "rule"),
}
_MADE: Schema = {"type": "array", "items": _object({"index": {"type": "integer"}, "messageId": {"type": "string"}})}
_TAKEN = _object(
    {"success": {"const": True}, "accepted": {"type": "integer"}, "rejected": _REJECTED, "made": _MADE},
    "success",
    "accepted",
    "rejected",
)
REFUSED = _object(
    {"error": _REFUSAL, "code": {"type": "string"}, "message": {"type": "string"}, "rejected": _REJECTED}, "error"
)
_STATUSES: Mapping[int, str] = {
    400: "nothing was taken; the field and the rule are named",
    401: "no such write key",
    403: "the write key does not allow this mode",
    405: "not with this method",
    408: "the body did not arrive in time",
    413: "too large",
    429: "too many requests; see Retry-After",
    503: "not known to be written: send it again with the same ids; see Retry-After",
}


def _told(text: str, schema: Schema, examples: Schema | None = None) -> Schema:
    shown = {"examples": examples} if examples else {}
    return {"description": text, "content": {"application/json": {"schema": schema, **shown}}}


def _answers(route: str) -> Schema:
    """What each request that is shown is answered, under the request's name."""
    shown = {name: told["value"] for requests in EXAMPLES[route].values() for name, told in requests.items()}
    return {
        name: {"value": {"success": True, "accepted": _events_in(body), "rejected": []}} for name, body in shown.items()
    }


def _events_in(body: Any) -> int:
    return len(body) if isinstance(body, list) else len(body.get("batch", [body]))


def _shown(route: str, kind: str, schema: Schema) -> Schema:
    examples = EXAMPLES[route].get(kind)
    return {"schema": schema, **({"examples": examples} if examples else {})}


def operation(route: str, keyed: str) -> Schema:
    """What is added to the operation of a route that takes events."""
    statuses = {**_STATUSES, **({415: "a format of CloudEvents that is not JSON"} if route == "events" else {})}
    return {
        "requestBody": {
            "required": True,
            "content": {kind: _shown(route, kind, schema) for kind, schema in _BODIES[route].items()},
        },
        "parameters": [
            *(_ATTRIBUTES if route == "events" else []),
            *([_MODE] if route in {"batch", "posthog"} else []),
        ],
        "responses": {
            "200": _told("every event not listed under rejected is durable", _TAKEN, _answers(route)),
            **{str(status): _told(text, REFUSED) for status, text in statuses.items()},
        },
        "security": [] if keyed == "body" else [{keyed: []}],
    }


def page(*statuses: int, kind: str = "text/html") -> dict[int | str, Schema]:
    """The answers of a link in a message."""
    return {status: {"description": _PAGES[status], "content": {kind: {}}} for status in statuses}


_PAGES = {
    200: "an answer for a person, or the pixel",
    302: "on to where the link leads",
    404: "no link of ours",
    503: "not known to be written",
}
