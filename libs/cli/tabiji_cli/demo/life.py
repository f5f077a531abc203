"""One customer's orders -> what that customer did, as Segment messages in order of time.

The orders are real. Who the customers are, what they looked at, which carts they left and when parcels came is made up,
marked ``simulated``, and a pure function of the order log and the seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tabiji_cli import segment
from tabiji_cli.cdnow import CURRENCY, Order
from tabiji_cli.chance import chance, choose, whole

SHOP_ZONE = ZoneInfo("Asia/Tokyo")
# Orders are placed from 09:05 to 23:30 in Tokyo, one calendar day in UTC as well: months are the log's in both zones.
OPENS, LAST_ORDER_MINUTES = time(9, 5), 14 * 60 + 25

CONSENT = 0.85
LINE_FRIEND = 0.45  # of customers: their LINE id is known, and they agreed to messages there
TRACKED_VISIT = 0.6  # of orders: their visit was seen
CART_SEEN = 0.6  # of those: the cart, too
ABANDONED_A_MONTH = 0.08
NEVER_SEEN_DELIVERED = 0.06
ANONYMOUS_BEFORE = 0.1
MEDIA = (
    ("organic", 0.34), ("cpc", 0.24), ("email", 0.16), ("social", 0.14), ("affiliate", 0.12)
)  # fmt: skip
FAMILY = [
    "佐藤",
    "鈴木",
    "高橋",
    "田中",
    "伊藤",
    "渡辺",
    "山本",
    "中村",
    "小林",
    "加藤",
    "吉田",
    "山田",
    "佐々木",
    "山口",
    "松本",
    "井上",
]
GIVEN = [
    "陽菜",
    "結衣",
    "美咲",
    "葵",
    "さくら",
    "大輔",
    "翔太",
    "健太",
    "拓也",
    "直樹",
    "恵子",
    "由美",
    "真由",
    "誠",
    "亮",
    "彩",
]


@dataclass(frozen=True, slots=True)
class Input:
    """One thing a customer did: ``body`` is the message to post, ``rank`` its place in that customer's life."""

    occurred_at: datetime
    customer: str
    rank: int
    kind: str
    message_id: str
    body: bytes


def at(day: date, clock: time) -> datetime:
    """That time of that day at the shop, in UTC."""
    return datetime.combine(day, clock, SHOP_ZONE).astimezone(UTC)


