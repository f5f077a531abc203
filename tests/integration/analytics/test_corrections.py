"""Late orders, refunds, cancellations, repeats and conflicts, each against what the views must show."""

from __future__ import annotations

from typing import Any

import pytest

from tabiji_common import events
from tabiji_common.topics import CUSTOM, PAGE_VIEWS
from tests.integration.analytics.yard import Yard, cancel, order, record, refund


async def cohorts(yard: Yard, zone: str = "UTC") -> dict[tuple[str, int], tuple[int, int, int]]:
    """(cohort, index) → cohort size, active customers, revenue; without the months in which nothing was."""
    return {
        (row["cohort_month"], row["month_index"]): (row["cohort_size"], row["active_customers"], row["revenue_minor"])
        for row in await yard.view("ltv_by_cohort", zone)
        if row["active_customers"] or row["revenue_minor"]
    }


async def months(yard: Yard) -> dict[str, dict[str, Any]]:
    return {row["month"]: row for row in await yard.view("new_vs_existing")}


async def media(yard: Yard) -> dict[str, int]:
    return {
        row["medium"]: row["customers"] for row in await yard.view("ltv_by_medium") if row["ltv_window"] == "lifetime"
    }


async def assert_true(yard: Yard) -> None:
    drift = await yard.drift()
    assert drift.differences == []


async def test_every_month_up_to_the_last_in_the_data_is_there_with_zeros(yard: Yard) -> None:
    await yard.feed([order("ann", "1", "2024-01-10"), order("bob", "2", "2024-03-10"), order("bob", "3", "2024-05-10")])

    rows = {(row["cohort_month"], row["month_index"]): row for row in await yard.view("retention_monthly")}
    assert sorted(rows) == [("2024-01", n) for n in range(5)] + [("2024-03", n) for n in range(3)]
    assert rows["2024-01", 3]["active_customers"] == 0
    assert rows["2024-01", 3]["retention"] == 0
    assert list(await months(yard)) == ["2024-01", "2024-02", "2024-03", "2024-04", "2024-05"]
    assert (await months(yard))["2024-02"]["customers"] == 0


async def test_a_late_order_moves_its_customer_to_an_earlier_cohort(yard: Yard) -> None:
    await yard.feed([order("ann", "2", "2024-03-10", 500), order("bob", "9", "2024-03-11", 100)])
    await yard.feed([order("ann", "1", "2024-01-31T23:59:59", 300)])

    assert await cohorts(yard) == {
        ("2024-01", 0): (1, 1, 300),
        ("2024-01", 2): (1, 1, 500),
        ("2024-03", 0): (1, 1, 100),
    }
    await assert_true(yard)


async def test_a_refund_is_a_negative_amount_on_its_own_date_and_no_order(yard: Yard) -> None:
    await yard.feed([order("ann", "1", "2024-01-10", 1000), refund("ann", "1", "2024-03-02", 400)])

    assert await cohorts(yard) == {("2024-01", 0): (1, 1, 1000), ("2024-01", 2): (1, 0, -400)}
    march = (await months(yard))["2024-03"]
    assert (march["orders"], march["customers"], march["sales_minor"]) == (0, 0, -400)
    assert march["sales_first_order_minor"] == -400
    await assert_true(yard)


async def test_a_refund_without_an_amount_takes_the_rest(yard: Yard) -> None:
    await yard.feed(
        [
            order("ann", "1", "2024-01-10", 1000),
            refund("ann", "1", "2024-01-11", 300, "a"),
            refund("ann", "1", "2024-01-20", None, "b"),
            refund("ann", "1", "2024-01-21", None, "c"),
        ]
    )

    assert (await months(yard))["2024-01"]["sales_minor"] == 0
    await assert_true(yard)


