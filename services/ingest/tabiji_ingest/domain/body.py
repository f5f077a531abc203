"""A request body -> the bytes of each event in it, so that one bad event does not cost the others.

The quick way is one strict pass that leaves each event as bytes. Where that pass fails (a NaN, a lone surrogate or a
hundred brackets somewhere), the events are cut out by their brackets and what is left must be good JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from tabiji_ingest.domain.poison import TOKEN, diagnose
from tabiji_ingest.domain.refusal import Kind, Refusal

MAX_EVENTS = 2500
MAX_NESTING = 10_000
"""Depth at which a body is given up; an event is refused at a fraction of it, and then costs the others nothing."""

MAX_STRANGERS_MENDED = 256 * 1024
"""Largest body that is cut up before its write key is known."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The events of one request, as bytes, with what the envelope says for all of them."""

    events: list[bytes]
    sent_at: Any = None
    context: Any = None
    key: Any = None
    history: Any = None


class _Envelope(msgspec.Struct):
    batch: list[msgspec.Raw]
    sentAt: Any = None  # noqa: N815 - the client's name for it
    context: Any = None


class _Captures(msgspec.Struct):
    batch: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET
    api_key: Any = None
    token: Any = None
    sent_at: Any = None
    historical_migration: Any = None


_captures = msgspec.json.Decoder(_Captures).decode
_envelope = msgspec.json.Decoder(_Envelope).decode
_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_any = msgspec.json.Decoder().decode
_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def read_batch(body: bytes) -> Batch:
    """The events under ``batch``; raises ``Refusal`` where there is no such list or it is too long."""
    try:
        envelope = _envelope(body)
    except _BROKEN:
        events, whole = _cut_batch(body)
        return _limited(Batch(events, whole.get("sentAt"), whole.get("context")))
    return _limited(Batch([bytes(raw) for raw in envelope.batch], envelope.sentAt, envelope.context))


def read_captures(body: bytes) -> Batch:
    """PostHog's envelope: the events under ``batch``, or the one event that ``body`` is; the write key beside them."""
    try:
        whole = _captures(body)
    except _BROKEN:
        if len(body) > MAX_STRANGERS_MENDED:
            raise Refusal("", "is not valid JSON") from None
        events, told = _cut_batch(body)
        fields: dict[str, Any] = {name: told.get(name) for name in _Captures.__struct_fields__ if name != "batch"}
        whole = _Captures(**fields)
    else:
        events = [body] if isinstance(whole.batch, msgspec.UnsetType) else [bytes(raw) for raw in whole.batch]
    key = whole.token if whole.api_key is None else whole.api_key
    return _limited(Batch(events, whole.sent_at, key=key, history=whole.historical_migration))


def read_array(body: bytes, *, empty: bool = False) -> Batch:
    """The events of a bare JSON array, or the one event that ``body`` is; ``empty`` allows an array of none."""
    if not body.lstrip(b" \t\r\n").startswith(b"["):
        return Batch([body])
    try:
        events = [bytes(raw) for raw in _array(body)]
        return Batch([]) if empty and not events else _limited(Batch(events))
    except _BROKEN:
        spans = _spans(body, None)
        return _limited(Batch(_fill(body, spans, _skeleton(body, spans))))


def _limited(batch: Batch) -> Batch:
    if not batch.events:
        raise Refusal("batch", "must hold at least one event")
    if len(batch.events) > MAX_EVENTS:
        raise _too_many()
    return batch


def _too_many() -> Refusal:
    return Refusal("batch", f"must hold at most {MAX_EVENTS} events")


def _cut_batch(body: bytes) -> tuple[list[bytes], dict[str, Any]]:
    """The events under ``batch``, and the envelope with ``{}`` in place of each."""
    spans = _spans(body, b'"batch"')
    whole = _skeleton(body, spans)
    if not isinstance(whole, dict):
        raise Refusal("", "must be a JSON object")
    if not isinstance(whole.get("batch"), list):
        raise Refusal("batch", "must be a list of events")
    return _fill(body, spans, whole["batch"]), whole


def _skeleton(body: bytes, spans: list[tuple[int, int]]) -> Any:
    """``body`` with ``{}`` in place of each span, decoded."""
    pieces: list[bytes] = []
    end = 0
    for start, stop in spans:
        pieces += (body[end:start], b"{}")
        end = stop
    try:
        return _any(b"".join((*pieces, body[end:])))
    except _BROKEN:
        raise diagnose(body) from None


def _fill(body: bytes, spans: list[tuple[int, int]], elements: Any) -> list[bytes]:
    """The bytes of each element: the spans in order, and ``null`` for what is no object or list."""
    if not isinstance(elements, list) or sum(element == {} for element in elements) != len(spans):
        raise Refusal("", "is not valid JSON")
    places = iter(spans)
    return [body[slice(*next(places))] if element == {} else b"null" for element in elements]


def _spans(body: bytes, key: bytes | None) -> list[tuple[int, int]]:
    """Where the objects and lists lie that are elements of the top-level list under ``key`` (``None``: of the body)."""
    spans: list[tuple[int, int]] = []
    depth, inside, start, last = 0, -1, 0, b""
    opened_at = 1 if key is None else 2
    for match in TOKEN.finditer(body):
        token = match.group()
        if token[:1] == b'"':
            last = token
        elif token in b"[{":
            if depth == inside:
                start = match.start()
            depth += 1
            if depth > MAX_NESTING:
                raise Refusal("", f"must not nest deeper than {MAX_NESTING}", Kind.POISON)
            if token == b"[" and depth == opened_at and (key is None or last == key):
                spans, inside = [], depth
        else:
            depth -= 1
            if depth == inside:
                spans.append((start, match.end()))
                if len(spans) > MAX_EVENTS:
                    raise _too_many()
            elif depth < inside:
                inside = -1
    return spans
