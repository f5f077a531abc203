"""CloudEvents 1.0 over HTTP, in structured, batch and binary mode -> calls.

``type`` is the event's name (Segment's spelling or ours, else the shop's own), ``subject`` the customer's id (or
``data.userId``; ``data.anonymousId`` for a visitor), ``data`` its properties, or the traits of ``identified``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import unquote_to_bytes

from tabiji_ingest.domain.call import Call, CallKind, Names
from tabiji_ingest.domain.personal import plain_spelling
from tabiji_ingest.domain.poison import find_poison, fingerprint, read_event
from tabiji_ingest.domain.properties import MAX_TEXT, read_object
from tabiji_ingest.domain.refusal import Kind, Refusal

NAMES = Names(
    user="subject",
    anonymous="data.anonymousId",
    previous="data.previousId",
    id="id",
    name="type",
    time="time",
    properties="data",
    traits="data",
)

_KINDS: dict[str, CallKind] = {"identified": "identify", "identify": "identify", "merged": "alias", "alias": "alias"}
_OURS = ("tabiji/",)
_ADDRESSING = frozenset({"userId", "anonymousId", "previousId", "context"})


_FORMATS = "application/cloudevents"
_REQUIRED = ("ce-specversion", "ce-id", "ce-source", "ce-type")
_HEADER = re.compile(r"ce-([a-z0-9]+)")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


def mode_of(headers: Mapping[str, str]) -> Literal["binary", "structured", "batch"]:
    """Which content mode a request is in. Raises ``Refusal`` for a format that is not JSON.

    Binary is what has an attribute in its headers and no CloudEvents media type. For the rest the body decides between
    one event and a list, since clients often name no type at all.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind.startswith(_FORMATS):
        return "binary" if any(name in headers for name in _REQUIRED) else "structured"
    if kind.removeprefix(_FORMATS) not in {"", "+json", "-batch", "-batch+json"}:
        rule = "must be application/cloudevents+json or application/cloudevents-batch+json"
        raise Refusal("Content-Type", rule, Kind.MEDIA)
    return "batch" if kind.startswith(f"{_FORMATS}-batch") else "structured"


def read_binary(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The event in structured form: attributes out of ``ce-`` headers, ``body`` as data. Raises ``Refusal``."""
    event: dict[str, Any] = {}
    for name, value in headers.items():
        if match := _HEADER.fullmatch(name):
            event[match[1]] = _attribute(name, value)
    if kind := headers.get("content-type"):
        event["datacontenttype"] = kind
    if poison := find_poison(event):
        raise poison
    event.pop("data", None)
    if body:
        try:
            event["data"] = read_event(body)
        except Refusal as refusal:
            raise Refusal(f"data.{refusal.field}".rstrip("."), str(refusal), refusal.kind) from None
    return event


def _attribute(name: str, value: str) -> str:
    """A header's value unquoted (RFC 9110, 5.6.4), then percent-decoded once (HTTP binding, 3.1.3.2)."""
    raw = value.encode("latin-1")
    if _QUOTED.fullmatch(value):
        raw = _ESCAPED.sub(rb"\1", raw[1:-1])
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise Refusal(name, "must be UTF-8, percent-encoded", Kind.POISON) from None


def read_call(event: dict[str, Any]) -> Call:
    """The call in a CloudEvent in its structured form; raises ``Refusal``."""
    if event.get("specversion") != "1.0":
        raise Refusal("specversion", 'must be "1.0"', Kind.TYPE)
    if "data_base64" in event:
        raise Refusal("data_base64", "is not taken: data must be a JSON object")
    name, source = _required(event, "type"), _required(event, "source")
    if source.startswith(_OURS):
        raise Refusal("source", "is reserved for Tabiji's own services")
    data = read_object(event.get("data"), "data")
    told = {key: value for key, value in data.items() if key not in _ADDRESSING}
    kind = _KINDS.get(plain_spelling(name), "track")
    subject = event.get("subject")
    return Call(
        kind=kind,
        source=source,
        names=NAMES,
        body_hash=fingerprint(event),
        name=name,
        id=_required(event, "id"),
        user=data.get("userId") if subject is None else subject,
        anonymous=data.get("anonymousId"),
        previous=data.get("previousId"),
        time=event.get("time"),
        properties=told if kind == "track" else {},
        traits=told if kind == "identify" else {},
        context=read_object(data.get("context"), "data.context"),
    )


def _required(event: dict[str, Any], attribute: str) -> str:
    value = event.get(attribute)
    if not isinstance(value, str) or not value.strip():
        raise Refusal(attribute, "must be a string that is not empty", Kind.TYPE)
    if len(value) > MAX_TEXT:
        raise Refusal(attribute, f"must be at most {MAX_TEXT} characters", Kind.TYPE)
    return value