async def test_the_rest_is_taken_again_when_an_earlier_refund_comes_late(yard: Yard) -> None:
    await yard.feed([order("ann", "1", "2024-01-10", 1000), refund("ann", "1", "2024-03-20", None, "b")])
    await yard.feed([refund("ann", "1", "2024-02-11", 300, "a")])

    assert {month: row["sales_minor"] for month, row in (await months(yard)).items()} == {
        "2024-01": 1000,
        "2024-02": -300,
        "2024-03": -700,
    }
    await assert_true(yard)


async def test_a_refund_of_an_unknown_order_waits_for_it(yard: Yard) -> None:
    await yard.feed([refund("ann", "1", "2024-02-11", 300, "a")])
    assert await yard.view("new_vs_existing") == []
    assert yard.counts.other["waiting"] == 1

    await yard.feed([refund("ann", "1", "2024-02-12", 200, "b"), order("ann", "1", "2024-01-10", 1000)])

    assert {month: row["sales_minor"] for month, row in (await months(yard)).items()} == {
        "2024-01": 1000,
        "2024-02": -500,
    }
    await assert_true(yard)


async def test_a_refund_counts_once_whatever_event_brings_it(yard: Yard) -> None:
    once = refund("ann", "1", "2024-02-11", 300, "a")
    again = refund("ann", "1", "2024-02-12", 300, "a")
    await yard.feed([order("ann", "1", "2024-01-10", 1000), once, once])
    await yard.feed([again, once])

    assert yard.counts.facts["refund"] == 1
    assert sum(row["sales_minor"] for row in (await months(yard)).values()) == 700
    await assert_true(yard)


async def test_refunds_without_an_id_are_told_apart_by_their_events(yard: Yard) -> None:
    await yard.feed([order("ann", "1", "2024-01-10", 1000)])
    await yard.feed([refund("ann", "1", "2024-01-11", 100), refund("ann", "1", "2024-01-12", 100)])

    assert (await months(yard))["2024-01"]["sales_minor"] == 800


async def test_a_refund_in_another_currency_takes_no_part(yard: Yard) -> None:
    await yard.feed([order("ann", "1", "2024-01-10", 1000), refund("ann", "1", "2024-01-11", 100, currency="USD")])

    assert (await months(yard))["2024-01"]["sales_minor"] == 1000
    await assert_true(yard)


async def test_a_cancellation_moves_the_cohort_as_if_the_order_had_never_been(yard: Yard) -> None:
    await yard.feed([order("ann", "1", "2024-01-10", 300), order("ann", "2", "2024-03-10", 500)])
    await yard.feed([refund("ann", "1", "2024-02-01", 100), cancel("ann", "1")])

    assert await cohorts(yard) == {("2024-03", 0): (1, 1, 500)}
    assert {row["metric"]: row["customers"] for row in await yard.view("repeat_purchase")}[
        "customers_with_at_least_2_orders"
    ] == 0
    await assert_true(yard)


async def test_cancelling_all_of_it_leaves_nothing(yard: Yard) -> None:
    await yard.feed([order("ann", "1", "2024-01-10"), cancel("ann", "1")])

    assert all(rows == [] for rows in (await yard.snapshot()).values())
    await assert_true(yard)


async def test_a_cancellation_that_comes_first_holds(yard: Yard) -> None:
    await yard.feed([cancel("ann", "1")])
    await yard.feed([order("ann", "1", "2024-01-10"), order("ann", "2", "2024-02-10")])

    assert list(await cohorts(yard)) == [("2024-02", 0)]
    await assert_true(yard)


async def test_the_first_amount_of_an_order_counts_and_another_is_counted_as_a_conflict(yard: Yard) -> None:
    await yard.feed([order("ann", "1", "2024-01-10", 1000), order("ann", "1", "2024-01-10", 900, event="webhook")])
    await yard.feed(
        [order("ann", "1", "2024-01-10", 800, event="poll"), order("ann", "1", "2024-01-10", 1000, event="x")]
    )

    assert (await months(yard))["2024-01"]["sales_minor"] == 1000
    assert yard.counts.other["conflict"] == 2
    assert yard.counts.other["repeat"] == 3
    await assert_true(yard)


