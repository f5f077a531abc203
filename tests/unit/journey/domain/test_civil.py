"""Civil time becomes an instant in one place: gaps, overlaps, windows and weekdays, in 30 zones over a year."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabiji_journey.domain import civil
from tabiji_journey.domain.civil import Window
from tabiji_journey.domain.durations import Duration

ZONES = (
    *("Asia/Tokyo", "UTC", "America/New_York", "America/Los_Angeles", "America/St_Johns", "America/Sao_Paulo"),
    *("America/Santiago", "America/Havana", "America/Asuncion", "America/Nuuk", "Europe/London", "Europe/Paris"),
    *("Europe/Lisbon", "Europe/Istanbul", "Africa/Cairo", "Africa/Casablanca", "Asia/Beirut", "Asia/Jerusalem"),
    *("Asia/Tehran", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Shanghai", "Australia/Lord_Howe", "Australia/Adelaide"),
    *(
        "Australia/Sydney",
        "Pacific/Auckland",
        "Pacific/Chatham",
        "Pacific/Apia",
        "Pacific/Kiritimati",
        "Atlantic/Azores",
    ),
)
local = datetime.fromisoformat
YEAR = [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]

zones = st.sampled_from(ZONES)
instants = st.datetimes(local("2011-01-01T00:00"), local("2035-01-01T00:00")).map(lambda at: at.replace(tzinfo=UTC))
clocks = st.times().map(lambda at: at.replace(second=0, microsecond=0))
days = st.frozensets(st.integers(0, 6))


def test_there_are_30_zones() -> None:
    assert len(set(ZONES)) == 30


def test_a_time_in_the_gap_is_the_first_valid_instant_after_it() -> None:
    found = civil.resolve(local("2026-03-08T02:30"), "America/New_York")
    assert found == datetime(2026, 3, 8, 7, 0, tzinfo=UTC)
    assert civil.local_of(found, "America/New_York") == local("2026-03-08T03:00")


def test_a_time_that_comes_twice_is_the_first_of_the_two() -> None:
    assert civil.resolve(local("2026-11-01T01:30"), "America/New_York") == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_a_day_that_a_zone_left_out_is_the_first_instant_of_the_next() -> None:
    found = civil.resolve(local("2011-12-30T09:00"), "Pacific/Apia")
    assert civil.local_of(found, "Pacific/Apia") == local("2011-12-31T00:00")


def test_midnight_in_a_zone_that_skips_midnight_is_one_o_clock() -> None:
    found = civil.resolve(local("2026-03-08T00:00"), "America/Havana")
    assert civil.local_of(found, "America/Havana") == local("2026-03-08T01:00")


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("at", [time(0), time(1, 30), time(2, 30), time(10)])
def test_every_day_of_a_year_has_one_visit_in_order_and_at_the_policys_instant(zone: str, at: time) -> None:
    tz = ZoneInfo(zone)
    instant = civil.resolve(datetime.combine(YEAR[0], at), zone) - timedelta(seconds=1)
    visited = []
    for day in YEAR:
        moment = civil.next_at(instant, at, frozenset(), zone)
        assert moment.local == datetime.combine(day, at)
        assert moment.instant > instant
        fold_0 = moment.local.replace(tzinfo=tz)
        exists = fold_0.astimezone(UTC).astimezone(tz).replace(tzinfo=None) == moment.local
        if exists:
            assert moment.instant == fold_0.astimezone(UTC)
        else:
            before = moment.instant - timedelta(seconds=1)
            assert civil.local_of(before, zone) < moment.local < civil.local_of(moment.instant, zone)
        visited.append(moment.instant)
        instant = moment.instant
    assert len(set(visited)) == 365


@given(instants, clocks, days, zones)
def test_the_next_time_is_later_within_eight_days_and_on_an_allowed_weekday(
    instant: datetime, at: time, weekdays: frozenset[int], zone: str
) -> None:
    moment = civil.next_at(instant, at, weekdays, zone)
    assert instant < moment.instant <= instant + timedelta(days=9)
    assert moment.local.time() == at
    assert not weekdays or moment.local.weekday() in weekdays


@given(instants, clocks, clocks, days, zones)
@settings(max_examples=200)
def test_what_is_inside_a_window_stays_and_what_is_outside_moves_to_a_start(
    instant: datetime, start: time, end: time, weekdays: frozenset[int], zone: str
) -> None:
    window = Window(start, end)
    moment = civil.next_inside(instant, window, weekdays, zone)
    if civil.inside(instant, window, weekdays, zone):
        assert moment.instant == instant
    else:
        assert moment.instant > instant
        assert moment.local.time() == start


@given(instants, st.integers(0, 400), st.integers(0, 100_000), zones)
def test_days_keep_the_wall_clock_and_hours_are_elapsed_time(
    instant: datetime, span: int, seconds: int, zone: str
) -> None:
    moment = civil.after(instant, Duration(span, 0), zone)
    there = civil.local_of(instant, zone) + timedelta(days=span)
    if span and civil.local_of(civil.resolve(there, zone), zone) == there:
        assert civil.local_of(moment.instant, zone) == there
    assert civil.after(instant, Duration(0, seconds), zone).instant == instant + timedelta(seconds=seconds)
    assert moment.instant >= instant


def test_a_window_across_midnight_belongs_to_the_day_it_starts_on() -> None:
    night, zone = Window(time(22), time(2)), "Asia/Tokyo"
    friday = frozenset({4})
    saturday_1am = civil.resolve(local("2026-04-11T01:00"), zone)
    assert civil.inside(saturday_1am, night, friday, zone)
    assert not civil.inside(saturday_1am + timedelta(days=1), night, friday, zone)


def test_weekdays_alone_keep_the_time_of_day() -> None:
    zone = "Europe/Paris"
    moment = civil.next_inside(civil.resolve(local("2018-10-21T08:07"), zone), None, frozenset({2, 4}), zone)
    assert moment.local == local("2018-10-24T08:07")


@pytest.mark.parametrize("name", ["", "Nowhere/City", "../etc/passwd", "Asia", "\x00", "a" * 500])
def test_what_is_no_zone_is_not_valid(name: str) -> None:
    assert not civil.valid_zone(name)
