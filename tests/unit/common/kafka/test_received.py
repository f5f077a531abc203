"""What comes off the wire becomes a record of ours; what is wrong with it is named, and never guessed."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabiji_common.errors import Reject
from tabiji_common.events import PageViewed
from tabiji_common.kafka.client import received
from tabiji_common.topics import PAGE_VIEWS, Headers, Mode, cloud_headers

AT = datetime(2026, 1, 1, 9, 30, 0, 250_000, tzinfo=UTC)
VALUE = b'{"workspace":"w","customer":"c"}'


@dataclass
class Raw:
    key: bytes | None = b"w:c"
    value: bytes | None = VALUE
    headers: Headers = field(default_factory=list)
    partition: int = 3
    offset: int = 17
    timestamp: int = round(AT.timestamp() * 1000)


def headers(**changed: bytes | None) -> Headers:
    there: dict[str, bytes | None] = dict(
        cloud_headers("e1", "page_viewed", "shop", AT, AT, "live", "hash", "2025-12-31")
    )
    return [(name, text) for name, text in (there | changed).items() if text is not None]


def test_every_header_is_read_back() -> None:
    record = received(PAGE_VIEWS.name, Raw(headers=headers(mode=b"replay")))
    assert (record.id, record.type, record.source, record.key) == ("e1", "page_viewed", "shop", "w:c")
    assert (record.occurred_at, record.accepted_at, record.appended_at) == (AT, AT, AT)
    assert (record.mode, record.body_hash, record.day) == (Mode.REPLAY, "hash", date(2025, 12, 31))
    assert (record.partition, record.offset, record.fault) == (3, 17, "")
    assert record.body == PageViewed(workspace="w", customer="c")


def test_an_offset_in_a_time_is_turned_into_utc() -> None:
    record = received(PAGE_VIEWS.name, Raw(headers=headers(ce_time=b"2026-01-01T18:30:00.25+09:00")))
    assert record.occurred_at == AT
    assert record.occurred_at.tzinfo is UTC


def test_without_the_day_of_the_client_that_of_receipt_counts() -> None:
    assert received(PAGE_VIEWS.name, Raw(headers=headers(day=None))).day == AT.date()
    assert received(PAGE_VIEWS.name, Raw(headers=headers(day=b"someday"))).day == AT.date()


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (Raw(headers=[]), "needs ce_type, ce_time"),
        (Raw(headers=headers(ce_type=None)), "needs ce_type, ce_time"),
        (Raw(headers=headers(ce_time=b"2026-01-01T09:30:00")), "needs ce_type, ce_time"),
        (Raw(headers=headers(ce_time=b"yesterday")), "needs ce_type, ce_time"),
        (Raw(headers=headers(mode=b"maybe")), "needs ce_type, ce_time"),
        (Raw(headers=headers(ce_id=b"e\0")), "NUL"),
        (Raw(headers=headers(), key=b"w:\0"), "NUL"),
        (Raw(headers=headers(), key=None), "workspace:customer"),
        (Raw(headers=headers(), key=b"c"), "workspace:customer"),
    ],
)
def test_what_is_wrong_is_named_and_the_body_is_refused(raw: Raw, fault: str) -> None:
    record = received(PAGE_VIEWS.name, raw)
    assert fault in record.fault
    with pytest.raises(Reject, match="headers"):
        _ = record.body


@given(
    st.lists(st.tuples(st.sampled_from(["ce_id", "ce_type", "ce_time", "ce_source", "mode", "day"]), st.binary())),
    st.one_of(st.none(), st.binary()),
    st.one_of(st.none(), st.binary()),
)
def test_no_record_breaks_the_reader_and_none_holds_what_postgresql_refuses(
    wild: Headers, key: bytes | None, value: bytes | None
) -> None:
    record = received(PAGE_VIEWS.name, Raw(key, value, wild))
    texts = (record.key, record.id, record.type, record.source, record.body_hash)
    assert not any("\0" in text for text in texts)
    for text in texts:
        text.encode()  # no lone surrogates
