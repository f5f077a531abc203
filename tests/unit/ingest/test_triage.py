"""What a call becomes: topic, type, payload, ids."""

from typing import Any

import pytest

from tabiji_common.topics import Mode
from tabiji_ingest.domain.call import Receipt
from tabiji_ingest.domain.catalogue import BUILDERS, TYPES
from tabiji_ingest.domain.refusal import Refusal
from tabiji_ingest.domain.segment import read_call
from tabiji_ingest.domain.triage import triage
from tests.unit.ingest.support import NOW, RECEIPT, RULES, records_of, track

ORDER = {"order_id": "o-1", "total": 1980, "revenue": 1500, "currency": "JPY"}


@pytest.mark.parametrize(
    ("name", "properties", "topic", "type_"),
    [
        ("Order Completed", ORDER, "events.purchase.v1", "order_completed"),
        ("order completed", ORDER, "events.purchase.v1", "order_completed"),
        ("order_completed", ORDER, "events.purchase.v1", "order_completed"),
        ("OrderCompleted", ORDER, "events.purchase.v1", "order_completed"),
        ("ORDER-COMPLETED", ORDER, "events.purchase.v1", "order_completed"),
        ("Order Refunded", {"order_id": "o-1"}, "events.purchase.v1", "order_refunded"),
        ("Order Cancelled", {"order_id": "o-1"}, "events.purchase.v1", "order_cancelled"),
        ("Order Canceled", {"order_id": "o-1"}, "events.purchase.v1", "order_cancelled"),
        ("Order Shipped", {"order_id": "o-1"}, "events.purchase.v1", "order_shipped"),
        ("Order Fulfilled", {"order_id": "o-1"}, "events.purchase.v1", "order_shipped"),
        ("Order Delivered", {"order_id": 17}, "events.purchase.v1", "order_delivered"),
        ("Subscription Started", {"subscription_id": "s-1"}, "events.purchase.v1", "subscription_started"),
        ("Subscription Renewed", {"subscription_id": "s-1"}, "events.purchase.v1", "subscription_renewed"),
        ("Subscription Canceled", {"subscription_id": "s-1"}, "events.purchase.v1", "subscription_cancelled"),
        ("Product Viewed", {"product_id": "p-1"}, "events.page_view.v1", "product_viewed"),
        ("Product List Viewed", {}, "events.page_view.v1", "product_list_viewed"),
        ("Products Searched", {"query": "抹茶"}, "events.page_view.v1", "products_searched"),
        ("Product Added", {"cart_id": "c-1"}, "events.page_view.v1", "product_added"),
        ("Product Removed", {"cart_id": "c-1"}, "events.page_view.v1", "product_removed"),
        ("Cart Viewed", {"cart_id": "c-1"}, "events.page_view.v1", "cart_viewed"),
        ("Checkout Started", {}, "events.page_view.v1", "checkout_started"),
        ("Checkout Step Viewed", {}, "events.page_view.v1", "checkout_step_viewed"),
        ("Checkout Step Completed", {}, "events.page_view.v1", "checkout_step_completed"),
        ("Email Opened", {}, "events.engagement.v1", "email_opened"),
        ("Email Link Clicked", {"link_url": "https://shop"}, "events.engagement.v1", "email_clicked"),
        ("Email Bounced", {}, "events.engagement.v1", "email_bounced"),
        ("Email Marked as Spam", {}, "events.engagement.v1", "email_complained"),
        ("Unsubscribed", {}, "events.engagement.v1", "unsubscribed"),
        ("LINE Followed", {}, "events.engagement.v1", "line_followed"),
        ("Survey Answered", {"q1": 5}, "events.engagement.v1", "survey_answered"),
        ("Consent Given", {"channel": "email"}, "events.customer.v1", "consent_given"),
        ("Consent Withdrawn", {"channel": "LINE"}, "events.customer.v1", "consent_withdrawn"),
        ("Customer Erased", {}, "events.customer.v1", "erased"),
        ("Erased", {}, "events.customer.v1", "erased"),
        ("Signed Up", {"plan": "gold"}, "events.custom.v1", "Signed Up"),
        ("ポイント交換", {}, "events.custom.v1", "ポイント交換"),
        ("Product Added to Wishlist", {}, "events.custom.v1", "Product Added to Wishlist"),
        ("Identified", {}, "events.custom.v1", "Identified"),
        ("Merged", {}, "events.custom.v1", "Merged"),
    ],
)
def test_a_name_finds_its_topic_and_type(name: str, properties: dict[str, Any], topic: str, type_: str) -> None:
    record = track(name, properties)
    assert (record.topic.name, record.type) == (topic, type_)
    assert record.topic.decode(record.type, record.value()) == record.body


