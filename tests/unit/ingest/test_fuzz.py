"""Whatever a client sends, the answer is records that can be read again, or a refusal: never another error."""

import contextlib
import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tabiji_ingest.domain import cloudevents, segment
from tabiji_ingest.domain.body import read_array, read_batch
from tabiji_ingest.domain.call import Call
from tabiji_ingest.domain.catalogue import TYPES
from tabiji_ingest.domain.poison import read_event
from tabiji_ingest.domain.refusal import Refusal
from tabiji_ingest.domain.triage import triage
from tests.unit.ingest.support import RECEIPT, RULES

TEXT = st.text('aZ0"\\{}[]:, @.é漢\U0001f600\ud800\0', max_size=8)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    TEXT,
    st.sampled_from(["u-1", "guest", "2026-04-01T00:00:00Z", "JPY", "usd", "1e400", "t@example.com", "email", "1.0"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=4,
)
PROPERTIES = st.dictionaries(
    st.sampled_from(
        ["order_id", "total", "revenue", "currency", "products", "cart_id", "product_id", "channel", "email", "phone",
         "subscription_id", "refund_id", "message_key", "url", "bounce_type", "anonymousId", "previousId", "context"]
    ),
    VALUES,
    max_size=6,
)  # fmt: skip
NAMES = (
    "type event userId anonymousId previousId messageId timestamp originalTimestamp sentAt properties traits context"
    " groupId name category specversion id source time subject data"
)
EVENTS = st.dictionaries(st.sampled_from(NAMES.split()), VALUES, max_size=5)
LIKELY = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["track", "identify", "page", "screen", "group", "alias"]),
        "event": st.sampled_from(sorted(TYPES)),
        "userId": st.sampled_from(["u-1", 5, None]),
        "properties": PROPERTIES,
        "specversion": st.just("1.0"),
        "id": st.just("e-1"),
        "source": st.just("/shop"),
        "data": PROPERTIES,
    }
)


def as_segment(event: dict[str, Any]) -> Call:
    return segment.read_call(segment.read_kind(event), event)


def as_cloudevent(event: dict[str, Any]) -> Call:
    return cloudevents.read_call({**event, "type": event.get("event", event.get("type"))})


def attempt(raw: bytes) -> None:
    for read in (as_segment, as_cloudevent):
        try:
            triaged = triage(read(read_event(raw)), RECEIPT, RULES)
        except Refusal as refusal:
            told = refusal
        else:
            assert triaged.records
            for record in triaged.records:
                record.headers()
                assert record.topic.decode(record.type, record.value()) == record.body
            continue
        assert told.rule
        msgspec.json.encode({"field": told.field, "rule": told.rule})


@settings(max_examples=400, deadline=None)
@given(base=LIKELY, change=EVENTS)
def test_an_event_becomes_records_or_a_refusal(base: dict[str, Any], change: dict[str, Any]) -> None:
    attempt(json.dumps({**base, **change}).encode())
    attempt(json.dumps(base).encode())


@settings(max_examples=400, deadline=None)
@given(
    pieces=st.lists(
        st.sampled_from(
            [b"{", b"}", b"[", b"]", b'"batch"', b":", b",", b'"a"', b"1", b"NaN", b'"\\ud800"', b'{"a":1}', b" ",
             b'{"v":NaN}', b'{"batch":[', b"]}", b'"', b"\\", b"null", b"\xff"]
        ),
        max_size=14,
    )
)  # fmt: skip
def test_a_body_becomes_events_or_a_refusal(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    for read in (read_batch, read_array):
        with contextlib.suppress(Refusal):
            assert read(body).events


@settings(max_examples=40, deadline=None)
@given(values=st.lists(st.one_of(st.none(), st.lists(VALUES), st.dictionaries(TEXT, VALUES)), min_size=1, max_size=5))
def test_a_poisoned_neighbour_changes_no_event(values: list[Any]) -> None:
    whole = json.dumps({"batch": [*values, {"v": float("nan")}]}).encode()
    *events, poisoned = read_batch(whole).events
    assert poisoned == b'{"v": NaN}'
    for value, raw in zip(values, events, strict=True):
        if isinstance(value, dict):
            assert raw == json.dumps(value).encode()