async def test_an_order_is_one_order_whoever_reports_it(yard: Yard) -> None:
    await yard.feed([order("ann", "1", "2024-01-10", 1000)])
    await yard.feed([order("guest-7", "1", "2024-01-10", 1000, event="webhook")])

    assert (await months(yard))["2024-01"]["customers"] == 1
    await assert_true(yard)


async def test_the_same_order_id_in_another_shop_is_another_order(yard: Yard) -> None:
    await yard.feed([order("ann", "1", "2024-01-10"), order("ann", "1", "2024-01-10", workspace="other")])

    assert (await months(yard))["2024-01"]["orders"] == 1
    assert len(await yard.view("new_vs_existing", workspace="other")) == 1
    await assert_true(yard)


async def test_a_refund_under_another_customers_key_goes_to_the_orders_owner(yard: Yard) -> None:
    await yard.feed([order("ann", "1", "2024-01-10", 1000)])
    turns = await yard.feed([refund("guest-7", "1", "2024-01-11", 100), cancel("guest-7", "9")])

    (handed,) = turns[0].records
    assert handed.key == "demo:ann"
    assert handed.topic.name == "analytics.handover.v1"
    assert (await months(yard))["2024-01"]["sales_minor"] == 900
    await assert_true(yard)


async def test_negative_amounts_of_returns_booked_as_orders_stay_in_the_sums(yard: Yard) -> None:
    await yard.feed([order("ann", "1", "2024-01-10", 1000), order("ann", "2", "2024-02-10", -250)])

    assert await cohorts(yard) == {("2024-01", 0): (1, 1, 1000), ("2024-01", 1): (1, 1, -250)}
    await assert_true(yard)


async def test_currencies_are_never_added_together(yard: Yard) -> None:
    await yard.feed([order("ann", "1", "2024-01-10", 1000), order("ann", "2", "2024-02-10", 30, currency="USD")])

    rows = [row for row in await yard.view("ltv_by_cohort") if row["active_customers"]]
    assert [(row["currency"], row["cohort_month"], row["cum_revenue_minor"]) for row in rows] == [
        ("JPY", "2024-01", 1000),
        ("USD", "2024-02", 30),
    ]
    await assert_true(yard)


def viewed(customer: str, when: str, medium: str | None, event: str) -> Any:
    return record(PAGE_VIEWS, events.PageViewed(workspace="demo", customer=customer, medium=medium), event, when)


@pytest.mark.parametrize(
    ("records", "medium"),
    [
        ([order("ann", "1", "2024-01-10")], "unknown"),
        ([order("ann", "1", "2024-01-10", medium="email")], "email"),
        ([viewed("ann", "2024-01-01", "cpc", "v1"), order("ann", "1", "2024-01-10", medium="email")], "email"),
        ([order("ann", "1", "2024-01-10"), viewed("ann", "2024-01-20", "cpc", "v1")], "cpc"),
        ([order("ann", "1", "2024-01-10"), viewed("ann", "2024-01-20", None, "v1")], "unknown"),
        ([order("ann", "1", "2024-01-10"), order("ann", "2", "2024-01-30", medium="email")], "email"),
        (
            [
                order("ann", "1", "2024-01-10"),
                order("ann", "2", "2024-01-30", medium="email"),
                viewed("ann", "2024-01-20", "cpc", "v1"),
                viewed("ann", "2024-01-05", "social", "v2"),
            ],
            "social",
        ),
        ([order("ann", "2", "2024-01-30", medium="email"), order("ann", "1", "2024-01-10", medium="sms")], "sms"),
        (
            [
                order("ann", "1", "2024-01-10", medium="sms"),
                order("ann", "2", "2024-02-10", medium="email"),
                cancel("ann", "1"),
            ],
            "email",
        ),
    ],
    ids=[
        "nothing known",
        "of the first order",
        "the first order beats earlier views",
        "a view, even a later one",
        "a view without one",
        "of a later order",
        "the earliest of all events",
        "a late first order",
        "the first order is cancelled",
    ],
)
async def test_the_medium_is_the_first_orders_or_else_the_first_known(
    yard: Yard, records: list[Any], medium: str
) -> None:
    await yard.feed(records, cut=1)

    assert await media(yard) == {medium: 1}
    await assert_true(yard)


