"""Quiet hours in civil time: across midnight, across gaps and overlaps, in every zone."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabiji_common.civil import instant_of
from tabiji_dispatch.domain.quiet import QuietHours, quiet_until, zone_of

NIGHT = QuietHours()
TOKYO = ZoneInfo("Asia/Tokyo")
ZONES = [
    "Asia/Tokyo",
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "UTC",
]


def tokyo(hour: int, minute: int = 0, day: int = 1) -> datetime:
    return datetime(2024, 5, day, hour, minute, tzinfo=TOKYO).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        (tokyo(20, 59), None),
        (tokyo(21, 0), tokyo(8, 0, 2)),
        (tokyo(23, 59), tokyo(8, 0, 2)),
        (tokyo(0, 0, 2), tokyo(8, 0, 2)),
        (tokyo(7, 59, 2), tokyo(8, 0, 2)),
        (tokyo(8, 0, 2), None),
        (tokyo(12, 0), None),
    ],
)
def test_the_night_crosses_midnight(now: datetime, until: datetime | None) -> None:
    assert quiet_until(now, TOKYO, NIGHT) == until


def test_a_window_within_a_day_and_none_at_all() -> None:
    noon = QuietHours(time(12), time(13))
    assert quiet_until(tokyo(12, 30), TOKYO, noon) == tokyo(13)
    assert quiet_until(tokyo(11, 59), TOKYO, noon) is None
    assert quiet_until(tokyo(2), TOKYO, QuietHours(time(0), time(0))) is None


def test_a_time_that_does_not_exist_becomes_the_first_instant_after_it() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert instant_of(datetime(2024, 3, 31, 2, 30), berlin) == datetime(2024, 3, 31, 1, 0, tzinfo=UTC)  # noqa: DTZ001


def test_fractions_of_a_second_in_a_gap_end_with_it() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    lost = datetime(2024, 3, 31, 2, 30, 0, 250_000)  # noqa: DTZ001
    assert instant_of(lost, berlin) == datetime(2024, 3, 31, 1, 0, tzinfo=UTC)


def test_a_time_that_comes_twice_is_the_first() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert instant_of(datetime(2024, 10, 27, 2, 30), berlin) == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)  # noqa: DTZ001


def test_a_zone_that_is_none_is_the_workspaces() -> None:
    assert zone_of("Mars/Olympus", "Asia/Tokyo") == TOKYO
    assert zone_of("", "Asia/Tokyo") == TOKYO
    assert zone_of("../etc/passwd", "Asia/Tokyo") == TOKYO


@given(st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)), st.sampled_from(ZONES))  # noqa: DTZ001
def test_the_end_lies_ahead_within_a_day_and_outside_the_window(naive: datetime, name: str) -> None:
    now, zone = naive.replace(tzinfo=UTC), ZoneInfo(name)
    until = quiet_until(now, zone, NIGHT)
    if until is None:
        assert 8 <= now.astimezone(zone).hour < 21
    else:
        assert now < until <= now + timedelta(hours=25)
        assert quiet_until(until, zone, NIGHT) is None
