"""CloudEvents 1.0 over HTTP, structured mode -> calls.

``type`` is the event's name (Segment's spelling or ours, else the shop's own), ``subject`` the customer's id (or
``data.userId``; ``data.anonymousId`` for a visitor), ``data`` its properties, or the traits of ``identified``.
"""

from __future__ import annotations

from typing import Any

from tabiji_ingest.domain.call import Call, CallKind, Names
from tabiji_ingest.domain.personal import plain_spelling
from tabiji_ingest.domain.poison import fingerprint
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


def read_call(event: dict[str, Any]) -> Call:
    """The call in a structured CloudEvent; raises ``Refusal``."""
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
