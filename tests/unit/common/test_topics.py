"""Topics and records: CloudEvents in binary mode, one partition number for a customer everywhere, signed links."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from tabiji_common.clock import SteppedClock
from tabiji_common.errors import Reject
from tabiji_common.events import OrderCompleted, OrderDelivered, PageViewed
from tabiji_common.links import Link, sign, verify
from tabiji_common.topics import (
    CUSTOM,
    PAGE_VIEWS,
    PURCHASES,
    Mode,
    customer_key,
    partition_of,
    split_key,
)

AT = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)
ORDER = OrderCompleted(workspace="w", customer="山田:1", order_id="o1", amount_minor=4980, currency="JPY")


def test_a_record_carries_its_cloudevents_attributes_and_reads_back_as_it_was() -> None:
    record = PURCHASES.record(
        ORDER, id="m1", source="segment", occurred_at=AT, accepted_at=AT, mode=Mode.BACKFILL, day="2026-01-01"
    )
    headers = {name: value.decode() for name, value in record.headers()}
    assert headers["ce_specversion"] == "1.0"
    assert (headers["ce_id"], headers["ce_type"], headers["ce_source"]) == ("m1", "order_completed", "segment")
    assert headers["ce_time"] == headers["ce_acceptedat"] == "2026-01-01T09:30:00Z"
    assert (headers["mode"], headers["day"]) == ("backfill", "2026-01-01")
    assert PURCHASES.decode("order_completed", record.value()) == ORDER
    assert split_key(record.key) == ("w", "山田:1")


def test_one_instant_is_one_text_whatever_zone_it_was_told_in() -> None:
    told = [AT.astimezone(ZoneInfo("Asia/Tokyo")), AT, AT.replace(microsecond=5)]
    records = [PURCHASES.record(ORDER, id="m1", source="s", occurred_at=at, accepted_at=at) for at in told]
    times = [dict(record.headers())["ce_time"] for record in records]
    assert times == [b"2026-01-01T09:30:00Z", b"2026-01-01T09:30:00Z", b"2026-01-01T09:30:00.000005Z"]


def test_a_payload_of_another_topic_has_no_type_here() -> None:
    with pytest.raises(TypeError, match="does not belong"):
        PURCHASES.type_of(PageViewed(workspace="w", customer="c"))  # type: ignore[arg-type]
    assert PURCHASES.type_of(OrderDelivered(workspace="w", customer="c", order_id="o")) == "order_delivered"


@pytest.mark.parametrize(("type_", "value"), [("no_such_type", b"{}"), ("page_viewed", b"{"), ("page_viewed", b"[]")])
def test_what_cannot_be_read_is_rejected(type_: str, value: bytes) -> None:
    with pytest.raises(Reject):
        PAGE_VIEWS.decode(type_, value)


def test_any_name_can_be_a_custom_event() -> None:
    assert CUSTOM.decode("test event name", b'{"workspace":"w","customer":"c"}').customer == "c"


@given(customer=st.text(min_size=1, max_size=40), partitions=st.integers(1, 64))
def test_a_customers_partition_number_is_the_one_that_the_client_would_choose(customer: str, partitions: int) -> None:
    key = customer_key("w", customer)
    numbers = list(range(partitions))
    try:
        wire = key.encode()
    except UnicodeEncodeError:
        return
    assert partition_of(key, partitions) == DefaultPartitioner()(wire, numbers, numbers)


LINK = Link("c", "w", "c1", "key", "email", "https://shop.example.com/?a=b")


def test_a_signed_link_says_what_was_signed() -> None:
    assert verify("secret", "c", sign("secret", LINK)) == LINK


@pytest.mark.parametrize("kind", ["o", "u"])
def test_a_link_of_one_kind_is_none_of_another(kind: str) -> None:
    assert verify("secret", kind, sign("secret", LINK)) is None


@given(cut=st.integers(0, 200), flip=st.integers(0, 200))
def test_a_forged_or_truncated_link_is_none(cut: int, flip: int) -> None:
    token = sign("secret", LINK)
    assert verify("other", "c", token) is None
    assert verify("secret", "c", token[: cut % len(token)]) is None
    at = flip % (len(token) - 1)  # the last letter has bits that stand for nothing
    assert verify("secret", "c", token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]) is None


def test_stepped_time_stands_moves_forward_and_never_back() -> None:
    clock = SteppedClock(AT)
    assert clock.now() == AT
    clock.step(AT)
    later = AT.replace(hour=20)
    clock.step(later)
    assert clock.now() == later
    with pytest.raises(ValueError, match="cannot go back"):
        clock.step(AT)


def test_a_held_clock_is_let_go_by_the_next_tick() -> None:
    clock = SteppedClock(AT)
    clock.held = True
    clock.step(AT.replace(hour=20))
    assert not clock.held
