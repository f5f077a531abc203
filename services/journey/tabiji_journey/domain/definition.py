"""A journey as parsed: a state machine in which every state has a row. Immutable; made by ``loader``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from functools import cached_property
from typing import Any, Literal

from tabiji_journey.domain.civil import Window, valid_zone
from tabiji_journey.domain.conditions import Condition
from tabiji_journey.domain.durations import Duration
from tabiji_journey.domain.known import Profile

Reenter = Literal["never", "after_end", "restart"]
By = Literal["order", "cart"]
Since = Literal["trigger", "wait"]

WHOLE = 1_000_000
"""Shares are parts of a million."""


@dataclass(frozen=True, slots=True)
class Need:
    """What memory must keep of an event type: under which correlations (``""`` is the type alone), which fields.

    ``fields`` ``None`` means all of them.
    """

    correlations: frozenset[str] = frozenset()
    fields: frozenset[str] | None = frozenset()


@dataclass(frozen=True, slots=True)
class Enter:
    """How one gets in: by which events, under which condition, once for each ``key``, and whether again."""

    on: tuple[str, ...]
    when: Condition | None = None
    key: str | None = None
    reenter: Reenter = "never"


@dataclass(frozen=True, slots=True)
class ExitRule:
    """An event that ends the journey from any state. With ``match`` an event of another cart (order) does not;
    one that names none does.
    """

    on: tuple[str, ...]
    reason: str
    when: Condition | None = None
    match: By | None = None


@dataclass(frozen=True, slots=True)
class Goal:
    """What is measured: an event ``within`` a time from the trigger. It moves nobody."""

    on: tuple[str, ...]
    within: timedelta
    when: Condition | None = None
    match: By | None = None


@dataclass(frozen=True, slots=True)
class SendState:
    """Ask for a message and stay until its outcome."""

    name: str
    channel: str
    template: str
    next: str
    on_suppressed: str
    on_failed: str
    on_unknown: str
    max_lateness: timedelta
    unknown_wait: timedelta
    message_class: Literal["marketing", "transactional"] = "marketing"
    provider: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WaitFor:
    """Stay for a duration."""

    name: str
    duration: Duration
    next: str


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Stay until the next such local time on such a weekday (Monday is 0; none means any), never zero."""

    name: str
    at: time
    weekdays: frozenset[int]
    next: str


@dataclass(frozen=True, slots=True)
class WaitWindow:
    """Stay until the local time lies in the window on such a weekday; inside it, go on at once."""

    name: str
    window: Window | None
    weekdays: frozenset[int]
    next: str


@dataclass(frozen=True, slots=True)
class WaitEvent:
    """Stay until an event, at most until the timeout.

    of      the event answers the last message of that send state; the timeout counts from when that was sent
    match   the event must not name another order (cart) than the trigger
    since   events count from the trigger on, or only from entering the wait
    """

    name: str
    on: tuple[str, ...]
    timeout: Duration
    then: str
    on_timeout: str
    when: Condition | None = None
    of: str | None = None
    match: By | None = None
    since: Since = "trigger"


@dataclass(frozen=True, slots=True)
class Branch:
    """Go where the first condition that holds leads, else to ``otherwise``."""

    name: str
    cases: tuple[tuple[Condition, str], ...]
    otherwise: str


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm of a split: its share in millionths and where it leads."""

    name: str
    share: int
    next: str


@dataclass(frozen=True, slots=True)
class Split:
    """Go one of several ways, chosen by a hash of journey, customer and state."""

    name: str
    arms: tuple[Arm, ...]


@dataclass(frozen=True, slots=True)
class End:
    """The journey is finished."""

    name: str
    reason: str


State = SendState | WaitFor | WaitUntil | WaitWindow | WaitEvent | Branch | Split | End


@dataclass(frozen=True)
class Definition:
    """One published version of a journey. ``timezone`` is the journey's, else the workspace's."""

    id: str
    version: int
    name: str
    enter: Enter
    start: str
    states: Mapping[str, State]
    exit: tuple[ExitRule, ...] = ()
    goal: Goal | None = None
    holdout: int = 0
    priority: int = 0
    timezone: str = "Asia/Tokyo"
    entry_horizon: timedelta = timedelta(hours=24)
    quiet_hours: timedelta = timedelta(hours=11)

    def __hash__(self) -> int:
        return hash((self.id, self.version))

    def timezone_of(self, profile: Profile) -> str:
        """The zone that this customer's civil times are in: its ``timezone`` trait if valid, else the journey's."""
        return profile.timezone if profile.timezone and valid_zone(profile.timezone) else self.timezone

    def event_types(self) -> Mapping[str, Need]:
        """Every event type that this definition names, with what memory must keep of it."""
        return self._needs

    def trigger_fields(self) -> frozenset[str] | None:
        """The fields of the entering event that are read after the entry; ``None`` means all."""
        return self._trigger_fields

    @cached_property
    def _needs(self) -> Mapping[str, Need]:
        from tabiji_journey.domain.needs import needs_of  # noqa: PLC0415 - needs reads definitions

        return needs_of(self)

    @cached_property
    def _trigger_fields(self) -> frozenset[str] | None:
        from tabiji_journey.domain.needs import trigger_fields_of  # noqa: PLC0415 - needs reads definitions

        return trigger_fields_of(self)
