"""When an event happened, from what the client says and when we received it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tabiji_ingest.domain.refusal import Kind, Refusal

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
MAX_AHEAD = timedelta(days=1)


def read_time(value: Any, field: str) -> datetime | None:
    """An ISO 8601 time as aware UTC, ``None`` where absent; without an offset it is read as UTC. Raises ``Refusal``."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise Refusal(field, "must be an ISO 8601 time in a string", Kind.TIME)
    try:
        when = datetime.fromisoformat(value.strip().upper())
        when = when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Refusal(field, "must be an ISO 8601 time", Kind.TIME) from None
    if not EARLIEST <= when < LATEST:
        raise Refusal(field, "must lie between 1970 and 2200", Kind.TIME)
    return when


def occurred_at(own: datetime | None, sent: datetime | None, received: datetime) -> datetime:
    """``received - (sent - own)``, which takes out what the client's clock is wrong by (Segment's rule).

    Without ``sent`` the event's own time as it is; without that the time of receipt.
    """
    if own is None:
        return received
    if sent is None:
        return own
    return received - (sent - own)


def check_ahead(when: datetime, received: datetime, field: str) -> None:
    """Refuse what lies more than a day ahead of receipt: a unit or a clock is wrong, and a guess would be worse."""
    if when - received > MAX_AHEAD:
        raise Refusal(field, "must not lie more than a day ahead", Kind.TIME)
