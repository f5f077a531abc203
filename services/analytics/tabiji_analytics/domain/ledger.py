"""Whose a refund is, and what a customer's orders are after a turn. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tabiji_analytics.domain import handover
from tabiji_analytics.domain.batch import Batch, Reading
from tabiji_analytics.domain.contribution import Order, Refund
from tabiji_analytics.domain.facts import OrderDropped, OrderPlaced, RefundGiven, Who
from tabiji_common.kafka.turn import Received

Orders = dict[bytes, Order]
"""A customer's orders by their key."""


@dataclass(frozen=True, slots=True)
class Placing:
    """What became of a turn's orders.

    fresh   the ones that were new: cancelled already, and refunded already with these
    known   owner, amount and currency of the others that were asked about; an owner of ``None`` waits for the order
    """

    fresh: Mapping[bytes, tuple[bool, tuple[Refund, ...]]]
    known: Mapping[bytes, tuple[Who | None, int | None, str | None]]


@dataclass(slots=True)
class Corrections:
    """Refunds and cancellations to keep, and records that were passed on too often to be passed on again."""

    refunds: list[RefundGiven] = field(default_factory=list)
    dropped: set[bytes] = field(default_factory=set)
    stranded: list[Received] = field(default_factory=list)


def conflicts(batch: Batch, placing: Placing) -> int:
    """How many orders came again with another amount."""
    count = 0
    repeats = [*batch.again, *(order for key, (_, order) in batch.orders.items() if key in placing.known)]
    for order in repeats:
        known = placing.known.get(order.key)
        first = known[1:] if known else _amount(batch.orders[order.key][1])
        count += first != _amount(order)
    return count


def _amount(order: OrderPlaced) -> tuple[int, str]:
    return order.amount_minor, order.currency


def correct(batch: Batch, placing: Placing) -> Corrections:
    """Keep what is of the customer's own orders or of orders nobody knows; pass the rest on to the orders' owners."""
    kept = Corrections()
    for reading, refund in batch.refunds.values():
        if _is_own(batch, placing, kept, reading, refund):
            kept.refunds.append(refund)
    for key, reading in batch.dropped.items():
        if _is_own(batch, placing, kept, reading, OrderDropped(key)):
            kept.dropped.add(key)
    return kept


def _is_own(
    batch: Batch, placing: Placing, kept: Corrections, reading: Reading, fact: RefundGiven | OrderDropped
) -> bool:
    owner = batch.orders[fact.order][0] if fact.order in placing.fresh else placing.known[fact.order][0]
    if owner is None or owner == reading.who:
        return True
    if reading.hops < handover.MOST_HOPS:
        batch.forward(reading.who, owner[1], reading.hops + 1, [fact])
    else:
        kept.stranded.append(reading.received)
    return False


def after(before: Mapping[Who, Orders], batch: Batch, placing: Placing, kept: Corrections) -> dict[Who, Orders]:
    """The orders of these customers once the batch is in; ``before`` is left as it is."""
    book = {who: dict(orders) for who, orders in before.items()}
    for key, (cancelled, refunds) in placing.fresh.items():
        who, placed = batch.orders[key]
        book.setdefault(who, {})[key] = _order(placed, cancelled=cancelled, refunds=refunds)
    for refund in kept.refunds:
        mine = book.get(batch.refunds[refund.order, refund.key][0].who, {})
        order = mine.get(refund.order)
        if order is not None:
            given = Refund(refund.key, refund.occurred_at, refund.amount_minor, refund.currency)
            mine[refund.order] = _with(order, refunds=(*order.refunds, given))
    for key in kept.dropped:
        mine = book.get(batch.dropped[key].who, {})
        if key in mine:
            mine[key] = _with(mine[key], cancelled=True)
    return book


def _order(placed: OrderPlaced, *, cancelled: bool, refunds: tuple[Refund, ...]) -> Order:
    return Order(
        placed.order_id, placed.occurred_at, placed.amount_minor, placed.currency, placed.medium, cancelled, refunds
    )


def _with(order: Order, *, cancelled: bool | None = None, refunds: tuple[Refund, ...] | None = None) -> Order:
    return Order(
        order.order_id,
        order.occurred_at,
        order.amount_minor,
        order.currency,
        order.medium,
        order.cancelled if cancelled is None else cancelled,
        order.refunds if refunds is None else refunds,
    )


def placed(orders: Orders) -> Iterable[OrderPlaced]:
    """Orders as facts again, for a handover; their refunds and cancellations stay with their keys."""
    for key, order in orders.items():
        yield OrderPlaced(key, order.order_id, order.occurred_at, order.amount_minor, order.currency, order.medium)
