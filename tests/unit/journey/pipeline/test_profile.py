"""What a profile learns, and what it has been told before."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tabiji_common import events
from tabiji_journey.domain.profile import EMPTY, Change, Profile, learn
from tests.unit.journey.pipeline.people import MONDAY, after, order

WHO: dict[str, Any] = {"workspace": "w", "customer": "ann"}


def told(*steps: tuple[events.Event, str], at: datetime = MONDAY) -> tuple[Profile, list[Change]]:
    profile, changes = EMPTY, []
    for event, event_id in steps:
        profile, change = learn(profile, event, at, event_id)
        changes.append(change)
    return profile, changes


def refund(order_id: str, amount: int | None, refund_id: str | None = None) -> events.OrderRefunded:
    return events.OrderRefunded(**WHO, order_id=order_id, amount_minor=amount, refund_id=refund_id)


def test_an_order_told_again_under_another_event_id_is_a_repeat() -> None:
    profile, changes = told((order("1"), "sdk"), (order("1"), "webhook"))
    assert changes == [Change.NEWS, Change.REPEAT]
    assert (profile.order_count, profile.total_minor) == (1, 1000)


def test_the_first_amount_of_an_order_counts_and_another_is_a_conflict() -> None:
    profile, changes = told((order("1", 1000), "a"), (order("1", 900), "b"))
    assert changes == [Change.NEWS, Change.CONFLICT]
    assert profile.totals_minor == {"JPY": 1000}


def test_currencies_are_never_added_together() -> None:
    profile, _ = told(
        (order("1", 1000), "a"), (events.OrderCompleted(**WHO, order_id="2", amount_minor=5, currency="USD"), "b")
    )
    assert profile.totals_minor == {"JPY": 1000, "USD": 5}


def test_a_cancelled_order_leaves_as_if_never_placed_with_its_refunds() -> None:
    cancelled = events.OrderCancelled(**WHO, order_id="1")
    profile, changes = told((order("1"), "a"), (refund("1", 300), "b"), (cancelled, "c"), (order("1"), "d"))
    assert changes[-2:] == [Change.NEWS, Change.VOID]
    assert (profile.order_count, profile.totals_minor, profile.first_order_at) == (0, {}, None)


@pytest.mark.parametrize(
    ("refunds", "net"),
    [
        ([(300, "r1")], 700),
        ([(300, "r1"), (300, "r1")], 700),
        ([(300, "r1"), (300, "r2")], 400),
        ([(300, "r1"), (None, "r2")], 0),
        ([(None, "r1"), (None, "r2")], 0),
        ([(None, None)], 0),
    ],
)
def test_a_refund_counts_once_by_its_identity_and_without_an_amount_takes_the_rest(
    refunds: list[tuple[int | None, str | None]], net: int
) -> None:
    steps: list[tuple[events.Event, str]] = [(order("1"), "o")]
    steps += [(refund("1", amount, id_), f"e{n}") for n, (amount, id_) in enumerate(refunds)]
    assert told(*steps)[0].total_minor == net
    late, _ = told(*steps[1:], steps[0])
    assert late.total_minor == net, "a refund of an order not yet known waits for it"
    assert late.order_count == 1


def test_a_refund_without_an_id_is_known_by_its_event() -> None:
    profile, changes = told(
        (order("1"), "o"), (refund("1", 100), "e1"), (refund("1", 100), "e1"), (refund("1", 100), "e2")
    )
    assert changes == [Change.NEWS, Change.NEWS, Change.REPEAT, Change.NEWS]
    assert profile.total_minor == 800


def test_what_happened_later_wins_in_whatever_order_it_is_read() -> None:
    new, _ = learn(
        EMPTY, events.Identified(**WHO, traits={"plan": "gold", "timezone": "Asia/Tokyo"}), after(days=1), "b"
    )
    both, _ = learn(new, events.Identified(**WHO, traits={"plan": "free", "age": 3}), MONDAY, "a")
    assert both.traits == {"plan": "gold", "timezone": "Asia/Tokyo", "age": 3}
    assert both.timezone == "Asia/Tokyo"
    gone, _ = learn(both, events.ConsentWithdrawn(**WHO, channel="email"), after(days=2), "c")
    assert learn(gone, events.ConsentGiven(**WHO, channel="email"), MONDAY, "d")[0].consent == {"email": False}


def test_a_profile_survives_its_column() -> None:
    profile, _ = told((order("1", products=[{"product_id": "shirt"}]), "a"), (refund("2", None), "b"))
    assert Profile.from_json(profile.to_json()) == profile
    assert profile.products == ("shirt",)


def test_a_no_said_again_within_a_minute_is_a_repeat_and_one_after_a_yes_is_news() -> None:
    no, yes = events.Unsubscribed(**WHO, channel="email"), events.ConsentGiven(**WHO, channel="email")
    profile, changes = EMPTY, []
    for event, second in ((no, 0), (no, 2), (yes, 20), (no, 40), (no, 160)):
        profile, change = learn(profile, event, MONDAY + timedelta(seconds=second), f"click {second}")
        changes.append(change)
    assert changes == [Change.NEWS, Change.REPEAT, Change.NEWS, Change.NEWS, Change.NEWS]
    assert profile.consent == {"email": False}


def test_only_a_no_by_the_same_link_is_the_same_no() -> None:
    withdrawn = events.ConsentWithdrawn(**WHO, channel="email")
    links = [events.Unsubscribed(**WHO, channel="email", message_key=key) for key in ("m1", "m2")]
    profile, changes = EMPTY, []
    for second, event in enumerate((withdrawn, links[0], links[0], links[1], withdrawn)):
        profile, change = learn(profile, event, MONDAY + timedelta(seconds=second), f"no {second}")
        profile = Profile.from_json(profile.to_json())
        changes.append(change)
    assert changes == [Change.NEWS, Change.NEWS, Change.REPEAT, Change.NEWS, Change.NEWS]
    assert profile.consent == {"email": False}


def test_a_no_said_again_holds_against_a_yes_from_before_it() -> None:
    no, yes = events.Unsubscribed(**WHO, channel="email"), events.ConsentGiven(**WHO, channel="email")
    profile = EMPTY
    for event, second in ((no, 0), (no, 40), (yes, 20)):
        profile, _ = learn(profile, event, MONDAY + timedelta(seconds=second), f"click {second}")
    assert profile.consent == {"email": False}
