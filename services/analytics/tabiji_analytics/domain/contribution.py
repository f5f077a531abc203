"""What one customer's orders add to the rollups: the one function behind every correction.

The change of a rollup is contribution(orders after) − contribution(orders before), whatever happened in between: a late
order, a refund, a cancellation, a merge, another medium. Each currency is a data set of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from zoneinfo import ZoneInfo

import msgspec

UNKNOWN_MEDIUM = "unknown"
SECOND_ORDER_DAYS = (7, 30, 60, 90, 180, 365)
LTV_DAYS = (30, 90, 180, 365)


class Rollup(StrEnum):
    """The rollups under the views; the value is the table's name."""

    COHORT = "cohort_cell"
    FREQUENCY = "frequency_cell"
    SECOND_ORDER = "second_order_cell"
    MEDIUM = "medium_cell"
    JOURNEY = "journey_cell"
    MESSAGE = "message_cell"


class Refund(msgspec.Struct, frozen=True):
    """Money given back; ``amount_minor`` ``None`` is the rest of the order."""

    key: bytes
    occurred_at: datetime
    amount_minor: int | None
    currency: str | None


class Order(msgspec.Struct, frozen=True):
    """An order with what became of it."""

    order_id: str
    occurred_at: datetime
    amount_minor: int
    currency: str
    medium: str | None = None
    cancelled: bool = False
    refunds: tuple[Refund, ...] = ()


Touch = tuple[datetime, bytes, str]
"""(occurred_at, event identity, medium): the smallest is the first."""
Key = tuple[object, ...]
Cell = tuple[Rollup, Key, tuple[int, ...]]
"""A rollup, the cell's key within a workspace and partition number, and what to add to its columns."""

_in_order = attrgetter("occurred_at", "order_id")
_by_time = attrgetter("occurred_at", "key")
_SECOND_ORDER = [(timedelta(days=days), days) for days in SECOND_ORDER_DAYS]
_LTV = [timedelta(days=days) for days in LTV_DAYS]


def contribution(orders: Collection[Order], first_touch: Touch | None, zones: Sequence[ZoneInfo]) -> Iterator[Cell]:
    """The cells of one customer, for all rollups and all ``zones``; the sum over customers is the views.

    ``orders`` in any sequence, cancelled ones included; ``first_touch`` is the customer's earliest event with a medium that
    is no order. Months are numbered year × 12 + month − 1.
    """
    standing = sorted((order for order in orders if not order.cancelled), key=_in_order)
    if not standing:
        return
    medium = standing[0].medium or _first_medium(orders, first_touch)
    currency = standing[0].currency
    if all(order.currency == currency for order in standing):
        yield from _of_currency(currency, standing, medium, zones)
        return
    for currency in sorted({order.currency for order in standing}):
        yield from _of_currency(currency, [o for o in standing if o.currency == currency], medium, zones)


def _first_medium(orders: Collection[Order], first_touch: Touch | None) -> str:
    touches = [(order.occurred_at, b"", order.medium) for order in sorted(orders, key=_in_order) if order.medium]
    if first_touch is not None:
        touches.append(first_touch)
    return min(touches, key=lambda touch: touch[0])[2] if touches else UNKNOWN_MEDIUM


def _of_currency(currency: str, orders: Sequence[Order], medium: str, zones: Sequence[ZoneInfo]) -> Iterator[Cell]:
    first = orders[0].occurred_at
    entries = list(_entries(orders))
    for zone in zones:
        yield from _cohort_cells(zone, currency, entries)
    yield Rollup.FREQUENCY, (currency, len(orders)), (1,)
    yield Rollup.SECOND_ORDER, (currency, first, _second_within(orders)), (1,)
    yield Rollup.MEDIUM, (currency, medium), (1, *_ltv(first, entries))


Entry = tuple[datetime, int, bool, bool]
"""(when, amount, whether of the first order, whether a refund)."""


def _entries(orders: Sequence[Order]) -> Iterator[Entry]:
    of_first = True
    for order in orders:
        yield order.occurred_at, order.amount_minor, of_first, False
        for when, amount in refunded(order):
            yield when, -amount, of_first, True
        of_first = False


def refunded(order: Order) -> Iterator[tuple[datetime, int]]:
    """(when, positive amount) of an order's refunds, in order of time.

    One without an amount takes the rest, which is nothing if all is gone; one in another currency than the order's takes no
    part; one dated before its order counts at the order's time.
    """
    rest = order.amount_minor
    for refund in sorted(order.refunds, key=_by_time):
        if refund.currency is not None and refund.currency != order.currency:
            continue
        amount = max(0, rest) if refund.amount_minor is None else refund.amount_minor
        rest -= amount
        yield max(refund.occurred_at, order.occurred_at), amount


def _cohort_cells(zone: ZoneInfo, currency: str, entries: Sequence[Entry]) -> Iterator[Cell]:
    name = zone.key
    cohort = _month(entries[0][0], zone)
    months: dict[int, list[int]] = {}
    for when, amount, of_first, is_refund in entries:
        month = _month(when, zone)
        cell = months.get(month)
        if cell is None:
            cell = months[month] = [0, 0, 0, 0, 0, 0]
        cell[2] += amount
        cell[3] += 1
        if of_first:
            cell[5] += amount
        if not is_refund:
            cell[0] = 1
            cell[1] += 1
            if of_first:
                cell[4] += 1
    for month, cell in months.items():
        yield Rollup.COHORT, (name, currency, cohort, month), tuple(cell)


def _month(when: datetime, zone: ZoneInfo) -> int:
    local = when.astimezone(zone)
    return local.year * 12 + local.month - 1


def _second_within(orders: Sequence[Order]) -> int:
    if len(orders) < 2:
        return 0
    gap = orders[1].occurred_at - orders[0].occurred_at
    return next((days for limit, days in _SECOND_ORDER if gap <= limit), 0)


def _ltv(first: datetime, entries: Sequence[Entry]) -> Iterator[int]:
    yield sum(amount for _, amount, of_first, _ in entries if of_first)
    for limit in _LTV:
        until = first + limit
        yield sum(amount for when, amount, _, _ in entries if when <= until)
    yield sum(entry[1] for entry in entries)
