"""How one gets into a journey, and why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tabiji_journey.domain.advance import enter, key_of, revoke_check
from tabiji_journey.domain.definition import Split
from tabiji_journey.domain.identity import arm_of, in_holdout, share
from tabiji_journey.domain.loader import load
from tabiji_journey.domain.model import CommandInput, EventInput, Ids
from tests.unit.journey.domain.road import DAY, HOUR, START, Remembered, Road, Shopper

FIRST_ORDER = """
id: first-order
enter: {on: order_completed, when: customer.order_count == 1}
exit: [{on: order_completed, as: converted}]
goal: {on: order_completed, within: 60d}
start: thanks
states:
  thanks: {send: {channel: email, template: thanks}, next: rest}
  rest: {wait: {for: 3d}, next: done}
  done: {end: true}
"""


def cart(reenter: str) -> str:
    return f"""
id: cart
enter: {{on: product_added, key: cart_id, reenter: {reenter}}}
exit: [{{on: order_completed, match: cart, as: purchased}}]
start: rest
states:
  rest: {{wait: {{for: 4h}}, next: mail}}
  mail: {{send: {{channel: email, template: cart}}, next: done}}
  done: {{end: true}}
"""


FIRST = Shopper(order_count=1)


def test_the_entering_event_is_never_its_own_exit_or_goal() -> None:
    road = Road(FIRST_ORDER, profile=FIRST)
    road.event("order_completed", order_id="o1")
    assert road.only.status == "waiting"
    road.event("order_completed", order_id="o1", id_="told again by a webhook")
    assert road.only.status == "waiting"
    assert road.only.goal_at is None


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"mode": "backfill"}, "not_live"),
        ({"mode": "replay"}, "not_live"),
        ({"anonymous": True}, "anonymous"),
        ({"at": START - timedelta(hours=25)}, "too_late"),
    ],
)
def test_what_is_not_live_known_and_recent_starts_nothing(changes: dict[str, Any], refused: str) -> None:
    road = Road(FIRST_ORDER, profile=FIRST)
    assert road.event("order_completed", order_id="o1", **changes).refused == refused
    assert road.effects == []


def test_the_condition_sees_the_profile_after_the_event() -> None:
    assert Road(FIRST_ORDER, profile=Shopper(order_count=2)).event("order_completed").refused == "condition"


def test_a_condition_that_cannot_be_evaluated_lets_nobody_in() -> None:
    road = Road(FIRST_ORDER.replace("customer.order_count == 1", "event.total > 3"))
    assert road.event("order_completed").refused == "definition_error"


def test_a_cart_event_that_is_read_after_the_later_purchase_starts_nothing() -> None:
    road = Road(cart("restart"))
    road.now = START + HOUR
    road.event("order_completed", cart_id="c1", order_id="o1", at=START + timedelta(minutes=30))
    assert road.event("product_added", cart_id="c1", at=START).refused == "already_over"
    assert road.event("product_added", cart_id="c2", at=START).enrollment is not None


def test_a_remembered_purchase_without_a_cart_id_ends_every_cart() -> None:
    road = Road(cart("restart"))
    road.now = START + HOUR
    road.event("order_completed", order_id="o1", at=START + timedelta(minutes=30))
    assert road.event("product_added", cart_id="c1", at=START).refused == "already_over"


def test_a_purchase_older_than_the_cart_event_is_no_exit() -> None:
    road = Road(cart("restart"))
    road.event("order_completed", cart_id="c1", order_id="o1", at=START - HOUR)
    assert road.event("product_added", cart_id="c1").enrollment is not None


def test_a_restart_ends_the_running_one_and_begins_anew() -> None:
    road = Road(cart("restart"))
    first = road.event("product_added", cart_id="c1").enrollment
    road.wait(3 * HOUR)
    entered = road.event("product_added", cart_id="c1")
    assert first is not None
    assert entered.enrollment is not None
    assert entered.enrollment.id != first.id
    assert [(one.id, one.exit_reason) for one in entered.restarted] == [(first.id, "restarted")]
    road.wait(4 * HOUR - timedelta(seconds=1))
    assert road.sends == []
    road.wait(timedelta(seconds=1))
    assert len(road.sends) == 1


def test_a_restart_leaves_other_carts_alone() -> None:
    road = Road(cart("restart"))
    road.event("product_added", cart_id="c1")
    assert road.event("product_added", cart_id="c2").restarted == ()
    assert {one.status for one in road.enrollments.values()} == {"waiting"}


def test_a_late_trigger_older_than_the_running_one_does_not_restart_it() -> None:
    road = Road(cart("restart"))
    road.event("product_added", cart_id="c1")
    assert road.event("product_added", cart_id="c1", at=START - HOUR).refused == "older_than_running"


def test_the_same_event_again_is_a_repeat() -> None:
    road = Road(cart("restart"))
    road.event("product_added", cart_id="c1", id_="e")
    assert road.event("product_added", cart_id="c1", id_="e").refused == "repeated"


def test_after_end_waits_for_the_end() -> None:
    road = Road(cart("after_end"))
    road.event("product_added", cart_id="c1")
    assert road.event("product_added", cart_id="c1").refused == "already_inside"
    road.wait(DAY)
    assert road.event("product_added", cart_id="c1").enrollment is not None


def test_an_order_told_twice_is_one_business_event_and_enters_once() -> None:
    text = FIRST_ORDER.replace("customer.order_count == 1}", "customer.order_count == 1, reenter: after_end}")
    road = Road(text, profile=FIRST)
    road.event("order_completed", order_id="o1")
    road.wait(10 * DAY)
    assert road.event("order_completed", order_id="o1", id_="webhook").refused == "repeated"


def test_never_means_one_enrollment_id_for_each_key() -> None:
    definition = load(FIRST_ORDER)
    entered = []
    for number in (1, 2):
        event = EventInput(f"e{number}", "order_completed", START, START, order_id=f"o{number}")
        entered.append(
            enter(
                definition,
                ids=Ids("shop", "a"),
                profile=FIRST,
                previous=(),
                memory=Remembered(),
                event=event,
                now=START,
            ).enrollment
        )
    assert entered[0] is not None
    assert entered[1] is not None
    assert entered[0].id == entered[1].id


def test_the_key_is_empty_where_the_event_has_none() -> None:
    definition = load(cart("restart"))
    assert key_of(definition, EventInput("e", "product_added", START, START)) == ""
    assert key_of(definition, EventInput("e", "product_added", START, START, cart_id="c")) == "c"


def test_an_enroll_command_asks_for_no_trigger_condition_or_horizon() -> None:
    road = Road(FIRST_ORDER)
    event = EventInput("command-1", "enroll", START - 9 * DAY, START)
    entered = enter(
        road.definition,
        ids=road.ids,
        profile=road.profile,
        previous=(),
        memory=road.memory,
        event=event,
        now=START,
        command_key="k",
    )
    assert entered.enrollment is not None
    assert entered.enrollment.key == "k"
    assert revoke_check(road.definition, entered.enrollment, Shopper(order_count=5)) == ""


def test_a_send_before_the_first_wait_is_revoked_once_the_condition_no_longer_holds() -> None:
    road = Road(FIRST_ORDER, profile=FIRST, outcome=None)
    road.event("order_completed", order_id="o1")
    (send,) = road.sends
    assert send.before_first_wait
    assert revoke_check(road.definition, road.only, FIRST) == ""
    assert revoke_check(road.definition, road.only, Shopper(order_count=2)) == "entry_revoked"
    left = road.apply(road.only, CommandInput("revoke", "c", "entry_revoked"))
    assert (left.status, left.exit_reason) == ("exited", "entry_revoked")
    assert [cancel.message_key for cancel in road.cancels] == [send.message_key]
    assert road.moves[-1].cause == "revoked"


def test_a_send_after_a_wait_is_not_before_the_first_one() -> None:
    road = Road(cart("restart"))
    road.event("product_added", cart_id="c1")
    road.wait(DAY)
    assert [send.before_first_wait for send in road.sends] == [False]


def test_only_the_fields_that_are_read_later_stay_with_the_enrollment() -> None:
    text = FIRST_ORDER.replace("customer.order_count == 1}", "event.total > 0}")
    road = Road(text)
    road.event("order_completed", order_id="o1", total=5, colour="red")
    assert road.only.trigger.context == {"total": 5}


def test_a_goal_that_memory_already_knows_counts_at_entry() -> None:
    text = FIRST_ORDER.replace("exit: [{on: order_completed, as: converted}]", "exit: []")
    road = Road(text, profile=FIRST)
    road.now = START + HOUR
    road.event("order_completed", order_id="o2", at=START + HOUR, mode="backfill")
    road.event("order_completed", order_id="o1", at=START)
    assert [moved.kind for moved in road.moves] == ["entered", "converted", "moved"]
    assert road.only.goal_at == START + HOUR


def test_an_instant_at_the_end_of_time_parks_nobody() -> None:
    road = Road(FIRST_ORDER, profile=FIRST)
    end = datetime.max.replace(tzinfo=UTC)
    entered = road.event("order_completed", order_id="o1", at=end)
    assert entered.enrollment is not None
    assert entered.enrollment.goal_until == end


def test_shares_are_even_stable_and_independent_of_each_other() -> None:
    customers = [f"customer-{number}" for number in range(20_000)]
    definition = replace(load(cart("never")), holdout=100_000)
    held = sum(in_holdout(definition, customer) for customer in customers)
    assert abs(held / 20_000 - 0.1) < 0.01
    split = load(
        "id: s\nenter: {on: x}\nstart: w\nstates:\n  w: {wait: {for: 1d}, next: s}\n"
        "  s: {split: {a: 33.3333%, b: 33.3333%, c: 33.3334%}, a: d, b: d, c: d}\n  d: {end: true}\n"
    ).states["s"]
    assert isinstance(split, Split)
    arms = [arm_of("s", customer, split).name for customer in customers]
    assert all(abs(arms.count(arm) / 20_000 - 1 / 3) < 0.02 for arm in "abc")
    both = sum(in_holdout(definition, customer) and arm_of("s", customer, split).name == "a" for customer in customers)
    assert abs(both / 20_000 - 1 / 30) < 0.006
    assert share("f2-conversion", "customer-1", "holdout") == 348_466
