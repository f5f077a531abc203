"""Errors are instructions to the runtime: ``Retry`` the batch, or ``Reject`` the record."""

from __future__ import annotations

import traceback
from pathlib import Path

_FRAMES = 4


class TabijiError(Exception):
    """Base of the errors that Tabiji raises on purpose."""


class Retry(TabijiError):
    """Infrastructure failed: roll back, back off, and try the same batch again."""


class TooLarge(Retry):
    """Among the records is one that is larger than the broker accepts: the same ones would fail for ever."""


class Reject(TabijiError):
    """The record cannot apply: dead-letter it with the reason; its customer goes on.

    ``field`` names the offending part as a path (``properties.total``), ``rule`` the rule it broke.
    """

    def __init__(self, rule: str, field: str = "") -> None:
        super().__init__(f"{field}: {rule}" if field else rule)
        self.rule = rule
        self.field = field


class Fenced(TabijiError):
    """Another member owns this partition number now: drop its buffers and ask for membership again."""

    def __init__(self, partitions: frozenset[int]) -> None:
        super().__init__(f"fenced on partitions {sorted(partitions)}")
        self.partitions = partitions


class WentBack(TabijiError):
    """The database has lost what it had committed: nothing that it says of the past can be trusted to be the newest."""


class Refused(TabijiError):
    """The database refuses a value, and no single customer's; the message names the rule and never the value."""


class Misconfigured(TabijiError):
    """The process cannot start like this; the message names the setting to change."""


def where(error: BaseException) -> str:
    """An error's kind and the innermost places it came through; not its message, which may tell of a person."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__} at {places}" if places else type(error).__name__
