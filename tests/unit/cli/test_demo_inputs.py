"""What the replayed customers do."""

from __future__ import annotations

from collections import Counter
from datetime import UTC
from zoneinfo import ZoneInfo

import msgspec

from tabiji_cli import cdnow
from tabiji_cli.demo import expected, inputs
from tests.unit.cli.support import SEED, accepted, some_orders

TOKYO = ZoneInfo("Asia/Tokyo")


def test_the_plan_is_the_same_whatever_the_order_of_the_log() -> None:
    orders = some_orders()
    assert inputs.plan(orders, SEED) == inputs.plan(reversed(orders), SEED)


def test_another_seed_makes_other_carts_but_the_same_orders() -> None:
    one, other = inputs.plan(some_orders(), SEED), inputs.plan(some_orders(), "another")
    assert one.inputs != other.inputs
    assert [o.order_id for o in sorted(expected.orders_of(accepted(one)), key=lambda o: o.order_id)] == [
        o.order_id for o in sorted(expected.orders_of(accepted(other)), key=lambda o: o.order_id)
    ]


def test_inputs_come_in_order_of_time_and_each_customers_in_order_of_life() -> None:
    plan = inputs.plan(some_orders(), SEED)
    assert [step.occurred_at for step in plan.inputs] == sorted(step.occurred_at for step in plan.inputs)
    ranks: dict[str, int] = {}
    for step in plan.inputs:
        assert step.rank == ranks.get(step.customer, 0)
        ranks[step.customer] = step.rank + 1


def test_message_ids_are_unique() -> None:
    plan = inputs.plan(some_orders(), SEED)
    assert len({step.message_id for step in plan.inputs}) == len(plan.inputs)


def test_everyone_is_identified_before_anything_but_an_anonymous_visit() -> None:
    seen: dict[str, list[str]] = {}
    for step in inputs.plan(some_orders(), SEED).inputs:
        seen.setdefault(step.customer, []).append(step.kind)
    for kinds in seen.values():
        before = kinds[: kinds.index("identified")]
        assert before in ([], ["page_viewed"])


def test_everything_is_marked_as_simulated() -> None:
    for step in inputs.plan(some_orders(), SEED).inputs:
        message = msgspec.json.decode(step.body)
        assert (message.get("properties") or message["traits"])["simulated"] is True
        assert message["messageId"] == step.message_id
        assert "sentAt" not in message


def test_addresses_lead_nowhere() -> None:
    for step in inputs.plan(some_orders(), SEED).inputs:
        if step.kind == "identified":
            assert msgspec.json.decode(step.body)["traits"]["email"].endswith("@example.com")


def test_an_order_keeps_its_day_in_tokyo_and_in_utc() -> None:
    days = {order.order_id: order.ordered_on for order in some_orders()}
    for order in expected.orders_of(accepted(inputs.plan(some_orders(), SEED))):
        assert order.at.astimezone(TOKYO).date() == order.at.astimezone(UTC).date() == days[order.order_id]


def test_amounts_survive_the_way_through_major_units() -> None:
    amounts = {order.order_id: order.amount_minor for order in some_orders()}
    assert {
        order.order_id: order.amount_minor for order in expected.orders_of(accepted(inputs.plan(some_orders(), SEED)))
    } == amounts


def test_nothing_happens_after_the_last_orders_day() -> None:
    plan = inputs.plan(some_orders(), SEED)
    assert plan.inputs[-1].occurred_at < plan.end
    assert plan.end.astimezone(TOKYO).hour == 0


def test_a_slice_has_so_many_customers_and_no_later_day() -> None:
    orders = some_orders()
    kept = inputs.slice_of(orders, customers=7, days=60, seed=SEED)
    assert len({order.customer_id for order in kept}) == 7
    assert max(order.ordered_on for order in kept) < min(order.ordered_on for order in orders).replace(month=3, day=6)
    assert kept == inputs.slice_of(reversed(orders), customers=7, days=60, seed=SEED)


def test_a_customers_events_on_two_topics_are_never_posted_at_once() -> None:
    plan = inputs.plan(some_orders(), SEED)
    rounds = inputs.waves(plan.inputs)
    assert sorted(step.message_id for wave in rounds for step in wave) == sorted(s.message_id for s in plan.inputs)
    last: dict[str, int] = {}
    for wave in rounds:
        lanes: dict[str, set[str]] = {}
        for step in wave:
            assert last.get(step.customer, -1) < step.rank
            last[step.customer] = step.rank
            lanes.setdefault(step.customer, set()).add(inputs.LANES[step.kind])
        assert all(len(used) == 1 for used in lanes.values())


def test_the_sample_has_what_a_journey_needs_and_the_published_second_orders() -> None:
    plan = inputs.plan(cdnow.orders(cdnow.dataset()), "tabiji")
    kinds = Counter(step.kind for step in plan.inputs)
    assert (plan.customers, plan.orders, kinds["order_completed"]) == (2_357, 6_696, 6_696)
    assert kinds["consent_given"] / plan.customers > 0.8
    rows = accepted(plan)
    assert expected.repeat(expected.orders_of(rows))[2] == 1_139
    carts = {msgspec.json.decode(s.body)["properties"]["cart_id"] for s in plan.inputs if s.kind == "product_added"}
    bought = {
        cart
        for step in plan.inputs
        if step.kind == "order_completed" and (cart := msgspec.json.decode(step.body)["properties"].get("cart_id"))
    }
    assert len(carts - bought) > len(carts) / 2
