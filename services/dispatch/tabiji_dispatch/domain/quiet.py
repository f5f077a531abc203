"""Quiet hours: when a marketing message may not reach a customer, and when they end, in civil time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tabiji_common.civil import instant_of


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
    return instant_of(datetime.combine(day, hours.end), zone)


@lru_cache(maxsize=1024)
def zone_of(name: str | None, fallback: str) -> ZoneInfo:
    """The customer's zone where it is one, else the workspace's."""
    try:
        return ZoneInfo(name or fallback)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(fallback)
