"""What a handler without state is answering: records that it makes take their id and times from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime

_CAUSE: ContextVar[Cause] = ContextVar("tabiji_cause")


@dataclass(slots=True)
class Cause:
    """The event at hand. ``identity`` names it for good: workspace and customer, source, id."""

    service: str
    identity: tuple[str, ...]
    occurred_at: datetime
    accepted_at: datetime
    mode: str
    made: Counter[str] = field(default_factory=Counter)

    def next_number(self, topic: str) -> str:
        """How many records it led to on ``topic`` before: handlers are pure, so a repeat counts the same."""
        self.made[topic] += 1
        return str(self.made[topic])


@contextmanager
def answering(cause: Cause) -> Iterator[None]:
    """Records made inside are answers to ``cause``."""
    token = _CAUSE.set(cause)
    try:
        yield
    finally:
        _CAUSE.reset(token)


def cause() -> Cause:
    """The event at hand; ``TypeError`` outside of a handler, where ids and times must be given."""
    try:
        return _CAUSE.get()
    except LookupError:
        raise TypeError("outside of a handler a record needs id, source, occurred_at and accepted_at") from None