def line_id(customer: str) -> str:
    """A LINE user id of that customer's own."""
    return "U" + hashlib.sha256(f"line {customer}".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Life:
    """One customer's inputs until ``end``, in order of time."""

    customer: str
    orders: list[Order]
    seed: str
    end: datetime

    def __iter__(self) -> Iterator[Input]:
        steps = [step for part in self._parts() for step in part if step.occurred_at < self.end]
        steps.sort(key=lambda step: (step.occurred_at, step.rank))
        for rank, step in enumerate(steps):
            yield replace(step, rank=rank)

    def _parts(self) -> Iterator[Iterator[Input]]:
        yield self._joins(self.ordered_at(self.orders[0]))
        for order in self.orders:
            yield self._buys(order)
        yield self._abandons(self.ordered_at(self.orders[0]))

    def ordered_at(self, order: Order) -> datetime:
        """The log has dates only; the time of day is made up."""
        minutes = whole(0, LAST_ORDER_MINUTES, self.seed, order.order_id, "minute")
        return at(order.ordered_on, OPENS) + timedelta(minutes=minutes)

    @property
    def medium(self) -> str:
        """Where the customer came from."""
        return choose(MEDIA, self.seed, self.customer, "medium")

    def _chance(self, *about: str) -> float:
        return chance(self.seed, self.customer, *about)

    def _joins(self, first: datetime) -> Iterator[Input]:
        anonymous = None
        if self._chance("anonymous") < ANONYMOUS_BEFORE:
            anonymous = f"visitor-{self.customer}"
            at_ = first - timedelta(hours=26)
            id_ = f"{self.customer}.visit"
            page = segment.anonymous_page(anonymous, id_, at_, "Home", {"simulated": True})
            yield Input(at_, self.customer, 0, "page_viewed", id_, page)
        at_, id_ = first - timedelta(minutes=40), f"{self.customer}.identify"
        traits = {
            "name": f"{FAMILY[whole(0, 15, self.customer, 'family')]} {GIVEN[whole(0, 15, self.customer, 'given')]}",
            "email": f"customer.{self.customer}@example.com",
            "simulated": True,
        }
        friend = self._chance("line") < LINE_FRIEND
        if friend:
            traits["lineUserId"] = line_id(self.customer)
        body = segment.identify(self.customer, id_, at_, traits, anonymous)
        yield Input(at_, self.customer, 1, "identified", id_, body)
        if self._chance("consent") < CONSENT:
            at_ = first - timedelta(minutes=39)
            yield self._track("consent_given", "Consent Given", at_, "consent", {"channel": "email"})
        if friend:
            at_ = first - timedelta(minutes=38)
            yield self._track("line_consent_given", "Consent Given", at_, "line", {"channel": "line"})

    def _buys(self, order: Order) -> Iterator[Input]:
        placed = self.ordered_at(order)
        properties: dict[str, Any] = {
            "order_id": order.order_id,
            "total": segment.major(order.amount_minor, CURRENCY),
            "currency": CURRENCY,
            "products": [{"product_id": self._product(order.order_id), "quantity": 1}],
        }
        if self._chance(order.order_id, "visit") < TRACKED_VISIT:
            yield from self._looks(placed - timedelta(minutes=18), order.order_id)
            if self._chance(order.order_id, "cart") < CART_SEEN:
                properties["cart_id"] = cart = f"cart-{order.order_id}"
                yield self._adds(placed - timedelta(minutes=9), cart, order.order_id)
        yield self._track("order_completed", "Order Completed", placed, order.order_id, properties)
        yield from self._receives(order)

    def _receives(self, order: Order) -> Iterator[Input]:
        parcel = {"order_id": order.order_id}
        day = order.ordered_on + timedelta(days=whole(1, 2, self.seed, order.order_id, "shipped"))
        shipped = at(day, time(10)) + timedelta(minutes=whole(0, 400, self.seed, order.order_id, "shipped minute"))
        id_ = f"{order.order_id}.shipped"
        yield self._track("order_shipped", "Order Shipped", shipped, id_, parcel)
        if self._chance(order.order_id, "lost") < NEVER_SEEN_DELIVERED:
            return
        hours = whole(20, 90, self.seed, order.order_id, "delivered")
        id_ = f"{order.order_id}.delivered"
        yield self._track("order_delivered", "Order Delivered", shipped + timedelta(hours=hours), id_, parcel)

    def _abandons(self, first: datetime) -> Iterator[Input]:
        month = timedelta(days=30)
        for number in range(int((self.end - first) / month) + 1):
            name = f"{self.customer}-left-{number}"
            if self._chance(name, "abandons") >= ABANDONED_A_MONTH:
                continue
            day = (first + number * month).astimezone(SHOP_ZONE).date()
            day += timedelta(days=whole(1, 29, self.seed, name, "day"))
            minutes = whole(0, 330, self.seed, name, "minute")
            looks = at(day, time(10)) + timedelta(minutes=minutes)
            cart = f"cart-{name}"
            yield from self._looks(looks, name)
            yield self._adds(looks + timedelta(minutes=7), cart, name)
            if self._chance(name, "again") < 0.3:
                yield self._adds(looks + timedelta(minutes=12), cart, f"{name}.again")

    def _looks(self, when: datetime, name: str) -> Iterator[Input]:
        properties = {"product_id": self._product(name)}
        yield self._track("product_viewed", "Product Viewed", when, f"{name}.view", properties)

    def _adds(self, when: datetime, cart: str, name: str) -> Input:
        properties = {"cart_id": cart, "product_id": self._product(name), "quantity": 1}
        return self._track("product_added", "Product Added", when, f"{name}.add", properties)

    def _product(self, name: str) -> str:
        return f"cd-{whole(1, 240, self.seed, name, 'product'):03d}"

    def _track(self, kind: str, event: str, when: datetime, name: str, properties: dict[str, Any]) -> Input:
        id_ = f"{self.customer}.{name}"
        body = segment.track(self.customer, id_, when, event, {**properties, "simulated": True}, self.medium)
        return Input(when, self.customer, 2, kind, id_, body)
