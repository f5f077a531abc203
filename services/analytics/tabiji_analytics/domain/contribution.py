"""What one customer's orders add to the rollups: the one function behind every correction.

The change of a rollup is contribution(orders after) − contribution(orders before), whatever happened in between: a late
order, a refund, a cancellation, a merge, another medium. Each currency is a data set of its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from operator import attrgetter, itemgetter
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

UNKNOWN_MEDIUM = "unknown"
SECOND_ORDER_DAYS = (7, 30, 60, 90, 180, 365)
LTV_DAYS = (30, 90, 180, 365)
# Rollups under the views, by the name of their table.
COHORT, FREQUENCY, SECOND_ORDER, MEDIUM = "cohort_cell", "frequency_cell", "second_order_cell", "medium_cell"


class Refund(msgspec.Struct, frozen=True, gc=False):
    """Money given back; ``amount_minor`` ``None`` is the rest of the order."""

    key: bytes
    occurred_at: datetime
    amount_minor: int | None
    currency: str | None


class Order(msgspec.Struct, frozen=True, gc=False):
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
Place = tuple[Any, ...]
"""A cell: the name of its rollup's table, then its key within a workspace and partition number."""
Cells = dict[Place, tuple[int, ...]]
"""What to have in the columns of cells."""

_in_order = attrgetter("occurred_at", "order_id")
_by_time = attrgetter("occurred_at", "key")
_instant = itemgetter(0)
_SECOND_ORDER = [(timedelta(days=days), days) for days in SECOND_ORDER_DAYS]
_LTV = [timedelta(days=days) for days in LTV_DAYS]


def contribution(orders: Collection[Order], first_touch: Touch | None, zones: Sequence[ZoneInfo]) -> Cells:
    """The cells of one customer, for all rollups and all ``zones``; the sum over customers is the views.

    ``orders`` in any sequence, cancelled ones included; ``first_touch`` is the customer's earliest event with a medium
    that is no order. Months are numbered year × 12 + month − 1.
    """
    standing = sorted([order for order in orders if not order.cancelled], key=_in_order)
    cells: Cells = {}
    if not standing:
        return cells
    medium = standing[0].medium or _first_medium(orders, first_touch)
    currencies = {order.currency for order in standing}
    if len(currencies) == 1:
        _add_currency(cells, currencies.pop(), standing, medium, zones)
        return cells
    for currency in currencies:
        _add_currency(cells, currency, [order for order in standing if order.currency == currency], medium, zones)
    return cells


def _first_medium(orders: Collection[Order], first_touch: Touch | None) -> str:
    # Of an order and another event of the same instant the order goes first; of orders the first.
    touches = [(order.occurred_at, order.medium) for order in sorted(orders, key=_in_order) if order.medium]
    if first_touch is not None:
        touches.append((first_touch[0], first_touch[2]))
    return min(touches, key=_instant)[1] if touches else UNKNOWN_MEDIUM


def _add_currency(cells: Cells, currency: str, orders: Sequence[Order], medium: str, zones: Sequence[ZoneInfo]) -> None:
    entries = _entries(orders)
    for zone in zones:
        _add_months(cells, zone, currency, entries)
    cells[FREQUENCY, currency, len(orders)] = (1,)
    cells[SECOND_ORDER, currency, entries[0][0], _second_within(orders)] = (1,)
    cells[MEDIUM, currency, medium] = (1, *_ltv(entries))


Entry = tuple[datetime, int, bool, bool]
"""(when, amount, whether of the first order, whether a refund)."""


def _entries(orders: Sequence[Order]) -> list[Entry]:
    entries: list[Entry] = []
    of_first = True
    for order in orders:
        entries.append((order.occurred_at, order.amount_minor, of_first, False))
        if order.refunds:
            entries += [(when, -amount, of_first, True) for when, amount in refunded(order)]
        of_first = False
    return entries


def refunded(order: Order) -> Iterator[tuple[datetime, int]]:
    """(when, positive amount) of an order's refunds, in order of time.

    One without an amount takes the rest, which is nothing if all is gone; one in another currency than the order's
    takes no part; one dated before its order counts at the order's time.
    """
    rest = order.amount_minor
    for refund in sorted(order.refunds, key=_by_time):
        if refund.currency is not None and refund.currency != order.currency:
            continue
        amount = max(0, rest) if refund.amount_minor is None else refund.amount_minor
        rest -= amount
        yield max(refund.occurred_at, order.occurred_at), amount


def _add_months(cells: Cells, zone: ZoneInfo, currency: str, entries: Sequence[Entry]) -> None:
    """Columns: active_customers, orders, revenue_minor, entries, first_orders, first_order_minor."""
    months: dict[int, list[int]] = {}
    cohort = -1
    is_utc = zone.key == "UTC"
    for when, amount, of_first, is_refund in entries:
        local = when if is_utc and when.tzinfo is UTC else when.astimezone(zone)
        month = local.year * 12 + local.month - 1
        if cohort < 0:
            cohort = month
        cell = months.get(month)
        if cell is None:
            cell = months[month] = [0, 0, 0, 0, 0, 0]
        cell[2] += amount
        cell[3] += 1
        if not is_refund:
            cell[0] = 1
            cell[1] += 1
        if of_first:
            cell[4] += not is_refund
            cell[5] += amount
    name = zone.key
    for month, cell in months.items():
        cells[COHORT, name, currency, cohort, month] = tuple(cell)


def _second_within(orders: Sequence[Order]) -> int:
    if len(orders) < 2:
        return 0
    gap = orders[1].occurred_at - orders[0].occurred_at
    return next((days for limit, days in _SECOND_ORDER if gap <= limit), 0)


def _ltv(entries: Sequence[Entry]) -> list[int]:
    """Revenue of the first order, of each age limit, and of all time."""
    if len(entries) == 1:
        return [entries[0][1]] * (2 + len(_LTV))
    of_age = [0] * (1 + len(_LTV))
    of_first_order = 0
    first = entries[0][0]
    for when, amount, of_first, _ in entries:
        of_age[bisect_left(_LTV, when - first)] += amount
        if of_first:
            of_first_order += amount
    return [of_first_order, *accumulate(of_age)]
