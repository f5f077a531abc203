"""Reading experiments out of what people did."""

from __future__ import annotations

from tabiji_cli.demo.evidence import Arm
from tabiji_cli.demo.experiments import Moves, arms


def moved(what: str, who: str, *, at: str = "", arms: str = "", holdout: bool = False) -> Moves:
    return Moves("f2", holdout, arms, what, at, frozenset(who.split()))


def test_holdout_and_treated_count_who_entered_and_who_reached_the_goal_wherever_they_stood() -> None:
    moves = [
        moved("entered", "a b c d"),
        moved("entered", "x y", holdout=True),
        moved("converted", "a", at="arrived"),
        moved("converted", "b", at="done", arms="coupon=a"),
        moved("converted", "x", at="arrived", holdout=True),
    ]
    assert [one for one in arms(moves) if one.experiment == "holdout"] == [
        Arm("f2", "holdout", "holdout", 2, 1),
        Arm("f2", "holdout", "treated", 4, 2),
    ]


def test_a_customer_with_many_carts_counts_once() -> None:
    moves = [moved("entered", "a"), moved("converted", "a", at="browsing"), moved("converted", "a", at="left")]
    assert arms(moves) == [Arm("f2", "holdout", "treated", 1, 1)]


def test_an_arm_counts_the_treated_who_came_out_of_its_split() -> None:
    moves = [
        moved("moved", "a b c", at="coupon", arms="coupon=a"),
        moved("moved", "d", at="coupon", arms="coupon=b,colour=red"),
        moved("moved", "a b c", at="coupon_10", arms="coupon=a"),
        moved("moved", "x", at="coupon", arms="coupon=a", holdout=True),
        moved("converted", "a", at="expires", arms="coupon=a"),
        moved("converted", "x", at="done", arms="coupon=a", holdout=True),
        moved("converted", "d", at="done", arms="coupon=b,colour=red"),
    ]
    assert [one for one in arms(moves) if one.experiment == "coupon"] == [
        Arm("f2", "coupon", "a", 3, 1),
        Arm("f2", "coupon", "b", 1, 1),
    ]
