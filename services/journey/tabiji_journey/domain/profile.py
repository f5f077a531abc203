"""What we know of one customer: a fold of its events, orders by their business identity.

An order is (workspace, order id) and its first amount counts; a refund is (order id, refund id or else the event's id).
SDK, webhook and poll may tell the same thing under different event ids: only the first telling changes anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import field
from msgspec.structs import replace

from tabiji_common import events

PRODUCTS = 256  # product ids kept, the latest ones
ONE_CLICK = timedelta(minutes=1)  # a no by the same link within it is a button pressed twice, or a program's second try


class Change(StrEnum):
    """What an event did to the profile; only ``NEWS`` may start, move or end a journey."""

    NEWS = "news"
    REPEAT = "repeat"  # told before under another event id
    CONFLICT = "conflict"  # an order told again with another amount: the first one counts
    VOID = "void"  # of an order that has been cancelled


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """One order; ``refunds`` by identity, ``None`` where the refund took the rest of the order."""

    amount_minor: int
    currency: str
    at: datetime
    refunds: dict[str, int | None] = field(default_factory=dict)

    @property
    def net_minor(self) -> int:
        """The amount less what was given back."""
        if any(amount is None for amount in self.refunds.values()):
            return min(0, self.amount_minor - sum(amount or 0 for amount in self.refunds.values()))
        return self.amount_minor - sum(amount or 0 for amount in self.refunds.values())


class Word(msgspec.Struct, frozen=True, omit_defaults=True):
    """A value and when it was told: what happened later wins, in whatever order it is read.

    ``by`` tells a no that came by a message's link from any other, and by which message's.
    """

    value: Any
    at: datetime
    by: str = ""


class Profile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A customer as journeys see it. Money in minor units by ISO 4217 currency, instants in UTC, no personal data."""

    orders: dict[str, Order] = field(default_factory=dict)
    cancelled: tuple[str, ...] = ()
    waiting_refunds: dict[str, dict[str, int | None]] = field(default_factory=dict)
    products: tuple[str, ...] = ()
    told_traits: dict[str, Word] = field(default_factory=dict)
    told_consent: dict[str, Word] = field(default_factory=dict)

    @property
    def order_count(self) -> int:
        """Orders that were not cancelled."""
        return len(self.orders)

    @property
    def total_minor(self) -> int:
        """Orders less refunds in ``currency``."""
        return self.totals_minor.get(self.currency, 0)

    @property
    def currency(self) -> str:
        """The currency of the earliest order, ``""`` without orders."""
        first = min(self.orders.values(), key=lambda order: order.at, default=None)
        return first.currency if first else ""

    @property
    def totals_minor(self) -> dict[str, int]:
        """Orders less refunds in minor units, by currency; currencies are never added together."""
        totals: dict[str, int] = {}
        for order in self.orders.values():
            totals[order.currency] = totals.get(order.currency, 0) + order.net_minor
        return totals

    @property
    def first_order_at(self) -> datetime | None:
        """When the earliest order happened."""
        return min((order.at for order in self.orders.values()), default=None)

    @property
    def last_order_at(self) -> datetime | None:
        """When the latest order happened."""
        return max((order.at for order in self.orders.values()), default=None)

    @property
    def timezone(self) -> str | None:
        """The ``timezone`` trait, where it is text."""
        told = self.told_traits.get("timezone")
        return told.value if told and isinstance(told.value, str) else None

    @property
    def consent(self) -> dict[str, bool]:
        """By channel, whether marketing was last agreed to or forbidden."""
        return {channel: bool(told.value) for channel, told in self.told_consent.items()}

    @property
    def traits(self) -> dict[str, Any]:
        """The latest value of each plain trait."""
        return {name: told.value for name, told in self.told_traits.items()}

    def to_json(self) -> str:
        """The whole profile for one ``jsonb`` column."""
        return _ENCODER.encode(self).decode()

    @staticmethod
    def from_json(text: str) -> Profile:
        """The inverse of ``to_json``."""
        return _DECODER.decode(text)


EMPTY = Profile()
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Profile)


