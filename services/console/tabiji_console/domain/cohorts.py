"""Rows of analytics' views -> the cohort table, the curves and the funnel, as values. Pure.

A month that is not over says little of its cohort: it is marked, and takes part in no mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
STEPS = 12


@dataclass(frozen=True)
class Cell:
    """One month of a cohort. ``step`` is its colour, ``None`` where the month is not ``over``."""

    index: int
    retention: float
    active: int
    ltv_minor: float
    over: bool
    step: int | None = None


@dataclass(frozen=True)
class Cohort:
    """The customers whose first order was in ``month``; ``cells`` from month 0 on."""

    month: str
    size: int
    cells: Sequence[Cell]

    @property
    def over(self) -> Sequence[Cell]:
        return [cell for cell in self.cells if cell.over]


@dataclass(frozen=True)
class Mean:
    """A mean over cohorts, weighted by their size; ``of`` of ``all`` cohorts have come that far."""

    index: int
    value: float | None
    of: int
    all: int


@dataclass(frozen=True)
class Cohorts:
    """The cohort table; ``months`` are its columns, from 1 on."""

    rows: Sequence[Cohort]
    months: Sequence[int]
    means: Sequence[Mean]
    size: int

    def mean(self, index: int, value: Callable[[Cell], float]) -> Mean:
        """The weighted mean of ``value`` in month ``index``."""
        found = [(cohort.size, cell) for cohort in self.rows for cell in cohort.over if cell.index == index]
        people = sum(size for size, _ in found)
        mean = sum(size * value(cell) for size, cell in found) / people if people else None
        return Mean(index, mean, len(found), len(self.rows))


def month_number(month: str) -> int:
    """``1997-02`` as a count of months."""
    year, _, part = month.partition("-")
    return int(year) * 12 + int(part) - 1


def cohorts(rows: Iterable[Row], this_month: str) -> Cohorts:
    """The table of one currency; months from ``this_month`` on are not over."""
    by_month: dict[str, list[Row]] = {}
    for row in rows:
        by_month.setdefault(row["cohort_month"], []).append(row)
    now = month_number(this_month)
    drawn = [_cohort(month, by_month[month], now) for month in sorted(by_month)]
    shown = [cell.retention for cohort in drawn for cell in cohort.over if cell.index > 0]
    low, high = min(shown, default=0.0), max(shown, default=0.0)
    coloured = [
        Cohort(cohort.month, cohort.size, [_coloured(cell, low, high) for cell in cohort.cells]) for cohort in drawn
    ]
    last = max((cell.index for cohort in coloured for cell in cohort.cells), default=0)
    months = range(1, last + 1)
    bare = Cohorts(coloured, months, [], sum(cohort.size for cohort in coloured))
    means = [bare.mean(index, lambda cell: cell.retention) for index in months]
    return Cohorts(coloured, months, means, bare.size)


def _cohort(month: str, rows: Sequence[Row], now: int) -> Cohort:
    begin = month_number(month)
    cells = [
        Cell(
            row["month_index"],
            row["retention"],
            row["active_customers"],
            row["ltv_minor"],
            begin + row["month_index"] < now,
        )
        for row in sorted(rows, key=lambda row: int(row["month_index"]))
    ]
    return Cohort(month, rows[0]["cohort_size"], cells)


def _coloured(cell: Cell, low: float, high: float) -> Cell:
    if not cell.over or cell.index == 0:
        return cell
    part = (cell.retention - low) / (high - low) if high > low else 0.0
    return Cell(cell.index, cell.retention, cell.active, cell.ltv_minor, cell.over, min(int(part * STEPS), STEPS - 1))


@dataclass(frozen=True)
class Rung:
    """``Fn``: how many came so far, and their share of those who came to the one before."""

    n: int
    customers: int
    of_all: float
    of_last: float | None


def ladder(rows: Iterable[Row]) -> list[Rung]:
    """The road from the first to the n-th order, of one currency."""
    share = {row["metric"]: row for row in rows}
    everyone = share.get("customers")
    if everyone is None:
        return []
    rungs = [Rung(1, everyone["customers"], 1.0, None)]
    for n in range(2, 11):
        reached = share.get(f"customers_with_at_least_{n}_orders")
        if reached is not None and reached["customers"]:
            gone_on = share[f"F{n}_conversion_from_F{n - 1}"]["share"]
            rungs.append(Rung(n, reached["customers"], reached["share"], gone_on))
    return rungs


WINDOWS = {"first_order": 0, "30d": 30, "90d": 90, "180d": 180, "365d": 365}
"""Days since the first order; ``lifetime`` has no place on that line."""


@dataclass(frozen=True)
class Line:
    """A curve: points (x, y) in their own units. ``rank`` is its colour: 0, 1, 2, and the rest are grey."""

    name: str
    points: Sequence[tuple[float, float]]
    rank: int


def lines_of_cohorts(table: Cohorts, most: int = 3) -> list[Line]:
    """LTV by month since the first; of many cohorts the first, the middle and the last that say something stand out."""
    told = [cohort for cohort in table.rows if len(cohort.over) >= 2]
    marked = told if len(told) <= most else [told[0], told[len(told) // 2], told[-1]]
    ranks = {cohort.month: n for n, cohort in enumerate(marked)}
    return [
        Line(
            cohort.month.replace("-", "/"),
            [(cell.index, cell.ltv_minor) for cell in cohort.over],
            ranks.get(cohort.month, most),
        )
        for cohort in told
    ]


def media(rows: Iterable[Row]) -> list[tuple[str, int, dict[str, float]]]:
    """By medium, the one with the most customers first: how many they are, and their LTV by window."""
    found: dict[str, tuple[int, dict[str, float]]] = {}
    for row in rows:
        found.setdefault(row["medium"], (row["customers"], {}))[1][row["ltv_window"]] = row["ltv_minor"]
    order = sorted(found, key=lambda medium: (-found[medium][0], medium))
    return [(medium, *found[medium]) for medium in order]


def lines_of_media(rows: Iterable[Row], most: int = 6) -> list[Line]:
    """LTV by days since the first order, of the media with the most customers."""
    by_medium: dict[str, list[Row]] = {}
    for row in rows:
        if row["ltv_window"] in WINDOWS:
            by_medium.setdefault(row["medium"], []).append(row)
    order = sorted(by_medium, key=lambda medium: (-by_medium[medium][0]["customers"], medium))[:most]
    return [
        Line(medium, sorted((WINDOWS[row["ltv_window"]], row["ltv_minor"]) for row in by_medium[medium]), rank)
        for rank, medium in enumerate(order)
    ]
