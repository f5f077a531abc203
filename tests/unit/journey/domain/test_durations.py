"""Durations as journeys write them."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabiji_journey.domain.durations import Duration, parse


@pytest.mark.parametrize(
    ("text", "days", "seconds"),
    [
        ("3d", 3, 0),
        ("90m", 0, 5400),
        ("1h30m", 0, 5400),
        ("2w1d", 15, 0),
        ("24h", 0, 86_400),
        ("45s", 0, 45),
        ("P1DT12H", 1, 43_200),
        ("PT15M", 0, 900),
        ("P2W", 14, 0),
    ],
)
def test_durations_are_days_and_seconds(text: str, days: int, seconds: int) -> None:
    assert parse(text) == Duration(days, seconds)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("10z", "unknown unit 'z'"),
        ("10", "unknown unit ''"),
        ("", "not a duration"),
        ("d", "not a duration"),
        ("3 d", "not a duration"),
        ("-3d", "not a duration"),
        ("1.5h", "not a duration"),
        ("3D", "unknown unit 'D'"),
        ("30m1h", "the longest first"),
        ("1d1d", "each stand once"),
        ("0m", "longer than zero"),
        ("P", "longer than zero"),
        ("P1M", "not an ISO 8601 duration"),
        ("PT", "not an ISO 8601 duration"),
        ("11000d", "ten years"),
        ("9" * 50 + "d", "not a duration"),
    ],
)
def test_what_is_no_duration_is_refused_with_the_rule_it_breaks(text: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        parse(text)


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert timedelta() < parse(text).flat <= timedelta(days=3660)
