"""Customers, records and journeys for tests of the fold, without a database."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tabiji_common import commands, events
from tabiji_common.clock import FOREVER
from tabiji_common.kafka.turn import Received
from tabiji_common.topics import (
    CUSTOM,
    CUSTOMERS,
    ENGAGEMENTS,
    JOURNEY_COMMANDS,
    OUTCOMES,
    PAGE_VIEWS,
    PURCHASES,
    Mode,
    Topic,
    customer_key,
    partition_of,
)
from tabiji_journey.domain.arrival import told
from tabiji_journey.domain.catalog import Catalog, Running
from tabiji_journey.domain.customer import fold
from tabiji_journey.domain.loader import load
from tabiji_journey.domain.model import Cancel, Moved, Send
from tabiji_journey.domain.state import CustomerState, Folded

MONDAY = datetime(2026, 1, 5, 1, tzinfo=UTC)  # 10:00 in Tokyo

CART = """
id: cart
enter: {on: product_added, key: cart_id, reenter: restart}
exit:
  - {on: order_completed, match: cart, as: purchased}
goal: {on: order_completed, match: cart, within: 7d}
start: browsing
states:
  browsing: {wait: {for: 4h}, next: reminder}
  reminder: {send: {channel: email, template: cart-reminder}, next: overnight}
  overnight: {wait: {for: 1d}, next: last_call}
  last_call: {send: {channel: email, template: last}, next: left}
  left: {end: abandoned}
"""
THANKS = """
id: thanks
enter: {on: order_completed, when: customer.order_count == 1, reenter: never}
exit:
  - {on: order_completed, as: converted}
  - {on: order_cancelled, match: order, as: cancelled}
goal: {on: order_completed, within: 60d}
start: thank
states:
  thank: {send: {channel: email, template: thank-you}, next: arrived}
  arrived: {wait: {for: order_delivered, match: order, timeout: 7d}, then: guide, on_timeout: guide}
  guide: {send: {channel: email, template: usage-guide}, next: opened}
  opened: {wait: {for: email_opened, of: guide, timeout: 3d}, then: done, on_timeout: done}
  done: {end: true}
"""

_TOPIC_OF: tuple[tuple[type, Topic[Any]], ...] = (
    (events.PurchaseEvent, PURCHASES),
    (events.PageViewEvent, PAGE_VIEWS),
    (events.EngagementEvent, ENGAGEMENTS),
    (events.CustomerEvent, CUSTOMERS),
    (events.CustomEvent, CUSTOM),
    (commands.Outcome, OUTCOMES),
    (commands.JourneyCommand, JOURNEY_COMMANDS),
)


def after(**delta: float) -> datetime:
    """An instant that much after Monday 10:00 in Tokyo."""
    return MONDAY + timedelta(**delta)


def received(
    body: Any,
    id_: str,
    at: datetime,
    accepted: datetime | None = None,
    *,
    mode: Mode = Mode.LIVE,
    type_: str = "",
    partitions: int = 4,
) -> Received:
    """A record as the log gives it: happened ``at``, taken at once unless ``accepted`` says otherwise."""
    topic = next(topic for kind, topic in _TOPIC_OF if isinstance(body, kind))
    accepted = accepted or at
    record = topic.record(
        body, id=id_, source="test", occurred_at=at, accepted_at=accepted, type=type_ or None, mode=mode
    )
    return Received(
        topic=topic.name,
        partition=partition_of(record.key, partitions),
        offset=0,
        appended_at=accepted,
        key=record.key,
        id=id_,
        type=record.type,
        source="test",
        occurred_at=at,
        accepted_at=accepted,
        mode=mode,
        body_hash=f"body of {id_}",
        value=record.value(),
        day=at.date(),
    )


def order(order_id: str, amount: int = 1000, customer: str = "ann", **more: Any) -> events.OrderCompleted:
    return events.OrderCompleted(
        workspace="w", customer=customer, order_id=order_id, amount_minor=amount, currency="JPY", **more
    )


def cart(cart_id: str, customer: str = "ann", **more: Any) -> events.ProductAdded:
    return events.ProductAdded(workspace="w", customer=customer, cart_id=cart_id, product_id="shirt", **more)


def outcome(send: Send | commands.SendMessage, state: str, at: datetime, customer: str = "ann") -> commands.Outcome:
    return commands.Outcome(
        workspace="w",
        customer=customer,
        message_key=send.message_key,
        state=state,  # type: ignore[arg-type]
        channel=send.channel,
        journey=send.journey,
        version=send.version,
        enrollment=send.enrollment,
        send_state=send.state,
        at=at,
        token=1,
    )


def catalog_of(*documents: str, paused: Iterable[str] = ()) -> Catalog:
    """A workspace that runs these journeys."""
    found = [load(text) for text in documents]
    held = set(paused)
    return Catalog(
        {d.id: Running(d, number, "test" if d.id in held else "") for number, d in enumerate(found, 1)},
        {(d.id, d.version): d for d in found},
    )


@dataclass
class Person:
    """One customer who goes through folds; ``last`` is the latest."""

    catalog: Catalog
    name: str = "ann"
    held: set[str] = field(default_factory=set)
    inherited: set[str] = field(default_factory=set)
    last: Folded = field(init=False)
    state: CustomerState = field(init=False)

    def __post_init__(self) -> None:
        self.state = CustomerState(customer_key("w", self.name))
        self.last = Folded(self.state)

    def meets(
        self,
        *records: Received,
        until: datetime | None = None,
        now: datetime | None = None,
        limit: datetime = FOREVER,
        released: Iterable[str] = (),
    ) -> Folded:
        """Fold these records and the timers due until ``until``."""
        known = [told(record, self.catalog.needs) for record in records]
        latest = max([record.accepted_at for record in records], default=MONDAY)
        self.last = fold(
            self.catalog,
            self.state,
            known,
            until=until,
            now=now or until or latest,
            limit=limit,
            released=released,
            held=self.held,
            inherited=self.inherited,
        )
        self.state = self.last.state
        return self.last

    @property
    def sends(self) -> list[Send]:
        return [effect for effect in self.last.effects if isinstance(effect, Send)]

    @property
    def cancels(self) -> list[Cancel]:
        return [effect for effect in self.last.effects if isinstance(effect, Cancel)]

    @property
    def moves(self) -> list[tuple[str, str | None, str]]:
        """(kind, to, reason) of the latest fold's transitions."""
        return [(e.kind, e.to_state, e.reason) for e in self.last.effects if isinstance(e, Moved)]

    @property
    def standing(self) -> dict[str, tuple[str, str]]:
        """(status, state or reason) by journey, for one enrollment a journey."""
        return {
            e.journey: (e.status, e.exit_reason if e.status == "exited" else e.state)
            for e in self.state.enrollments.values()
        }
