"""Reading experiments out of the journey funnel."""

from __future__ import annotations

from typing import Any

from tabiji_cli.demo.collect import arms
from tabiji_cli.demo.evidence import Arm


def row(step: str, state: str, enrollments: int, *, holdout: bool = False, arms: str = "") -> dict[str, Any]:
    return {
        "journey": "f2",
        "step": step,
        "state": state,
        "enrollments": enrollments,
        "holdout": holdout,
        "arms": arms,
    }


def test_holdout_and_treated_count_who_entered_and_who_reached_the_goal_wherever_they_stood() -> None:
    funnel = [
        row("entered", "thanks", 90),
        row("entered", "thanks", 10, holdout=True),
        row("converted", "arrived", 20),
        row("converted", "done", 7, arms="coupon=a"),
        row("converted", "arrived", 3, holdout=True),
        row("reached", "arrived", 88),
    ]
    assert [one for one in arms(funnel) if one.experiment == "holdout"] == [
        Arm("f2", "holdout", "holdout", 10, 3),
        Arm("f2", "holdout", "treated", 90, 27),
    ]


def test_an_arm_counts_the_treated_who_came_out_of_its_split() -> None:
    funnel = [
        row("left", "coupon", 40, arms="coupon=a"),
        row("left", "coupon", 38, arms="coupon=b,colour=red"),
        row("left", "coupon_10", 40, arms="coupon=a"),
        row("left", "coupon", 5, arms="coupon=a", holdout=True),
        row("converted", "expires", 4, arms="coupon=a"),
        row("converted", "done", 2, arms="coupon=a"),
        row("converted", "done", 9, arms="coupon=a", holdout=True),
        row("converted", "done", 1, arms="coupon=b,colour=red"),
    ]
    assert [one for one in arms(funnel) if one.experiment == "coupon"] == [
        Arm("f2", "coupon", "a", 40, 6),
        Arm("f2", "coupon", "b", 38, 1),
    ]
