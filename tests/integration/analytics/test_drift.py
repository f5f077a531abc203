"""A wrong cell is found and named; a right one never is."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import REGISTRY

from tests.integration.analytics.test_messages_and_journeys import moved, outcome
from tests.integration.analytics.yard import Yard, order

LIFE = [
    order("ann", "1", "2024-01-10", 100, medium="cpc"),
    order("ann", "2", "2024-02-10", 200),
    order("bob", "3", "2024-01-12", 300),
    moved("entered", to_state="thanks"),
    outcome("sent"),
]
CORRUPTIONS = {
    "revenue of a month": (
        "UPDATE cohort_cell SET revenue_minor = revenue_minor + 1 WHERE zone = 'UTC' AND month = 24289",
        "ltv_by_cohort",
    ),
    "customers of a month": (
        "UPDATE cohort_cell SET active_customers = active_customers - 1 WHERE month = 24289",
        "retention_monthly",
    ),
    "an invented month": (
        "INSERT INTO cohort_cell VALUES ('demo', 3, 'UTC', 'JPY', 24288, 24295, 0, 0, 0, 1, 0, 0)",
        "new_vs_existing",
    ),
    "a lost cohort": ("DELETE FROM cohort_cell WHERE zone = 'Asia/Tokyo'", "new_vs_existing"),
    "frequency": ("UPDATE frequency_cell SET customers = customers + 1 WHERE orders = 2", "repeat_purchase"),
    "second order": ("UPDATE second_order_cell SET within_days = 7 WHERE within_days = 60", "repeat_purchase"),
    "medium": ("UPDATE medium_cell SET medium = 'sms' WHERE medium = 'cpc'", "ltv_by_medium"),
    "a step": ("UPDATE journey_cell SET transitions = 2 WHERE step = 'entered'", "journey_funnel"),
    "an outcome": ("UPDATE message_cell SET opened = 1", "message_outcomes"),
    "a lost fact": ("DELETE FROM order_fact WHERE order_id = '3'", "ltv_by_cohort"),
}


def drift_metric(view: str) -> float:
    return REGISTRY.get_sample_value("tabiji_analytics_drift_cells", {"view": view}) or 0.0


@pytest.mark.parametrize("name", CORRUPTIONS)
async def test_a_corrupted_cell_is_reported(yard: Yard, name: str) -> None:
    sql, view = CORRUPTIONS[name]
    await yard.feed(LIFE)
    clean = await yard.drift()
    assert (clean.cells, clean.differences) == (0, [])
    assert drift_metric(view) == 0

    await yard.pool.execute(sql)
    drift = await yard.drift()

    assert drift.differ[view] > 0
    assert view in {difference.view for difference in drift.differences}
    assert drift_metric(view) == drift.differ[view]


async def test_the_report_names_the_cell_and_both_values(yard: Yard) -> None:
    await yard.feed(LIFE)
    await yard.pool.execute("UPDATE medium_cell SET lifetime_minor = lifetime_minor + 5 WHERE medium = 'cpc'")

    (revenue, ltv) = (await yard.drift()).differences
    assert revenue.key == {"workspace": "demo", "currency": "JPY", "medium": "cpc", "ltv_window": "lifetime"}
    assert (revenue.column, revenue.in_view, revenue.from_facts) == ("revenue_minor", 305, 300)
    assert (ltv.column, ltv.in_view, ltv.from_facts) == ("ltv_minor", 305.0, 300.0)


async def test_turns_that_commit_during_a_recomputation_are_no_drift(yard: Yard) -> None:
    done = asyncio.Event()

    async def keep_feeding() -> None:
        for n in range(60):
            await yard.turn([order(f"c{n % 7}", f"o{n}", f"2024-0{1 + n % 6}-10", n) for n in range(n * 5, n * 5 + 5)])
        done.set()

    feeding = asyncio.ensure_future(keep_feeding())
    checks = 0
    while not done.is_set():
        assert (await yard.drift()).differences == []
        checks += 1
    await feeding
    assert checks >= 2
