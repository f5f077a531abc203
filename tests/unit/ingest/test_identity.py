"""Whose event it is: ids that are nobody's, guests, and addresses that must not become keys."""

from typing import Any

import pytest

from tabiji_common.identity import closed_id, mail_id
from tabiji_ingest.domain.identity import NOBODY, read_id
from tabiji_ingest.domain.refusal import Refusal
from tests.unit.ingest.support import SECRET, records_of, track

ORDER = {"order_id": "o-1", "total": 1980, "currency": "JPY"}


@pytest.mark.parametrize(
    "value",
    ["", " ", "null", "NULL", "None", "guest", "Guest", "GUEST", "0", 0, "undefined", "anonymous", "nan", "N/A",
     "[object Object]", "00000000-0000-0000-0000-000000000000", " guest ", "-1", -1, "false", "unknown"],
)  # fmt: skip
@pytest.mark.parametrize("field", ["userId", "anonymousId"])
def test_an_id_that_is_nobodys_is_refused_and_named(field: str, value: Any) -> None:
    with pytest.raises(Refusal, match="nobody's") as refused:
        records_of("track", event="Signed Up", **{field: value})
    assert refused.value.field == field


@pytest.mark.parametrize("value", [True, 1.5, [], {}, ["u-1"], "x" * 257])
def test_what_is_no_id_is_refused(value: Any) -> None:
    with pytest.raises(Refusal):
        read_id(value, "userId")


@pytest.mark.parametrize(
    ("value", "id_"),
    [
        ("u-1", "u-1"),
        (12345, "12345"),
        ("山田", "山田"),
        ("a:b", "a:b"),
        ("node-next-1-x", "node-next-1-x"),
        (None, None),
    ],
)
def test_an_id_need_not_be_a_uuid(value: Any, id_: str | None) -> None:
    assert read_id(value, "userId") == id_


def test_every_refused_id_is_spelled_as_it_is_compared() -> None:
    assert all(id_ == id_.strip().casefold() for id_ in NOBODY)


def test_a_null_user_leaves_the_visitor() -> None:
    record = track("Cart Viewed", userId=None, anonymousId="a-1")
    assert record.key == "demo:a-1"
    assert record.body.anonymous is True


def test_the_user_goes_before_the_visitor() -> None:
    record = track("Cart Viewed", anonymousId="a-1")
    assert record.key == "demo:u-1"
    assert record.body.anonymous is False
    assert record.body.anonymous_id == "a-1"


def test_without_any_id_an_event_is_refused() -> None:
    with pytest.raises(Refusal, match="is required") as refused:
        records_of("track", event="Signed Up")
    assert refused.value.field == "userId"


def test_a_guests_order_goes_under_a_keyed_hash_of_the_address() -> None:
    order, guest = records_of("track", event="Order Completed", properties={**ORDER, "email": "Taro@Example.com "})
    assert order.type == "order_completed"
    assert order.body.customer == guest.body.customer == mail_id(SECRET, "demo", "taro@example.com")
    assert "example" not in order.key
    assert order.body.anonymous is False
    assert guest.type == "identified"
    assert guest.body.pii == {"email": "Taro@Example.com"}


def test_two_spellings_of_an_address_are_one_guest_and_two_shops_are_not() -> None:
    assert mail_id(SECRET, "demo", "Taro@Example.com") == mail_id(SECRET, "demo", " taro@example.COM")
    assert mail_id(SECRET, "demo", "taro@example.com") != mail_id(SECRET, "other", "taro@example.com")
    assert mail_id(SECRET, "demo", "taro@example.com") != mail_id("another secret", "demo", "taro@example.com")


def test_a_guest_is_known_by_the_traits_of_the_context_too() -> None:
    order, _ = records_of(
        "track", event="Order Completed", properties=ORDER, context={"traits": {"email": "t@example.com"}}
    )
    assert order.body.customer.startswith("mail_")


def test_only_purchases_have_guests() -> None:
    with pytest.raises(Refusal, match="is required"):
        records_of("track", event="Cart Viewed", properties={"email": "t@example.com"})


def test_an_id_that_is_an_address_does_not_become_a_key() -> None:
    record = track("Cart Viewed", userId="Taro@Example.com")
    assert record.key == f"demo:{mail_id(SECRET, 'demo', 'taro@example.com')}"
    assert closed_id("not@mail", SECRET, "demo") == "not@mail"


SAME_PHONE = [
    "+819012345678", "+81 90-1234-5678", "+81(0)90 1234 5678", "090-1234-5678", "09012345678", "090 1234 5678",
    "０９０－１２３４－５６７８", "(090) 1234-5678", " 090\u22121234\u22125678 ",
]  # fmt: skip


def test_a_phone_number_in_any_spelling_is_one_hashed_id() -> None:
    ids = {closed_id(text, "secret", "demo") for text in SAME_PHONE}
    assert len(ids) == 1
    (one,) = ids
    assert one.startswith("tel_")
    assert "12345678" not in one
    assert closed_id("09012345678", "secret", "other") != one


@pytest.mark.parametrize("text", ["03-1234-5678", "(03)1234-5678", "0120-123-456", "0466-12-3456", "+1 415 555 2671"])
def test_other_phone_numbers_are_hashed(text: str) -> None:
    assert closed_id(text, "secret", "demo").startswith("tel_")


@pytest.mark.parametrize(
    "text",
    [
        "12345678", "00123", "0312345678", "00090123456", "090123456789", "0901234567", "2024-01-01", "1-2-3",
        "0001-2345-6789", "+1234567", "+1234567890123456", "+abc12345678", "u-090-1234-5678", "090-1234", "0-1-2",
    ],
)  # fmt: skip
def test_numbers_of_customers_stay_as_they_are(text: str) -> None:
    assert closed_id(text, "secret", "demo") == text


def test_a_phone_number_travels_in_no_key() -> None:
    records = records_of("identify", userId="090-1234-5678", anonymousId="+819087654321")
    assert len(records) == 3
    for record in records:
        assert "1234" not in record.key + str(record.value())
        assert "8765" not in record.key + str(record.value())
