"""The one pure function behind every correction, against a plain count over the same orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from tabiji_analytics.domain.contribution import (
    COHORT,
    FREQUENCY,
    MEDIUM,
    SECOND_ORDER,
    Cells,
    Order,
    Refund,
    contribution,
    refunded,
)
from tabiji_analytics.domain.deltas import Deltas

TOKYO, LONDON = ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/London")
ZONES = [TOKYO, ZoneInfo("UTC")]
WHO = ("demo", "ann")
START = datetime(2024, 1, 1, tzinfo=UTC)


def order(n: int, when: str, amount: int = 100, **more: Any) -> Order:
    return Order(f"o{n}", datetime.fromisoformat(when).replace(tzinfo=UTC), amount, "JPY", **more)


def refund(n: int, when: str, amount: int | None = None, currency: str | None = None) -> Refund:
    return Refund(bytes([n]), datetime.fromisoformat(when).replace(tzinfo=UTC), amount, currency)


def of(cells: Cells, rollup: str) -> dict[tuple[Any, ...], tuple[int, ...]]:
    return {place[1:]: values for place, values in cells.items() if place[0] == rollup}


def month(year: int, number: int) -> int:
    return year * 12 + number - 1


def test_nothing_contributes_nothing() -> None:
    assert contribution([], None, ZONES) == {}
    assert contribution([order(1, "2024-01-01", cancelled=True)], None, ZONES) == {}


def test_one_order_is_one_customer_in_every_rollup() -> None:
    cells = contribution([order(1, "2024-01-31T20:00", 100)], None, ZONES)

    assert of(cells, COHORT) == {
        ("Asia/Tokyo", "JPY", month(2024, 2), month(2024, 2)): (1, 1, 100, 1, 1, 100),
        ("UTC", "JPY", month(2024, 1), month(2024, 1)): (1, 1, 100, 1, 1, 100),
    }
    assert of(cells, FREQUENCY) == {("JPY", 1): (1,)}
    assert of(cells, SECOND_ORDER) == {("JPY", datetime(2024, 1, 31, 20, tzinfo=UTC), 0): (1,)}
    assert of(cells, MEDIUM) == {("JPY", "unknown"): (1, 100, 100, 100, 100, 100, 100)}


def test_simultaneous_orders_are_ranked_by_their_ids_bytes() -> None:
    # U+FF5E is three bytes from 0xEF, U+1F600 four from 0xF0; in UTF-16 they would sort the other way round.
    first, second = Order("～", START, 5, "JPY"), Order("😀", START, 7, "JPY")

    for orders in ([first, second], [second, first]):
        assert of(contribution(orders, None, [ZoneInfo("UTC")]), COHORT) == {
            ("UTC", "JPY", month(2024, 1), month(2024, 1)): (1, 2, 12, 2, 1, 5)
        }


def test_the_summer_time_of_a_zone_decides_on_the_month() -> None:
    cells = contribution([order(1, "2024-06-30T23:30"), order(2, "2024-11-30T23:30")], None, [LONDON])

    assert {place[2:] for place in of(cells, COHORT)} == {
        (month(2024, 7), month(2024, 7)),
        (month(2024, 7), month(2024, 11)),
    }


def test_a_refund_of_the_first_order_reduces_what_first_orders_brought() -> None:
    bought = order(1, "2024-01-10", 100, refunds=(refund(1, "2024-02-10", 30),))

    assert of(contribution([bought], None, [ZoneInfo("UTC")]), COHORT) == {
        ("UTC", "JPY", month(2024, 1), month(2024, 1)): (1, 1, 100, 1, 1, 100),
        ("UTC", "JPY", month(2024, 1), month(2024, 2)): (0, 0, -30, 1, 0, -30),
    }


def test_refunds_without_an_amount_never_give_back_more_than_there_is() -> None:
    bought = order(
        1,
        "2024-01-10",
        100,
        refunds=(
            refund(3, "2024-01-13"),
            refund(1, "2024-01-11", 130),
            refund(2, "2024-01-12"),
            refund(4, "2024-01-14", 5),
        ),
    )

    assert [amount for _, amount in refunded(bought)] == [130, 0, 0, 5]


def test_a_refund_dated_before_its_order_counts_at_the_orders_time() -> None:
    bought = order(1, "2024-02-10", 100, refunds=(refund(1, "2024-01-11", 30),))

    assert [when.month for when, _ in refunded(bought)] == [2]


def test_a_cancelled_orders_refunds_are_gone_with_it() -> None:
    gone = order(1, "2024-01-10", 100, cancelled=True, refunds=(refund(1, "2024-01-11", 30),))
    kept = order(2, "2024-03-10", 100)

    assert contribution([gone, kept], None, ZONES) == contribution([kept], None, ZONES)


instants = st.integers(0, 800 * 24).map(lambda hours: START + timedelta(hours=hours))
amounts = st.integers(-500, 5000)
refunds = st.builds(
    Refund,
    st.binary(min_size=2, max_size=2),
    instants,
    st.none() | st.integers(0, 3000),
    st.sampled_from([None, "JPY", "USD"]),
)
orders = st.lists(
    st.builds(
        Order,
        st.text("abc", min_size=1, max_size=3),
        instants,
        amounts,
        st.sampled_from(["JPY", "JPY", "JPY", "USD"]),
        st.sampled_from([None, "email", "cpc"]),
        st.booleans(),
        st.lists(refunds, max_size=3, unique_by=lambda one: one.key).map(tuple),
    ),
    max_size=8,
    unique_by=lambda one: one.order_id,
)
touches = st.none() | st.tuples(instants, st.binary(min_size=1, max_size=1), st.sampled_from(["sns", "cpc"]))


@given(st.data(), orders, touches)
def test_the_sequence_of_orders_and_refunds_means_nothing(data: st.DataObject, bought: list[Order], touch: Any) -> None:
    again = data.draw(st.permutations(bought))
    turned = [
        Order(o.order_id, o.occurred_at, o.amount_minor, o.currency, o.medium, o.cancelled, o.refunds[::-1])
        for o in again
    ]

    assert contribution(turned, touch, ZONES) == contribution(bought, touch, ZONES)


@given(orders, touches, orders, touches)
def test_before_and_the_difference_make_after(
    old: list[Order], old_touch: Any, new: list[Order], new_touch: Any
) -> None:
    before, after = contribution(old, old_touch, ZONES), contribution(new, new_touch, ZONES)
    deltas = Deltas()
    deltas.change(WHO, 3, before, after)

    total: dict[tuple[Any, ...], list[int]] = {place: list(values) for place, values in before.items()}
    for rollup, cells in deltas:
        for (workspace, p, *key), values in cells.items():
            assert (workspace, p) == ("demo", 3)
            cell = total.setdefault((rollup, *key), [0] * len(values))
            cell[:] = [have + more for have, more in zip(cell, values, strict=True)]
    assert {place: tuple(values) for place, values in total.items() if any(values)} == after


@given(orders, touches)
def test_cells_are_what_counting_by_hand_gives(bought: list[Order], touch: Any) -> None:
    cells = contribution(bought, touch, [TOKYO])

    for currency in ("JPY", "USD"):
        standing = sorted(
            (one for one in bought if one.currency == currency and not one.cancelled),
            key=lambda one: (one.occurred_at, one.order_id.encode()),
        )
        assert {place for place in of(cells, FREQUENCY) if place[0] == currency} == (
            {(currency, len(standing))} if standing else set()
        )
        assert by_month(cells, currency) == counted(standing)


def by_month(cells: Cells, currency: str) -> dict[str, Counter[int]]:
    shown: dict[str, Counter[int]] = {"orders": Counter(), "revenue": Counter()}
    for (_, of_currency, _, month_number), values in of(cells, COHORT).items():
        if of_currency == currency:
            shown["orders"][month_number] += values[1]
            shown["revenue"][month_number] += values[2]
    return {name: Counter({key: n for key, n in counter.items() if n}) for name, counter in shown.items()}


def counted(standing: Sequence[Order]) -> dict[str, Counter[int]]:
    """The same by the shortest way, over nine hours more than UTC."""

    def number(when: datetime) -> int:
        tokyo = when + timedelta(hours=9)
        return month(tokyo.year, tokyo.month)

    shown: dict[str, Counter[int]] = {"orders": Counter(), "revenue": Counter()}
    for one in standing:
        shown["orders"][number(one.occurred_at)] += 1
        shown["revenue"][number(one.occurred_at)] += one.amount_minor
        given_back = 0
        for gone in sorted(one.refunds, key=lambda r: (r.occurred_at, r.key)):
            if gone.currency in {None, one.currency}:
                part = max(0, one.amount_minor - given_back) if gone.amount_minor is None else gone.amount_minor
                given_back += part
                shown["revenue"][number(max(gone.occurred_at, one.occurred_at))] -= part
    return {name: Counter({key: n for key, n in counter.items() if n}) for name, counter in shown.items()}
