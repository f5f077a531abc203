"""Quiet hours: when a marketing message may not reach a customer, and when they end, in civil time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From ``start`` to ``end`` local time, across midnight where ``start`` is later; equal means none."""

    start: time = time(21)
    end: time = time(8)

    def covers(self, local: time) -> bool:
        """Whether ``local`` lies in them; the start does, the end does not."""
        if self.start <= self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end


def quiet_until(now: datetime, zone: ZoneInfo, hours: QuietHours) -> datetime | None:
    """The instant (UTC) at which quiet hours that cover ``now`` end, or ``None`` outside them."""
    local = now.astimezone(zone)
    if hours.start == hours.end or not hours.covers(local.time()):
        return None
    day = local.date()
    if local.time() >= hours.end:
        day += timedelta(days=1)
    return instant(datetime.combine(day, hours.end), zone)


def instant(civil: datetime, zone: ZoneInfo) -> datetime:
    """The UTC instant of a civil time: the first of two, and the first valid one after a gap."""
    first = civil.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == civil:
        return first
    low, high = civil.replace(tzinfo=zone, fold=1).astimezone(UTC), first
    offset = high.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return high.replace(microsecond=0)


@lru_cache(maxsize=1024)
def zone_of(name: str | None, fallback: str) -> ZoneInfo:
    """The customer's zone where it is one, else the workspace's."""
    try:
        return ZoneInfo(name or fallback)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(fallback)
