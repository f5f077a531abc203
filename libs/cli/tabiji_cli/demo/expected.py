"""Orders -> the tables that analytics must show, worked out from the driver's own file and by means of its own.

The cohort of a customer is the month of the first order; a month's retention is the share of the cohort with an order
in that month; LTV is the cohort's revenue up to that month for each of its customers; F2 is a second order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from fractions import Fraction

from tabiji_cli import segment
from tabiji_cli.ledger import Accepted


@dataclass(frozen=True, slots=True)
class Bought:
    """An order that ingest accepted."""

    order_id: str
    customer: str
    at: datetime
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One month of one cohort; money is the sum up to and including that month."""

    cohort_month: str
    month_index: int
    cohort_size: int
    active_customers: int
    cumulative_minor: int

    @property
    def retention(self) -> Fraction:
        """Active customers as a share of the cohort."""
        return Fraction(self.active_customers, self.cohort_size)

    @property
    def ltv_minor(self) -> Fraction:
        """Revenue so far for each customer of the cohort."""
        return Fraction(self.cumulative_minor, self.cohort_size)


def orders_of(rows: Iterable[Accepted]) -> list[Bought]:
    """The orders among accepted events, in order of time; the first amount of an order id counts."""
    found: dict[str, Bought] = {}
    for row in rows:
        if (bill := row.bill) is not None:
            amount = segment.minor(bill.total, bill.currency)
            found.setdefault(bill.order_id, Bought(bill.order_id, row.customer, row.occurred_at, amount))
    return sorted(found.values(), key=lambda order: (order.at, order.order_id))


def cohorts(orders: Iterable[Bought], zone: tzinfo) -> list[Cell]:
    """The cohort table with calendar months of ``zone``, every month up to the last in the data, zeros included."""
    first: dict[str, int] = {}
    revenue: dict[tuple[int, int], int] = defaultdict(int)
    active: dict[tuple[int, int], set[str]] = defaultdict(set)
    last = 0
    for order in sorted(orders, key=lambda order: (order.at, order.order_id)):
        month = month_number(order.at, zone)
        cohort = first.setdefault(order.customer, month)
        revenue[cohort, month] += order.amount_minor
        active[cohort, month].add(order.customer)
        last = max(last, month)
    cells = []
    for cohort, size in sorted(Counter(first.values()).items()):
        total = 0
        for month in range(cohort, last + 1):
            total += revenue[cohort, month]
            cells.append(Cell(month_name(cohort), month - cohort, size, len(active[cohort, month]), total))
    return cells


def repeat(orders: Iterable[Bought]) -> dict[int, int]:
    """Customers with at least n orders, for each n that anybody reached."""
    counts = Counter(Counter(order.customer for order in orders).values())
    return {
        least: sum(customers for orders_, customers in counts.items() if orders_ >= least)
        for least in range(1, max(counts, default=0) + 1)
    }


def month_number(at: datetime, zone: tzinfo) -> int:
    """Months since the year 0 of the civil date at ``zone``."""
    local = at.astimezone(zone)
    return local.year * 12 + local.month - 1


def month_name(number: int) -> str:
    """``1997-01`` and the like."""
    return f"{number // 12:04d}-{number % 12 + 1:02d}"
