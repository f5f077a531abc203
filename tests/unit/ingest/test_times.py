"""When an event happened: Segment's rule for clients whose clocks are wrong, and what no clock can say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tabiji_ingest.domain.refusal import Refusal
from tabiji_ingest.domain.times import check_ahead, occurred_at, read_time
from tests.unit.ingest.support import NOW, RULES, records_of

AT = datetime(2026, 4, 1, 0, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2026-04-01T00:30:15Z", AT),
        ("2026-04-01T00:30:15z", AT),
        ("2026-04-01t00:30:15z", AT),
        ("2026-04-01T09:30:15+09:00", AT),
        ("2026-04-01T09:30:15+0900", AT),
        ("2026-03-31T19:30:15-05:00", AT),
        ("2026-04-01 00:30:15Z", AT),
        ("2026-04-01T00:30:15", AT),
        ("2026-04-01T00:30:15.123Z", AT + timedelta(milliseconds=123)),
        ("2026-04-01T00:30:15.123456789Z", AT + timedelta(microseconds=123456)),
        ("2026-04-01", datetime(2026, 4, 1, tzinfo=UTC)),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        (None, None),
        ("", None),
    ],
)
def test_a_time_is_read_in_any_offset_and_kept_in_utc(text: Any, when: datetime | None) -> None:
    assert read_time(text, "timestamp") == when


@pytest.mark.parametrize(
    "text",
    ["yesterday", "2026-13-01T00:00:00Z", "2026-04-01T25:00:00Z", "2026-02-30", 1775003415, 1.5, True, {}, [],
     "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "1969-12-31T23:59:59Z", "2200-01-01", "58220-01-01"],
)  # fmt: skip
def test_what_is_no_time_is_refused_with_its_field(text: Any) -> None:
    with pytest.raises(Refusal) as refused:
        read_time(text, "timestamp")
    assert refused.value.field == "timestamp"


def test_the_error_of_a_clients_clock_is_taken_out() -> None:
    slow = timedelta(hours=-3)
    assert occurred_at(AT + slow, NOW + slow, NOW) == AT


def test_without_the_time_of_sending_the_events_own_time_stands() -> None:
    assert occurred_at(AT, None, NOW) == AT


def test_without_any_time_the_time_of_receipt_stands() -> None:
    assert occurred_at(None, NOW - timedelta(days=3), NOW) == NOW


def test_a_time_more_than_a_day_ahead_is_refused() -> None:
    check_ahead(NOW + timedelta(days=1), NOW, "timestamp")
    with pytest.raises(Refusal, match="a day ahead"):
        check_ahead(NOW + timedelta(days=1, seconds=1), NOW, "timestamp")


@pytest.mark.parametrize("ahead", ["2026-04-01T09:30:59", "2026-04-02T00:31:00Z"])
def test_what_lies_ahead_happened_when_it_was_received(ahead: str) -> None:
    (record,) = records_of("page", userId="u-1", timestamp=ahead)
    assert record.occurred_at == record.accepted_at == NOW
    assert record.day == ahead[:10]  # a repeat still meets the same day


def test_in_simulated_time_an_event_may_lie_ahead() -> None:
    stepped = RULES.__class__(secret="s", currency="JPY", plain=frozenset(), stepped=True)
    ahead = (NOW + timedelta(days=40)).isoformat()
    (record,) = records_of("page", stepped, userId="u-1", timestamp=ahead)
    assert record.occurred_at == NOW + timedelta(days=40)
    assert record.accepted_at == NOW
    with pytest.raises(Refusal):
        records_of("page", userId="u-1", timestamp=ahead)


def test_the_original_time_goes_before_the_time_that_a_relay_set() -> None:
    (record,) = records_of(
        "page", userId="u-1", originalTimestamp="2026-04-01T00:30:15Z", timestamp="2026-04-01T00:30:59Z"
    )
    assert record.occurred_at == AT


def test_a_record_keeps_the_day_of_the_clients_own_time_so_that_a_repeat_meets_the_same_day() -> None:
    first, again = (
        records_of("page", userId="u-1", timestamp="2026-03-31T23:59:59Z", sentAt=sent)[0]
        for sent in ("2026-04-01T00:00:00Z", "2026-04-01T00:30:59Z")
    )
    assert first.occurred_at != again.occurred_at
    assert first.day == again.day == "2026-03-31"
    assert first.body_hash == again.body_hash
