"""Errors are instructions to the runtime: ``Retry`` the batch, or ``Reject`` the record."""

from __future__ import annotations


class TabijiError(Exception):
    """Base of the errors that Tabiji raises on purpose."""


class Retry(TabijiError):
    """Infrastructure failed: roll back, back off, and try the same batch again."""


class TooLarge(Retry):
    """Among the records is one that the log takes no record of the size of: the same ones would fail for ever."""


class Reject(TabijiError):
    """The record can never apply: dead-letter it with the reason; its customer goes on.

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
