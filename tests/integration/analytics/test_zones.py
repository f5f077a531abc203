"""Months belong to a zone: rolled up for the workspace's, computed from facts for any other."""

from __future__ import annotations

import pytest

from tabiji_analytics.adapters.zones import settle
from tests.integration.analytics.yard import Yard, order, refund

# Midnight in Tokyo is 15:00 UTC.
AROUND_MIDNIGHT = [
    order("ann", "1", "2024-01-31T14:59:59", 100),
    order("bob", "2", "2024-01-31T15:00:00", 200),
    order("bob", "3", "2024-02-29T15:00:00", 30),
    refund("ann", "1", "2024-01-31T15:00:00", 7),
    order("cid", "4", "2023-12-31T15:00:00+00:00", 1),
]


async def sales(yard: Yard, zone: str) -> dict[str, tuple[int, int, int]]:
    rows = await yard.view("new_vs_existing", zone)
    return {row["month"]: (row["new_customers"], row["orders"], row["sales_minor"]) for row in rows}


async def test_an_order_at_15_00_utc_is_of_the_next_month_in_tokyo(yard: Yard) -> None:
    await yard.feed(AROUND_MIDNIGHT, cut=2)

    assert await sales(yard, "UTC") == {
        "2023-12": (1, 1, 1),
        "2024-01": (2, 2, 293),
        "2024-02": (0, 1, 30),
    }
    assert await sales(yard, "Asia/Tokyo") == {
        "2024-01": (2, 2, 101),
        "2024-02": (1, 1, 193),
        "2024-03": (0, 1, 30),
    }
    assert (await yard.drift()).differences == []


async def test_the_cohort_follows_the_zone(yard: Yard) -> None:
    await yard.feed(AROUND_MIDNIGHT)

    def active(rows: list[dict[str, object]]) -> set[tuple[object, object]]:
        return {(row["cohort_month"], row["month_index"]) for row in rows if row["active_customers"]}

    assert active(await yard.view("retention_monthly", "UTC")) == {("2023-12", 0), ("2024-01", 0), ("2024-01", 1)}
    assert active(await yard.view("retention_monthly", "Asia/Tokyo")) == {
        ("2024-01", 0),
        ("2024-02", 0),
        ("2024-02", 1),
    }


@pytest.mark.parametrize("name", ["ltv_by_cohort", "retention_monthly", "new_vs_existing"])
async def test_a_zone_that_is_not_rolled_up_is_computed_from_facts_with_the_same_columns(yard: Yard, name: str) -> None:
    await yard.feed(AROUND_MIDNIGHT)

    rows = await yard.view(name, "Asia/Seoul")
    tokyo = await yard.view(name, "Asia/Tokyo")
    assert [{**row, "zone": ""} for row in rows] == [{**row, "zone": ""} for row in tokyo]
    assert {row["zone"] for row in rows} == {"Asia/Seoul"}


async def test_a_zone_with_a_changing_offset_keeps_its_own_months(yard: Yard) -> None:
    # New York: 2024-03-31T24:00 is 04:00 UTC (summer time), 2024-02-29T24:00 is 05:00 UTC.
    await yard.feed([order("ann", "1", "2024-04-01T03:59:59"), order("bob", "2", "2024-03-01T04:59:59")])

    assert list(await sales(yard, "America/New_York")) == ["2024-02", "2024-03"]
    await settle(yard.patient, ["America/New_York"])
    assert list(await sales(yard, "America/New_York")) == ["2024-02", "2024-03"]
    assert (await yard.drift()).differences == []


async def test_a_zone_that_the_setting_adds_is_filled_and_one_it_drops_is_gone(yard: Yard) -> None:
    await yard.feed(AROUND_MIDNIGHT[:3])
    await settle(yard.patient, ["UTC", "America/New_York"])
    await yard.feed(AROUND_MIDNIGHT[3:])

    drift = await yard.drift()
    assert drift.differences == []
    zones = await yard.pool.fetch("SELECT DISTINCT zone FROM ltv_by_cohort ORDER BY zone")
    assert [row[0] for row in zones] == ["America/New_York", "UTC"]
