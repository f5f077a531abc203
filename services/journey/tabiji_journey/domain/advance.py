"""definition, enrollment, profile, input, now -> enrollment, effects: pure and total."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tabiji_journey.domain.definition import Definition
from tabiji_journey.domain.model import (
    Effect, Enrollment, Entered, EventInput, Ids, Input, Moved, Occurrences, Profile,
)


def advance(
    definition: Definition,
    enrollment: Enrollment,
    profile: Profile,
    input: Input,  # noqa: A002 - the word of the design
    now: datetime,
    memory: Occurrences,
) -> tuple[Enrollment, tuple[Effect, ...]]:
    """Apply one input. Never raises; what does not concern the enrollment gives it back unchanged with no effects.

    ``now`` is logical time: accepted_at of an event, outcome or command, due_at of a timer. ``definition`` is of the
    enrollment's own version. Call it for waiting enrollments, and with events for ended ones whose ``goal_until`` is
    not past (goal) and with outcomes for any (corrections). An event in backfill or replay mode exits and counts, but
    moves nobody on.
    """
    raise NotImplementedError


def enter(
    definition: Definition,
    *,
    ids: Ids,
    profile: Profile,
    previous: Sequence[Enrollment],
    memory: Occurrences,
    event: EventInput,
    now: datetime,
    command_key: str | None = None,
) -> Entered:
    """Apply a trigger. Never raises.

    ``previous`` holds this customer's enrollments in this journey with the event's key, running and ended (those with
    other keys do no harm). ``profile`` is the one after the event. With ``command_key`` (an ``enroll`` command) the
    trigger, condition and horizon are not asked for and the key is that one.

    ``refused``: not_the_trigger, anonymous, not_live, too_late, condition, definition_error, already_entered,
    already_inside, older_than_running, repeated, already_over (an exit stands in memory).
    """
    raise NotImplementedError


def revoke_check(definition: Definition, enrollment: Enrollment, profile: Profile) -> str:
    """Why a held send from before the first wait must not go: ``entry_revoked``, ``definition_error``, or ``""``.

    Ask when its barrier has passed; a reason goes back in as ``CommandInput("revoke", reason=…)``.
    """
    raise NotImplementedError


def withdraw(enrollment: Enrollment, message_key: str, reason: str, now: datetime) -> tuple[Enrollment, Moved]:
    """Record that a ``Cancel`` could be met by deleting the held row: a ``suppressed`` transition (``exited``)."""
    raise NotImplementedError


def key_of(definition: Definition, event: EventInput) -> str:
    """The ``enter.key`` value of an event, ``""`` without one."""
    raise NotImplementedError