def test_every_spelling_leads_to_a_type_that_can_be_built() -> None:
    assert set(TYPES.values()) == BUILDERS.keys()


def test_an_orders_amount_is_its_total_and_revenue_only_without_one() -> None:
    assert track("Order Completed", ORDER).body.amount_minor == 1980
    assert track("Order Completed", {"order_id": "o-1", "revenue": 15.5, "currency": "USD"}).body.amount_minor == 1550
    assert track("Order Completed", {"order_id": "o-1", "total": None, "revenue": 15}).body.amount_minor == 15
    assert track("Order Completed", {"order_id": "o-1", "total": -500}).body.amount_minor == -500
    assert track("Order Completed", {"order_id": "o-1", "total": 0, "revenue": 5}).body.amount_minor == 0


def test_an_order_without_a_currency_is_in_the_workspaces() -> None:
    assert track("Order Completed", {"order_id": "o-1", "total": 1980}).body.currency == "JPY"


def test_an_order_keeps_its_products_once_and_its_properties_as_they_came() -> None:
    products = [{"product_id": "p1", "name": "抹茶 ☕️", "price": 990.25}]
    body = track("Order Completed", {**ORDER, "coupon": "x", "cart_id": "c-1", "products": products}).body
    assert body.products == products
    assert body.properties == {**ORDER, "coupon": "x", "cart_id": "c-1"}
    assert body.cart_id == "c-1"


def test_a_refund_is_an_amount_given_back_or_the_rest_of_the_order() -> None:
    given = track("Order Refunded", {"order_id": "o-1", "total": 30, "currency": "USD", "refund_id": "r-1"}).body
    assert (given.amount_minor, given.currency, given.refund_id) == (3000, "USD", "r-1")
    assert track("Order Refunded", {"order_id": "o-1", "total": -30, "currency": "USD"}).body.amount_minor == 3000
    rest = track("Order Refunded", {"order_id": "o-1"}).body
    assert (rest.amount_minor, rest.currency) == (None, None)


@pytest.mark.parametrize(
    ("name", "properties", "field"),
    [
        ("Order Completed", {"total": 1}, "properties.order_id"),
        ("Order Completed", {"order_id": "", "total": 1}, "properties.order_id"),
        ("Order Completed", {"order_id": True, "total": 1}, "properties.order_id"),
        ("Order Completed", {"order_id": 1.5, "total": 1}, "properties.order_id"),
        ("Order Completed", {"order_id": "o"}, "properties.total"),
        ("Order Completed", {"order_id": "o", "total": "free"}, "properties.total"),
        ("Order Completed", {"order_id": "o", "total": 1, "currency": "YEN"}, "properties.currency"),
        ("Order Completed", {"order_id": "o", "total": 1, "products": {}}, "properties.products"),
        ("Order Completed", {"order_id": "o", "total": 1, "products": [{}, 1]}, "properties.products.1"),
        ("Order Shipped", {}, "properties.order_id"),
        ("Subscription Started", {}, "properties.subscription_id"),
        ("Consent Given", {}, "properties.channel"),
        ("Consent Given", {"channel": "pigeon"}, "properties.channel"),
        ("Unsubscribed", {"channel": "pigeon"}, "properties.channel"),
        ("Cart Viewed", {"cart_id": ["c"]}, "properties.cart_id"),
        ("x" * 257, {}, "event"),
        ("", {}, "event"),
        (" ", {}, "event"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_field(name: str, properties: dict[str, Any], field: str) -> None:
    with pytest.raises(Refusal) as refused:
        track(name, properties)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"event": 5}, "event"),
        ({"event": None}, "event"),
        ({"event": "X", "properties": []}, "properties"),
        ({"event": "X", "properties": "{}"}, "properties"),
        ({"event": "X", "context": 1}, "context"),
        ({"event": "X", "messageId": {}}, "messageId"),
        ({"event": "X", "messageId": "x" * 257}, "messageId"),
        ({"event": "X", "timestamp": 5}, "timestamp"),
        ({"event": "X", "timestamp": "2026-04-01", "sentAt": "soon"}, "sentAt"),
    ],
)
def test_a_misshapen_call_is_refused_with_its_field(event: dict[str, Any], field: str) -> None:
    with pytest.raises(Refusal) as refused:
        records_of("track", userId="u-1", **event)
    assert refused.value.field == field


