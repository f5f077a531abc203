"""The work of one input on one enrollment: what is changed, and what is asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from tabiji_journey.domain import civil
from tabiji_journey.domain.conditions import ConditionError, Scope
from tabiji_journey.domain.definition import Definition, WaitEvent
from tabiji_journey.domain.known import Occurrences, Profile
from tabiji_journey.domain.model import (
    FAULTY,
    Cancel,
    Cause,
    Effect,
    Enrollment,
    Match,
    MessageRef,
    Moved,
    MoveKind,
    Timer,
    TimerKind,
)
from tabiji_journey.domain.rules import match_key, scope_of


class Walk:
    """``enrollment`` as it has become and the ``effects`` gathered so far; local to one call.

    ``late_by`` is how much later than ``now`` it really is.
    """

    def __init__(
        self,
        definition: Definition,
        enrollment: Enrollment,
        profile: Profile,
        memory: Occurrences,
        now: datetime,
    ) -> None:
        self.definition = definition
        self.enrollment = enrollment
        self.profile = profile
        self.memory = memory
        self.now = now
        self.late_by = timedelta()
        self.cause: Cause = "event"
        self.cause_id = ""
        self.effects: list[Effect] = []

    def because(self, cause: Cause, cause_id: str) -> Walk:
        """Name what is behind the moves that follow."""
        self.cause, self.cause_id = cause, cause_id
        return self

    def safely(self, act: Callable[[], None]) -> tuple[Enrollment, tuple[Effect, ...]]:
        """Do it; a condition that cannot be evaluated, or a time that cannot be had, exits ``definition_error``."""
        try:
            act()
        except (ConditionError, OverflowError):
            if self.enrollment.status == "waiting":
                self.leave(FAULTY)
        return self.enrollment, tuple(self.effects)

    def scope(self) -> Scope:
        """What conditions see now."""
        return scope_of(self.profile, self.now, self.enrollment)

    def leave(self, reason: str) -> None:
        """Exit, with a cancel where a send is out."""
        self.recall(reason="exited")
        self.effects.append(self.transition("exited", None, reason))
        self.change(status="exited", timer=None, ended_at=self.now, exit_reason=reason)

    def convert(self, at: datetime) -> None:
        """The goal is reached; nobody moves."""
        self.effects.append(self.transition("converted", None, "", at=at))
        self.change(goal_at=at)

    def recall(self, reason: str) -> None:
        """Ask for the message of the current visit to be taken back, if its outcome is not known."""
        message = self.enrollment.messages.get(self.enrollment.state)
        current = message is not None and message.visit == self.enrollment.visit
        if message is not None and current and message.outcome in {None, "unknown"}:
            self.effects.append(Cancel(self.enrollment.id, message.message_key, reason))

    def note(self, state: str, message: MessageRef) -> None:
        """Keep what is known of a message."""
        self.change(messages={**self.enrollment.messages, state: message})

    def consume(self, wait: WaitEvent, event_type: str, match: Match) -> None:
        """Keep what ended this wait, so that it ends no other."""
        key = match_key(wait, self.enrollment, event_type)
        self.change(matched={**self.enrollment.matched, key: match})

    def wait(self, kind: TimerKind, due_at: datetime, moment: civil.Moment | None = None) -> None:
        """Set the one timer; one that would be past is due now. With a civil ``moment`` it is a wait of the journey."""
        local = moment.local.isoformat() if moment else None
        zone = moment.zone if moment else None
        waited = self.enrollment.waited or moment is not None
        self.change(timer=Timer(max(due_at, self.now), kind, local, zone), waited=waited)

    def transition(
        self,
        kind: MoveKind,
        to_state: str | None,
        reason: str,
        *,
        message: str | None = None,
        at: datetime | None = None,
    ) -> Moved:
        """The next transition of this enrollment."""
        self.change(seq=self.enrollment.seq + 1)
        now = self.enrollment
        from_state = None if kind == "entered" else now.state
        return Moved(
            now.id,
            now.journey,
            now.version,
            now.key,
            kind,
            at or self.now,
            now.seq,
            from_state,
            to_state,
            self.cause,
            self.cause_id,
            reason,
            now.holdout,
            now.arms,
            message,
        )

    def change(self, **fields: Any) -> None:
        """Put fields of the enrollment in place."""
        self.enrollment = replace(self.enrollment, **fields)