def learn(profile: Profile, event: events.Event, at: datetime, event_id: str) -> tuple[Profile, Change]:
    """The profile after ``event`` that happened at ``at``.

    Pure and total: an event that tells nothing of the customer is news and changes nothing.
    """
    match event:
        case events.OrderCompleted():
            return _ordered(profile, event, at)
        case events.OrderRefunded():
            return _refunded(profile, event, event_id)
        case events.OrderCancelled():
            return _cancelled(profile, event.order_id)
        case events.Unsubscribed(channel=str()):
            again = _said_again(profile.told_consent.get(str(event.channel)), at, _link(event))
            return _listened(profile, event, at), Change.REPEAT if again else Change.NEWS
        case _:
            return _listened(profile, event, at), Change.NEWS


def _listened(profile: Profile, event: events.Event, at: datetime) -> Profile:
    match event:
        case events.Identified():
            return replace(profile, told_traits=_told(profile.told_traits, event.traits, at))
        case events.ConsentGiven():
            return replace(profile, told_consent=_told(profile.told_consent, {event.channel: True}, at))
        case events.ConsentWithdrawn():
            return replace(profile, told_consent=_told(profile.told_consent, {event.channel: False}, at))
        case events.Unsubscribed(channel=str()):
            no = {str(event.channel): False}
            return replace(profile, told_consent=_told(profile.told_consent, no, at, _link(event)))
        case _:
            return profile


def _ordered(profile: Profile, event: events.OrderCompleted, at: datetime) -> tuple[Profile, Change]:
    if event.order_id in profile.cancelled:
        return profile, Change.VOID
    if (known := profile.orders.get(event.order_id)) is not None:
        same = (known.amount_minor, known.currency) == (event.amount_minor, event.currency)
        return profile, Change.REPEAT if same else Change.CONFLICT
    waiting = dict(profile.waiting_refunds)
    order = Order(event.amount_minor, event.currency, at, waiting.pop(event.order_id, {}))
    bought = tuple(_product_ids(event.products))
    kept = tuple(product for product in profile.products if product not in bought) if bought else profile.products
    return (
        replace(
            profile,
            orders={**profile.orders, event.order_id: order},
            waiting_refunds=waiting,
            products=(*kept, *bought)[-PRODUCTS:],
        ),
        Change.NEWS,
    )


def _refunded(profile: Profile, event: events.OrderRefunded, event_id: str) -> tuple[Profile, Change]:
    refund, order_id = event.refund_id or event_id, event.order_id
    if order_id in profile.cancelled:
        return profile, Change.VOID
    order = profile.orders.get(order_id)
    told = order.refunds if order else profile.waiting_refunds.get(order_id, {})
    if refund in told:
        return profile, Change.REPEAT
    told = {**told, refund: event.amount_minor}
    if order:
        return replace(profile, orders={**profile.orders, order_id: replace(order, refunds=told)}), Change.NEWS
    return replace(profile, waiting_refunds={**profile.waiting_refunds, order_id: told}), Change.NEWS


def _cancelled(profile: Profile, order_id: str) -> tuple[Profile, Change]:
    if order_id in profile.cancelled:
        return profile, Change.REPEAT
    return (
        replace(
            profile,
            orders={name: order for name, order in profile.orders.items() if name != order_id},
            waiting_refunds={name: told for name, told in profile.waiting_refunds.items() if name != order_id},
            cancelled=(*profile.cancelled, order_id),
        ),
        Change.NEWS,
    )


def _link(event: events.Unsubscribed) -> str:
    return f"link {event.message_key or ''}"


def _said_again(known: Word | None, at: datetime, by: str) -> bool:
    return known is not None and not known.value and known.by == by and abs(at - known.at) < ONE_CLICK


def _told(known: dict[str, Word], news: dict[str, Any], at: datetime, by: str = "") -> dict[str, Word]:
    later = {name: Word(value, at, by) for name, value in news.items() if name not in known or known[name].at <= at}
    return {**known, **later} if later else known


def _product_ids(products: list[dict[str, Any]]) -> Iterator[str]:
    for product in products:
        name = product.get("product_id") or product.get("id") or product.get("sku")
        if isinstance(name, (str, int)) and not isinstance(name, bool):
            yield str(name)
