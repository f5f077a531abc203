"""Event names of shops -> our types: Segment's e-commerce spec v2, its e-mail spec, and names of our own.

Names are compared without case, spaces, underscores and hyphens. What is not here is the shop's own and goes to
``events.custom.v1`` under its name as received.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tabiji_common import events
from tabiji_common.topics import CUSTOMERS, ENGAGEMENTS, PAGE_VIEWS, PURCHASES, Topic
from tabiji_ingest.domain.bots import is_machine
from tabiji_ingest.domain.call import Rules
from tabiji_ingest.domain.personal import plain_spelling
from tabiji_ingest.domain.properties import Properties
from tabiji_ingest.domain.refusal import Kind, Refusal

CHANNELS = frozenset({"email", "line", "sms", "post", "phone", "webhook"})

_SPELLINGS = {
    "order_completed": "Order Completed",
    "order_refunded": "Order Refunded",
    "order_cancelled": "Order Cancelled, Order Canceled",
    # Segment's spec has no name for these three
    "order_shipped": "Order Shipped, Order Fulfilled",
    "order_delivered": "Order Delivered",
    "subscription_started": "Subscription Started",
    "subscription_renewed": "Subscription Renewed",
    "subscription_cancelled": "Subscription Cancelled, Subscription Canceled",
    "page_viewed": "Page Viewed",
    "product_viewed": "Product Viewed",
    "product_list_viewed": "Product List Viewed",
    "products_searched": "Products Searched",
    "product_added": "Product Added",
    "product_removed": "Product Removed",
    "cart_viewed": "Cart Viewed",
    "checkout_started": "Checkout Started",
    "checkout_step_viewed": "Checkout Step Viewed",
    "checkout_step_completed": "Checkout Step Completed",
    "email_opened": "Email Opened",
    "email_clicked": "Email Clicked, Email Link Clicked",
    "email_bounced": "Email Bounced",
    "email_complained": "Email Marked as Spam, Email Complained",
    "unsubscribed": "Unsubscribed",
    "line_followed": "LINE Followed",
    "line_blocked": "LINE Blocked",
    "line_postback": "LINE Postback",
    "survey_answered": "Survey Answered",
    "consent_given": "Consent Given",
    "consent_withdrawn": "Consent Withdrawn",
    "erased": "Customer Erased, Erased",
}
TYPES = {plain_spelling(name): type_ for type_, names in _SPELLINGS.items() for name in names.split(", ")}

Base = dict[str, Any]
Build = Callable[[Base, Properties, dict[str, Any], Rules], events.Event]


def type_of(name: str) -> str | None:
    """Our type for a name, ``None`` where it is the shop's own."""
    return TYPES.get(plain_spelling(name)) if len(name) < 64 else None


def _order_completed(base: Base, p: Properties, _: dict[str, Any], rules: Rules) -> events.Event:
    order_id, currency = p.required("order_id", "orderId"), p.currency(rules.currency)
    amount = p.minor(currency, "total", "revenue")
    if amount is None:
        raise Refusal(p.path("total"), "is required (or else revenue)", Kind.MONEY)
    products = p.objects("products")
    if products:
        base["properties"] = {key: value for key, value in base["properties"].items() if key != "products"}
    return events.OrderCompleted(
        **base,
        order_id=order_id,
        amount_minor=amount,
        currency=currency,
        products=products,
        cart_id=p.text("cart_id", "cartId"),
    )


def _order_refunded(base: Base, p: Properties, _: dict[str, Any], rules: Rules) -> events.Event:
    currency = p.currency(rules.currency)
    amount = p.minor(currency, "total", "revenue")
    return events.OrderRefunded(
        **base,
        order_id=p.required("order_id", "orderId"),
        amount_minor=None if amount is None else abs(amount),
        currency=currency if amount is not None or p.values.get("currency") else None,
        refund_id=p.text("refund_id", "refundId"),
    )


def _order(payload: Callable[..., events.Event]) -> Build:
    return lambda base, p, _, __: payload(**base, order_id=p.required("order_id", "orderId"))


def _subscription(payload: Callable[..., events.Event]) -> Build:
    return lambda base, p, _, __: payload(**base, subscription_id=p.required("subscription_id", "subscriptionId"))


def _page_view(payload: Callable[..., events.Event]) -> Build:
    return lambda base, p, _, __: payload(
        **base, cart_id=p.text("cart_id", "cartId"), product_id=p.text("product_id", "productId", "sku")
    )


def _engagement(payload: Callable[..., events.Event], channel: str) -> Build:
    def build(base: Base, p: Properties, context: dict[str, Any], _: Rules) -> events.Event:
        extra: dict[str, Any] = {}
        if payload is events.EmailClicked:
            extra["url"] = p.text("link_url", "url")
        elif payload is events.EmailBounced:
            extra["hard"] = (p.text("bounce_type", "type") or "hard").casefold() in {"hard", "permanent"}
        agent = context.get("userAgent", context.get("user_agent"))
        return payload(
            **base,
            **extra,
            message_key=p.text("message_key", "messageKey", "email_id"),
            channel=p.one_of(CHANNELS, "channel", channel),
            machine=isinstance(agent, str) and is_machine(agent, {}),
        )

    return build


def _consent(payload: Callable[..., events.Event]) -> Build:
    return lambda base, p, _, __: payload(**base, channel=p.one_of(CHANNELS, "channel"))


def _erased(base: Base, _: Properties, __: dict[str, Any], ___: Rules) -> events.Event:
    # a request to forget carries nothing else to keep
    return events.Erased(**{**base, "properties": {}, "pii": {}})


_OWN_BUILD: dict[str, Build] = {
    "order_completed": _order_completed,
    "order_refunded": _order_refunded,
    "consent_given": _consent(events.ConsentGiven),
    "consent_withdrawn": _consent(events.ConsentWithdrawn),
    "erased": _erased,
}


def _builders() -> dict[str, tuple[Topic[Any], Build]]:
    made: dict[str, tuple[Topic[Any], Build]] = {}
    for type_, payload in events.PURCHASE_EVENTS.items():
        is_order = issubclass(payload, events.OrderEvent)
        made[type_] = PURCHASES, _order(payload) if is_order else _subscription(payload)
    for type_, view in events.PAGE_VIEW_EVENTS.items():
        made[type_] = PAGE_VIEWS, _page_view(view)
    for type_, reaction in events.ENGAGEMENT_EVENTS.items():
        made[type_] = ENGAGEMENTS, _engagement(reaction, "line" if type_.startswith("line_") else "email")
    for type_ in ("consent_given", "consent_withdrawn", "erased"):
        made[type_] = CUSTOMERS, _OWN_BUILD[type_]
    return {type_: (topic, _OWN_BUILD.get(type_, build)) for type_, (topic, build) in made.items()}


BUILDERS = _builders()
"""For each type its topic, and how to make its payload."""