async def test_ltv_by_medium_has_windows_of_whole_days_from_the_first_order(yard: Yard) -> None:
    await yard.feed(
        [
            order("ann", "1", "2024-01-01T12:00:00", 1000, medium="cpc"),
            order("ann", "2", "2024-01-31T12:00:00", 200),
            order("ann", "3", "2024-01-31T12:00:01", 30),
            order("ann", "4", "2025-06-01", 4),
            order("bob", "5", "2024-02-01", 500, medium="cpc"),
        ]
    )

    rows = {row["ltv_window"]: row for row in await yard.view("ltv_by_medium")}
    assert {name: row["revenue_minor"] for name, row in rows.items()} == {
        "first_order": 1500,
        "30d": 1700,
        "90d": 1730,
        "180d": 1730,
        "365d": 1730,
        "lifetime": 1734,
    }
    assert rows["lifetime"]["ltv_minor"] == 867
    await assert_true(yard)


async def test_the_second_order_is_soon_up_to_the_very_hour(yard: Yard) -> None:
    await yard.feed(
        [
            order("ann", "1", "2024-01-01T12:00:00"),
            order("ann", "2", "2024-01-08T12:00:00"),
            order("bob", "3", "2024-01-01T12:00:00"),
            order("bob", "4", "2024-01-08T12:00:01"),
            order("cid", "5", "2024-01-05T12:00:00"),
        ]
    )

    rows = {row["metric"]: row for row in await yard.view("repeat_purchase")}
    assert rows["second_order_within_7d"]["customers"] == 1
    assert rows["second_order_within_30d"]["customers"] == 2
    # The last order in the data is bob's: cid has not been observed for 7 days.
    assert rows["second_order_within_7d_among_customers_observed_7d"]["share"] == 0.5
    assert rows["second_order_within_30d_among_customers_observed_30d"]["share"] is None
    await assert_true(yard)


async def test_poison_is_dead_lettered_and_the_rest_applies(yard: Yard) -> None:
    poison = [
        order("ann", "1", "0999-01-01"),
        order("ann", "2", "9999-12-31"),
        order("ann", "3", "2024-01-01", 10**13),
        refund("ann", "4", "2024-01-01", 10**13),
    ]
    broken = order("ann", "5", "2024-01-01")
    broken.value = b'{"workspace":"demo"}'
    unread = record(CUSTOM, events.CustomEvent(workspace="demo", customer="ann"), "x", "9999-12-31", type_="anything")

    (applied,) = await yard.feed([*poison, broken, unread, order("ann", "6", "2024-01-01", 7)])

    assert [one.id for one, _ in applied.rejected] == [one.id for one in [*poison, broken]]
    assert "1970 and 2100" in applied.rejected[0][1]
    assert (await months(yard))["2024-01"]["sales_minor"] == 7


async def test_a_refund_that_gives_nothing_back_is_refused_and_moves_no_view_from_the_facts(yard: Yard) -> None:
    rests = [refund("ann", "1", f"2024-02-0{day}", amount) for day, amount in ((2, None), (3, -100), (4, None))]
    (applied,) = await yard.feed([order("ann", "1", "2024-01-10", 1000), *rests])
    await assert_true(yard)
    assert [reason for _, reason in applied.rejected] == ["amount_minor: must not be negative"]
