"""The purchase log of Fader & Hardie against tables that others computed, cell by cell."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, time
from pathlib import Path

import pytest

from tabiji_analytics.adapters.views import Row
from tabiji_cli import cdnow
from tabiji_common.kafka.turn import Received
from tests.integration.analytics.yard import Yard, order

ORACLES = Path(__file__).parents[2] / "oracles" / "cdnow"
# The oracle tables print ten significant digits.
DIGITS = 1e-9


def log(*, full: bool) -> list[Received]:
    """The orders as events, at midnight UTC of their days."""
    return [
        order(
            bought.customer_id,
            bought.order_id,
            datetime.combine(bought.ordered_on, time(), UTC),
            bought.amount_minor,
            currency=cdnow.CURRENCY,
        )
        for bought in cdnow.orders(cdnow.dataset(full=full))
    ]


def shuffled(records: list[Received], salt: str = "") -> list[Received]:
    return sorted(records, key=lambda one: hashlib.sha256(f"{salt}{one.id}".encode()).digest())


def with_repeats(records: list[Received]) -> list[Received]:
    """5 % once more: half of them the same event, half the same order under another event's id."""
    again = [one for n, one in enumerate(records) if n % 20 == 0]
    other = [
        order(
            one.body.customer, one.body.order_id, one.occurred_at, one.body.amount_minor, currency="USD", event="poll"
        )
        for one in again[::2]
    ]
    return shuffled(records + again[1::2] + other, "repeats")


def expected(dataset: str, table: str) -> list[dict[str, str]]:
    with (ORACLES / f"cdnow_{dataset}__{table}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def assert_equal(rows: list[Row], wanted: list[dict[str, str]], keys: tuple[str, ...]) -> None:
    """Every cell of the oracle's table, and no row beyond it."""
    shown = {tuple(str(row[key]) for key in keys): row for row in rows}
    assert shown.keys() == {tuple(row[key] for key in keys) for row in wanted}
    for row in wanted:
        ours = shown[tuple(row[key] for key in keys)]
        for column, text in row.items():
            value = ours[column.replace("_cents", "_minor")]
            if text == "":
                assert value is None, (row, column)
            elif column in keys:
                assert str(value) == text
            else:
                assert value == pytest.approx(float(text), rel=DIGITS, abs=0), (row, column)


async def assert_equals_oracles(yard: Yard, dataset: str) -> None:
    cohorts = expected(dataset, "cohort_utc")
    assert_equal(await yard.view("ltv_by_cohort"), cohorts, ("cohort_month", "month_index"))
    money = {"revenue_cents", "cum_revenue_cents", "ltv_cents"}
    retention = [{name: text for name, text in row.items() if name not in money} for row in cohorts]
    assert_equal(await yard.view("retention_monthly"), retention, ("cohort_month", "month_index"))
    assert_equal(await yard.view("new_vs_existing"), expected(dataset, "new_existing_utc"), ("month",))
    assert_equal(await yard.view("repeat_purchase"), expected(dataset, "repeat"), ("metric",))
    drift = await yard.drift()
    assert (drift.cells, drift.differences) == (0, [])
    assert sum(drift.compared.values()) > 500


@pytest.mark.parametrize(
    ("arrange", "cut"),
    [
        (list[Received], 1000),
        (list[Received], 5000),
        (shuffled, 1000),
        (with_repeats, 700),
        (lambda records: records[::-1], 97),
    ],
    ids=["by date", "one turn and a bit", "shuffled", "5 % repeats, shuffled", "latest first, small turns"],
)
async def test_the_sample_equals_the_oracles_in_any_order_and_cut(
    yard: Yard, arrange: Callable[[list[Received]], list[Received]], cut: int
) -> None:
    await yard.feed(arrange(log(full=False)), cut)

    await assert_equals_oracles(yard, "sample")
    assert yard.counts.facts["order"] == 6_696
    assert yard.counts.other["conflict"] == 0


async def test_the_full_log_equals_the_oracles(yard: Yard) -> None:
    await yard.feed(log(full=True))

    await assert_equals_oracles(yard, "full")
    assert yard.counts.facts["order"] == 67_591


async def test_the_full_log_with_repeats_and_shuffled_equals_the_oracles(yard: Yard) -> None:
    await yard.feed(with_repeats(log(full=True)))

    await assert_equals_oracles(yard, "full")
    assert yard.counts.facts["order"] == 67_591
    assert yard.counts.other["repeat"] == 3_380
