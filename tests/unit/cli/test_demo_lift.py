"""Newcombe's interval, against the worked example of the paper."""

from __future__ import annotations

import pytest

from tabiji_console.domain.lift import lift, wilson


def test_the_papers_first_example() -> None:
    """56/70 against 48/80: 0.2000, interval 0.0524 to 0.3339 (Newcombe 1998, table II, method 10)."""
    found = lift(56, 70, 48, 80)
    assert (found.difference, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert found.seen


def test_a_share_of_nobody_is_anywhere() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert not lift(0, 0, 5, 10).seen


def test_equal_shares_show_no_lift() -> None:
    assert not lift(50, 100, 500, 1000).seen
