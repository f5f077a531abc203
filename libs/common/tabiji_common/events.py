"""The payloads of the ``events.*`` topics: what happened to one customer of one shop.

One frozen struct for each event type. The type's name (``order_completed``) is the record's ``ce_type`` and the
name that journeys use. Money is integer minor units with an ISO 4217 currency. Personal data sits under ``pii``
and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import msgspec

B = TypeVar("B")


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every event carries.

    ``customer`` is the user id where known, else the anonymous id (then ``anonymous`` is true); it is also the
    second half of the record's key. ``properties`` are the shop's own, as received; ``medium`` is the campaign medium
    of the visit (``context.campaign.medium``); ``pii`` holds personal fields (email, phone, names, address, birthday,
    line_id and every trait not listed as plain).
    """

    workspace: str
    customer: str
    anonymous: bool = False
    anonymous_id: str | None = None
    name: str | None = None
    properties: dict[str, Any] = {}
    medium: str | None = None
    pii: dict[str, Any] = {}

    def then(self, kind: Callable[..., B], **fields: Any) -> B:
        """A payload of ``kind`` about the same customer."""
        return kind(workspace=self.workspace, customer=self.customer, **fields)


class PurchaseEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Something happened to an order or a subscription."""


class OrderEvent(PurchaseEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Something happened to the order ``order_id``, unique within the workspace."""

    order_id: str


class OrderCompleted(OrderEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An order was placed for ``amount_minor``; negative for a return that the shop booked as an order."""

    amount_minor: int
    currency: str
    products: list[dict[str, Any]] = []
    cart_id: str | None = None


class OrderRefunded(OrderEvent, frozen=True, kw_only=True, omit_defaults=True):
    """``amount_minor`` (positive) was given back; ``None`` means the rest of the order."""

    amount_minor: int | None = None
    currency: str | None = None
    refund_id: str | None = None


class OrderCancelled(OrderEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The order leaves counts and sums as if it had never been placed."""


class OrderShipped(OrderEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The parcel left."""


class OrderDelivered(OrderEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The parcel arrived."""


class SubscriptionEvent(PurchaseEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Something happened to the subscription ``subscription_id``."""

    subscription_id: str


class SubscriptionStarted(SubscriptionEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A subscription began."""


class SubscriptionRenewed(SubscriptionEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A subscription went into its next period."""


class SubscriptionCancelled(SubscriptionEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A subscription was ended by the customer or the shop."""


class PageViewEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A customer looked at something, searched, or touched the cart."""

    cart_id: str | None = None
    product_id: str | None = None


class PageViewed(PageViewEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A page was shown."""


class ProductViewed(PageViewEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A product page was shown."""


class ProductListViewed(PageViewEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A list or category was shown."""


class ProductsSearched(PageViewEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A search was made."""


class ProductAdded(PageViewEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A product went into the cart ``cart_id``."""


class ProductRemoved(PageViewEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A product left the cart ``cart_id``."""


class CartViewed(PageViewEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The cart was shown."""


class CheckoutStarted(PageViewEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The checkout began."""


class CheckoutStepViewed(PageViewEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A step of the checkout was shown."""


class CheckoutStepCompleted(PageViewEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A step of the checkout was completed."""


class EngagementEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A customer, or a machine on the way, reacted to a message.

    ``message_key`` names the message where known; ``machine`` marks known scanners and proxies, whose opens and
    clicks do not count as a person's.
    """

    message_key: str | None = None
    channel: str | None = None
    machine: bool = False


class EmailOpened(EngagementEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The open pixel of a mail was fetched."""


class EmailClicked(EngagementEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A link of a mail was followed to ``url``."""

    url: str | None = None


class EmailBounced(EngagementEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A mail came back; ``hard`` means that the address is bad for good."""

    hard: bool = True


class EmailComplained(EngagementEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A mail was marked as spam."""


class LineFollowed(EngagementEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The shop's LINE account was added as a friend."""


class LineBlocked(EngagementEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The shop's LINE account was blocked."""


class LinePostback(EngagementEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A button in a LINE message was pressed."""


class Unsubscribed(EngagementEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The customer asked for no more marketing on ``channel``."""


class SurveyAnswered(EngagementEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A survey was answered; the answers are in ``properties``."""


class CustomerEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What we know of a customer changed."""


class Identified(CustomerEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Traits were set; plain ones in ``traits``, personal ones in ``pii``."""

    traits: dict[str, Any] = {}


class ConsentGiven(CustomerEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Marketing on ``channel`` was agreed to."""

    channel: str


class ConsentWithdrawn(CustomerEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Marketing on ``channel`` was forbidden."""

    channel: str


class Merged(CustomerEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The visitor ``source`` turned out to be ``target``; written under the keys of both.

    ``known`` is true where both were known customers: recorded as ``merge_pending``, nothing moves.
    """

    source: str
    target: str
    known: bool = False


class Erased(CustomerEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Forget this customer in every service."""


class ErasureDone(CustomerEvent, frozen=True, kw_only=True, omit_defaults=True):
    """``service`` has forgotten this customer as it was until ``until``, the moment of the erasure.

    What is told of it from then on is somebody's who came back. Without ``until`` (records from before it was there)
    the record's own ``ce_time`` is the bound.
    """

    service: str
    until: datetime | None = None


class CustomEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Any other name that a shop tracks; the name is the record's ``ce_type``, as received."""


PURCHASE_EVENTS: dict[str, type[PurchaseEvent]] = {
    "order_completed": OrderCompleted,
    "order_refunded": OrderRefunded,
    "order_cancelled": OrderCancelled,
    "order_shipped": OrderShipped,
    "order_delivered": OrderDelivered,
    "subscription_started": SubscriptionStarted,
    "subscription_renewed": SubscriptionRenewed,
    "subscription_cancelled": SubscriptionCancelled,
}
PAGE_VIEW_EVENTS: dict[str, type[PageViewEvent]] = {
    "page_viewed": PageViewed,
    "product_viewed": ProductViewed,
    "product_list_viewed": ProductListViewed,
    "products_searched": ProductsSearched,
    "product_added": ProductAdded,
    "product_removed": ProductRemoved,
    "cart_viewed": CartViewed,
    "checkout_started": CheckoutStarted,
    "checkout_step_viewed": CheckoutStepViewed,
    "checkout_step_completed": CheckoutStepCompleted,
}
ENGAGEMENT_EVENTS: dict[str, type[EngagementEvent]] = {
    "email_opened": EmailOpened,
    "email_clicked": EmailClicked,
    "email_bounced": EmailBounced,
    "email_complained": EmailComplained,
    "line_followed": LineFollowed,
    "line_blocked": LineBlocked,
    "line_postback": LinePostback,
    "unsubscribed": Unsubscribed,
    "survey_answered": SurveyAnswered,
}
CUSTOMER_EVENTS: dict[str, type[CustomerEvent]] = {
    "identified": Identified,
    "consent_given": ConsentGiven,
    "consent_withdrawn": ConsentWithdrawn,
    "merged": Merged,
    "erased": Erased,
    "erasure_done": ErasureDone,
}
