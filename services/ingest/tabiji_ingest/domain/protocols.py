"""The body of a request -> its events, each as bytes, and how one of them is read.

Which protocol it is follows from the route; of CloudEvents' three modes, from the headers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tabiji_ingest.domain import cloudevents, posthog, segment
from tabiji_ingest.domain.body import Batch, read_array, read_batch, read_captures
from tabiji_ingest.domain.call import Call, CallKind
from tabiji_ingest.domain.poison import find_poison, read_event
from tabiji_ingest.domain.properties import read_object

Route = CallKind | Literal["batch", "events", "posthog"]

LISTS = frozenset({"batch", "events", "posthog"})
"""Routes that may take more than one event, so that a refusal names the event's place."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The events of one request; ``read`` makes a call of one of them or raises ``Refusal``.

    ``key`` and ``history`` are what the body itself says of its write key and of being an import.
    """

    events: list[bytes]
    read: Callable[[bytes], Call]
    key: Any = None
    history: bool = False


def read_request(route: Route, headers: Mapping[str, str], body: bytes) -> Reading:
    """How ``body`` is to be read; raises ``Refusal`` where it is none of this route's."""
    match route:
        case "batch":
            return _segment_batch(read_batch(body))
        case "events":
            return _cloudevents(headers, body)
        case "posthog":
            return _captures(read_captures(body))
        case _:
            return Reading([body], lambda raw: segment.read_call(route, read_event(raw)))


def _segment_batch(batch: Batch) -> Reading:
    told = read_object(batch.context, "context")
    # each event has a copy of it, so no more is kept than is looked at
    context = {key: told[key] for key in segment.CONTEXT if key in told}
    if context and (poison := find_poison(context, "context")):
        raise poison

    def read(raw: bytes) -> Call:
        event = read_event(raw)
        return segment.read_call(segment.read_kind(event), event, batch.sent_at, context)

    return Reading(batch.events, read)


def _cloudevents(headers: Mapping[str, str], body: bytes) -> Reading:
    mode = cloudevents.mode_of(headers)
    if mode == "binary":
        return Reading([body], lambda raw: cloudevents.read_call(cloudevents.read_binary(headers, raw)))
    events = read_array(body, empty=mode == "batch").events
    return Reading(events, lambda raw: cloudevents.read_call(read_event(raw)))


def _captures(batch: Batch) -> Reading:
    return Reading(
        batch.events,
        lambda raw: posthog.read_call(read_event(raw), batch.sent_at),
        batch.key,
        batch.history is True,
    )
