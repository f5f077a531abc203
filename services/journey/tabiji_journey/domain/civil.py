"""When waits end in civil time: the same time of another day, the next allowed time, the next window.

Weekdays count from Monday = 0 and an empty set is no restriction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tabiji_common.civil import instant_of
from tabiji_journey.domain.durations import Duration

_DAY = timedelta(days=1)
_ANY_DAY = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class Window:
    """Part of the day in local time, from ``start`` (inside) to ``end`` (outside).

    ``end`` ≤ ``start`` crosses midnight; the window then belongs to the day it starts on.
    """

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant and the civil time it stands for: ``local`` is naive, in ``zone``."""

    instant: datetime
    local: datetime
    zone: str


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=1024)
def valid_zone(name: str) -> bool:
    """Whether ``name`` is a zone of the IANA database."""
    try:
        _zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def resolve(local: datetime, zone: str) -> datetime:
    """The instant (UTC) of a naive local time; see ``tabiji_common.civil`` for gaps and overlaps."""
    return instant_of(local, _zone(zone))


def local_of(instant: datetime, zone: str) -> datetime:
    """The naive local time of an instant."""
    return instant.astimezone(_zone(zone)).replace(tzinfo=None)


def after(instant: datetime, duration: Duration, zone: str) -> Moment:
    """``duration`` later: days at the same wall-clock time, then hours, minutes and seconds as elapsed time."""
    exact = timedelta(seconds=duration.seconds)
    if not duration.days:
        return _moment(instant + exact, zone)
    there = resolve(local_of(instant, zone) + duration.days * _DAY, zone)
    return _moment(max(there, instant) + exact, zone)


def next_at(instant: datetime, at: time, weekdays: frozenset[int], zone: str) -> Moment:
    """The next local time ``at`` on one of ``weekdays``, later than ``instant``."""
    day = local_of(instant, zone).date() - _DAY
    while True:
        local = datetime.combine(day, at)
        if _allowed(day, weekdays) and (found := resolve(local, zone)) > instant:
            return Moment(found, local, zone)
        day += _DAY


def next_inside(instant: datetime, window: Window | None, weekdays: frozenset[int], zone: str) -> Moment:
    """``instant`` itself if it lies in the window on one of ``weekdays``, else the next instant that does.

    Without a window the wall-clock time stays and only the day moves.
    """
    local = local_of(instant, zone)
    if window is None:
        day = _next_day(local.date(), weekdays)
        if day == local.date():
            return Moment(instant, local, zone)
        there = datetime.combine(day, local.time())
        return Moment(resolve(there, zone), there, zone)
    if inside(instant, window, weekdays, zone):
        return Moment(instant, local, zone)
    return next_at(instant, window.start, weekdays, zone)


def inside(instant: datetime, window: Window, weekdays: frozenset[int], zone: str) -> bool:
    """Whether an instant lies in the window of one of ``weekdays``: start included, end not."""
    today = local_of(instant, zone).date()
    return any(
        _allowed(day, weekdays) and opens <= instant < closes
        for day in (today - _DAY, today)
        for opens, closes in (_span(day, window, zone),)
    )


def _span(day: date, window: Window, zone: str) -> tuple[datetime, datetime]:
    last = day if window.end > window.start else day + _DAY
    return (
        resolve(datetime.combine(day, window.start), zone),
        resolve(datetime.combine(last, window.end), zone),
    )


def _allowed(day: date, weekdays: frozenset[int]) -> bool:
    return day.weekday() in (weekdays or _ANY_DAY)


def _next_day(day: date, weekdays: frozenset[int]) -> date:
    while not _allowed(day, weekdays):
        day += _DAY
    return day


def _moment(instant: datetime, zone: str) -> Moment:
    return Moment(instant, local_of(instant, zone), zone)
