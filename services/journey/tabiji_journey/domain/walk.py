"""One enrollment on its way: through states that need no waiting, to one that waits, or out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from tabiji_journey.domain import civil
from tabiji_journey.domain.conditions import Condition, ConditionError, Scope
from tabiji_journey.domain.definition import (
    Branch,
    Definition,
    Duration,
    End,
    SendState,
    Split,
    State,
    WaitEvent,
    WaitFor,
    WaitUntil,
    WaitWindow,
)
from tabiji_journey.domain.identity import arm_of, message_key
from tabiji_journey.domain.model import (
    Cancel,
    Cause,
    Effect,
    Enrollment,
    Match,
    MessageRef,
    MoveKind,
    Moved,
    Occurrences,
    Profile,
    Send,
    Timer,
    TimerKind,
)
from tabiji_journey.domain.rules import match_key, remembered_exit, remembered_match, scope_of

MOST_STEPS = 200
DEADLINE_GRACE = timedelta(hours=1)
"""How long after ``not_after`` a send state still hopes for an outcome."""

Onward = tuple[str, str] | None
"""The next state and the reason for going there; ``None`` where the walk stops."""


class Walk:
    """The work of one input on one enrollment: it changes ``enrollment`` and gathers ``effects``.

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
                self.leave("definition_error")
        return self.enrollment, tuple(self.effects)

    def scope(self) -> Scope:
        """What conditions see now."""
        return scope_of(self.profile, self.now, self.enrollment)

    def begin(self) -> None:
        """Enter the start state of a new enrollment."""
        self._go(self.definition.start, "", "entered")

    def go(self, target: str, reason: str) -> None:
        """Leave the current state for ``target``, and on from there."""
        self._go(target, reason, "moved")

    def leave(self, reason: str) -> None:
        """Exit, with a cancel where a send is out."""
        self.recall(reason="exited")
        self.effects.append(self.transition("exited", None, reason))
        self._change(status="exited", timer=None, ended_at=self.now, exit_reason=reason)

    def convert(self, at: datetime) -> None:
        """The goal is reached; nobody moves."""
        self.effects.append(self.transition("converted", None, "", at=at))
        self._change(goal_at=at)

    def recall(self, reason: str) -> None:
        """Ask for the message of the current visit to be taken back, if its outcome is not known."""
        message = self.enrollment.messages.get(self.enrollment.state)
        current = message is not None and message.visit == self.enrollment.visit
        if message is not None and current and message.outcome in {None, "unknown"}:
            self.effects.append(Cancel(self.enrollment.id, message.message_key, reason))

    def note(self, state: str, message: MessageRef) -> None:
        """Keep what is known of a message."""
        self._change(messages={**self.enrollment.messages, state: message})

    def consume(self, wait: WaitEvent, event_type: str, match: Match) -> None:
        """Keep what ended this wait, so that it ends no other."""
        key = match_key(wait, self.enrollment, event_type)
        self._change(matched={**self.enrollment.matched, key: match})

    def wait(self, kind: TimerKind, due_at: datetime, moment: civil.Moment | None = None) -> None:
        """Set the one timer; one that would be past is due now."""
        local = moment.local.isoformat() if moment else None
        zone = moment.zone if moment else None
        self._change(timer=Timer(max(due_at, self.now), kind, local, zone))

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
        self._change(seq=self.enrollment.seq + 1)
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

    def look(self, wait: WaitEvent) -> Onward:
        """Whether memory already holds what ends the wait."""
        found = remembered_match(wait, self.enrollment, self.memory, self.scope())
        if found is None:
            return None
        event_type, occurrence = found
        self.consume(wait, event_type, Match(occurrence.occurred_at, occurrence.id))
        self.because("event", occurrence.id)
        return wait.then, event_type

    def _change(self, **fields: Any) -> None:
        self.enrollment = replace(self.enrollment, **fields)

    def _go(self, target: str, reason: str, kind: MoveKind) -> None:
        for _ in range(MOST_STEPS):
            state = self.definition.states.get(target)
            if state is None:
                break
            self._step_into(state, reason, kind)
            if isinstance(state, End):
                return
            onward = self._ARRIVE[type(state)](self, state)
            if onward is None:
                return
            (target, reason), kind = onward, "moved"
        self.leave("definition_error")

    def _step_into(self, state: State, reason: str, kind: MoveKind) -> None:
        ended = isinstance(state, End)
        if not (ended and kind == "entered"):
            self.effects.append(self.transition("finished" if ended else kind, state.name, reason))
        else:
            self.effects.append(self.transition("entered", state.name, reason))
            self.effects.append(self.transition("finished", state.name, reason))
        self._change(state=state.name, visit=self.enrollment.visit + 1, timer=None, waiting_since=self.now)
        if isinstance(state, End):
            self._change(status="finished", ended_at=self.now, exit_reason=state.reason)

    def _send(self, state: SendState) -> Onward:
        now = self.enrollment
        key = message_key(now.id, state.name, now.visit, state.channel)
        message = MessageRef(key, now.visit, self.now)
        unwanted = "holdout" if now.holdout else "late" if self.late_by > state.max_lateness else ""
        if unwanted:
            self.note(state.name, replace(message, outcome="suppressed", reason=unwanted))
            self.effects.append(self.transition("suppressed", state.name, unwanted, message=key))
            return state.on_suppressed, f"suppressed: {unwanted}"
        variables = {name: self._variable(value) for name, value in state.variables.items()}
        not_after = self.now + self._validity(state)
        self.note(state.name, message)
        self.wait("deadline", not_after + DEADLINE_GRACE)
        self.effects.append(self._command(state, key, not_after, variables))
        return None

    def _command(self, state: SendState, key: str, not_after: datetime, variables: Mapping[str, Any]) -> Send:
        return Send(
            enrollment=self.enrollment.id,
            journey=self.definition.id,
            version=self.enrollment.version,
            message_key=key,
            state=state.name,
            visit=self.enrollment.visit,
            channel=state.channel,
            template=f"{self.definition.id}/{state.template}",
            message_class=state.message_class,
            provider=state.provider,
            decided_at=self.now,
            not_after=not_after,
            variables=variables,
            priority=self.definition.priority,
            before_first_wait=not self.enrollment.waited,
        )

    def _variable(self, value: Any) -> Any:
        return value.value(self.scope()) if isinstance(value, Condition) else value

    def _validity(self, state: SendState) -> timedelta:
        if state.message_class == "transactional":
            return state.max_lateness
        return max(state.max_lateness, self.definition.quiet_hours + timedelta(hours=1))

    def _wait_for(self, state: WaitFor) -> Onward:
        return self._stop("wake", self._after(self.now, state.duration))

    def _wait_until(self, state: WaitUntil) -> Onward:
        return self._stop("wake", civil.next_at(self.now, state.at, state.weekdays, self._zone()))

    def _wait_window(self, state: WaitWindow) -> Onward:
        moment = civil.next_inside(self.now, state.window, state.weekdays, self._zone())
        return (state.next, "inside") if moment.instant <= self.now else self._stop("wake", moment)

    def _wait_event(self, state: WaitEvent) -> Onward:
        over = remembered_exit(self.definition, self.enrollment.trigger, self.memory, self.scope(), plain=True)
        if over is not None:
            rule, occurrence = over
            self.because("event", occurrence.id).leave(rule.reason)
            return None
        if onward := self.look(state):
            return onward
        message = self.enrollment.messages.get(state.of) if state.of else None
        counts_from = message.sent_at if message and message.sent_at else self.now
        return self._stop("timeout", self._after(counts_from, state.timeout))

    def _branch(self, state: Branch) -> Onward:
        scope = self.scope()
        for number, (condition, target) in enumerate(state.cases, 1):
            if condition.holds(scope):
                return target, f"case {number}"
        return state.otherwise, "else"

    def _split(self, state: Split) -> Onward:
        arm = arm_of(self.definition.id, self.enrollment.customer, state)
        self._change(arms={**self.enrollment.arms, state.name: arm.name})
        return arm.next, f"arm {arm.name}"

    def _end(self, state: End) -> Onward:
        return None

    def _stop(self, kind: TimerKind, moment: civil.Moment) -> Onward:
        self.wait(kind, moment.instant, moment)
        self._change(waited=True)

    def _after(self, instant: datetime, duration: Duration) -> civil.Moment:
        return civil.after(instant, duration, self._zone())

    def _zone(self) -> str:
        return self.definition.timezone_of(self.profile)

    _ARRIVE: ClassVar[Mapping[type, Callable[[Walk, Any], Onward]]] = {
        SendState: _send,
        WaitFor: _wait_for,
        WaitUntil: _wait_until,
        WaitWindow: _wait_window,
        WaitEvent: _wait_event,
        Branch: _branch,
        Split: _split,
        End: _end,
    }