def test_a_page_is_a_page_view_with_its_name_and_category() -> None:
    (record,) = records_of("page", userId="u-1", name="Cart", category="Docs", properties={"url": "https://shop"})
    assert record.type == "page_viewed"
    assert record.body.name == "Cart"
    assert record.body.properties == {"url": "https://shop", "category": "Docs"}


def test_the_medium_is_the_campaigns() -> None:
    context = {"campaign": {"source": "line", "medium": "social"}}
    assert track("Cart Viewed", context=context).body.medium == "social"
    assert track("Cart Viewed", context={"campaign": "x"}).body.medium is None


def test_a_message_id_is_the_events_id_and_null_is_none() -> None:
    assert track("Signed Up", messageId="node-next-1-x").id == "node-next-1-x"
    call = read_call("track", {"event": "Signed Up", "userId": "u-1", "messageId": None})
    made = triage(call, RECEIPT, RULES, 3)
    assert made.made is True
    assert made.id == made.records[0].id != triage(call, RECEIPT, RULES, 4).id


def test_an_order_without_a_message_id_is_recognised_by_its_order_id() -> None:
    call = read_call("track", {"event": "Order Completed", "userId": "u-1", "properties": ORDER})
    first = triage(call, RECEIPT, RULES, 0)
    again = triage(call, Receipt("demo", NOW, Mode.LIVE, "another request"), RULES, 7)
    assert first.made is again.made is False
    assert first.id == again.id


def test_the_fingerprint_knows_another_body_and_not_another_time_of_sending() -> None:
    base = {"event": "Signed Up", "userId": "u-1", "messageId": "m"}
    one = read_call("track", {**base, "sentAt": "2026-04-01T00:00:00Z"}).body_hash
    assert one == read_call("track", {**base, "sentAt": "2026-04-01T00:00:09Z"}).body_hash
    assert one == read_call("track", dict(reversed(base.items()))).body_hash
    assert one != read_call("track", {**base, "properties": {"x": 1}}).body_hash


def test_history_is_marked_as_such() -> None:
    receipt = Receipt("demo", NOW, Mode.BACKFILL, "r")
    (record,) = records_of("page", receipt=receipt, userId="u-1")
    assert record.mode is Mode.BACKFILL


def test_an_open_that_a_scanner_reports_is_a_machines() -> None:
    assert track("Email Opened", context={"userAgent": "Barracuda Sentinel"}).body.machine is True
    assert track("Email Opened", context={"user_agent": "Mozilla/5.0 (X11; Linux)"}).body.machine is False


def test_a_soft_bounce_is_not_hard() -> None:
    assert track("Email Bounced", {"bounce_type": "soft"}).body.hard is False
    assert track("Email Bounced", {}).body.hard is True


def test_a_request_to_forget_carries_nothing_to_keep() -> None:
    record = track("Customer Erased", {"reason": "asked", "email": "t@example.com"})
    assert b"example" not in record.value()
    assert b"asked" not in record.value()
