"""How many messages of a month a provider may still take: counted by calendar month in Tokyo, as LINE bills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from tabiji_dispatch.domain.message import Delivery

QUOTA = "quota:"
ZONE = ZoneInfo("Asia/Tokyo")


@dataclass(frozen=True, slots=True)
class Metered:
    """A message that counts against a provider's month."""

    key: str
    provider: str
    month: str


def month_of(now: datetime) -> str:
    """The billing month of an instant, like ``2026-11``."""
    return f"{now.astimezone(ZONE):%Y-%m}"


def next_month(now: datetime) -> datetime:
    """When the next billing month begins."""
    local = now.astimezone(ZONE)
    year, month = (local.year + 1, 1) if local.month == 12 else (local.year, local.month + 1)
    return datetime(year, month, 1, tzinfo=ZONE)


def takes(delivery: Delivery, left: Mapping[str, int]) -> bool:
    """Whether its next attempt would be counted anew: one that may have arrived was counted when it was tried."""
    return delivery.provider in left and not delivery.in_doubt


def quota_reason(provider: str) -> str:
    """How a hold for want of quota is written down."""
    return f"{QUOTA}{provider}"
