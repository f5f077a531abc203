"""Conditions see only what they name, and say what is wrong with them before they run."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabiji_journey.domain.conditions import Condition, ConditionError, Scope
from tests.unit.journey.domain.road import START, Shopper


class Nothing:
    """A profile that may not be looked at."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was not asked for")


def holds(source: str, profile: Any = None, **event: Any) -> bool:
    condition = Condition(source)
    assert condition.problems() == ()
    return condition.holds(Scope(profile or Shopper(), START, event=event, trigger=event))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("customer.order_count == 1", True),
        ("customer.totals_minor.JPY >= 3000 && customer.totals_minor.USD == 0", True),
        ("customer.traits.plan == 'paid'", False),
        ("has(customer.traits.plan)", False),
        ("has(customer.traits.rank) && customer.traits.rank == 'gold'", True),
        ("customer.traits['rank'] == 'gold'", True),
        ("customer.consent.email && !customer.consent.line", True),
        ("'cd-1' in customer.products", True),
        ("now - customer.last_order_at < duration('2h')", True),
        ("customer.first_order_at == null", True),
        ("event.colour == null && trigger.size == 'L' && event['size'] == 'L'", True),
        ("event.products.exists(p, p.sku == 'a')", True),
        ("enrollment.key == '' && !enrollment.holdout", True),
    ],
)
def test_what_conditions_see(source: str, *, expected: bool) -> None:
    shopper = Shopper(
        order_count=1,
        totals_minor={"JPY": 3000},
        traits={"rank": "gold"},
        consent={"email": True},
        products=("cd-1",),
        last_order_at=START - timedelta(hours=1),
    )
    assert holds(source, shopper, size="L", products=[{"sku": "a"}]) is expected


def test_only_what_is_named_is_read() -> None:
    assert holds("event.size == 'L'", Nothing(), size="L")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("customer.order_count ==", "not a CEL expression"),
        ("", "not a CEL expression"),
        ("visitor.order_count == 1", "unknown variable 'visitor'"),
        ("customer.orders == 1", "unknown field customer.orders"),
        ("enrollment.state == 'x'", "unknown field enrollment.state"),
        ("random() < 0.5", "unknown function 'random'"),
        ("true || " * 400 + "true", "at most 2000 characters"),
        ("(" * 500 + "1" + ")" * 500, "not a CEL expression"),
    ],
)
def test_problems_are_told_before_anything_runs(source: str, problem: str) -> None:
    assert problem in " ".join(Condition(source).problems())


@pytest.mark.parametrize(
    "source",
    ["1", "'x'", "customer.order_count", "event.a > 3", "1 / 0 == 1", "timestamp('x') < now", "event.a.b.c == 1"],
)
def test_what_is_neither_true_nor_false_is_a_condition_error(source: str) -> None:
    with pytest.raises(ConditionError):
        holds(source)


@pytest.mark.parametrize(
    ("source", "variable", "fields"),
    [
        ("event.a == 1 && event['b c'] == 2", "event", {"a", "b c"}),
        ("event == {}", "event", None),
        ("customer.traits.x == event.y", "customer", {"traits"}),
        ("'event.z' == event.a", "event", {"a"}),
        ("customer.order_count == 1", "event", set()),
    ],
)
def test_the_fields_that_an_expression_names(source: str, variable: str, fields: set[str] | None) -> None:
    assert Condition(source).fields_of(variable) == fields


def test_a_value_is_plain_json() -> None:
    scope = Scope(Shopper(products=("a",)), START, event={"a": {"b": [1]}})
    assert Condition("now").value(scope) == START.isoformat()
    assert Condition("duration('90s')").value(scope) == 90.0
    assert Condition("event.a").value(scope) == {"b": [1]}
    assert Condition("customer.products").value(scope) == ["a"]


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children, max_size=3),
    max_leaves=5,
)


@given(
    st.sampled_from(
        [
            "event.a > event.b",
            "event.a + event.b == 1",
            "event.a.b == event.b",
            "event.a[0] == event.b",
            "event.a in event.b",
        ]
    ),
    json_values,
    json_values,
)
def test_any_event_gives_true_false_or_a_condition_error(source: str, a: Any, b: Any) -> None:
    with contextlib.suppress(ConditionError):
        Condition(source).holds(Scope(Shopper(), START, event={"a": a, "b": b}))


@given(st.text(alphabet="event.custormab()[]'\"&|=!<>+-*/%?:0123 ,\n", max_size=40))
def test_any_text_compiles_or_has_problems(source: str) -> None:
    condition = Condition(source)
    if not condition.problems():
        with contextlib.suppress(ConditionError):
            condition.holds(Scope(Shopper(), START))
