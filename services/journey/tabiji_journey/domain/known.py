"""What the domain asks to know of a customer: its profile and its memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from tabiji_journey.domain.model import Correlation, Occurrence


class Occurrences(Protocol):
    """The customer's memory: per event type and correlation, the last occurrence (by ``occurred_at``).

    Whether the event being applied is already in it makes no difference. ``Definition.event_types`` says what to keep,
    ``needs.memory_keys`` under which keys. Of one key only the last occurrence is known, so a ``when`` sees only that.
    """

    def last(self, event_type: str, correlation: Correlation | None = None) -> Occurrence | None:
        """The last occurrence, ``None`` where there is none. Opens and clicks: ``("message", message_key)``."""
        ...


class Profile(Protocol):
    """What conditions may see of a customer as ``customer.*``, after the event that is being applied.

    order_count    orders completed and not cancelled
    total_minor    sum of orders less refunds in ``currency`` (that of the first order, ``""`` without one), minor units
    totals_minor   the same by currency
    products       ids of products bought
    traits         plain traits; ``timezone`` is the one of that name
    consent        marketing consent by channel; a channel without an entry was never asked
    """

    @property
    def order_count(self) -> int: ...
    @property
    def total_minor(self) -> int: ...
    @property
    def currency(self) -> str: ...
    @property
    def totals_minor(self) -> Mapping[str, int]: ...
    @property
    def first_order_at(self) -> datetime | None: ...
    @property
    def last_order_at(self) -> datetime | None: ...
    @property
    def products(self) -> Sequence[str]: ...
    @property
    def traits(self) -> Mapping[str, Any]: ...
    @property
    def consent(self) -> Mapping[str, bool]: ...
    @property
    def timezone(self) -> str | None: ...
