"""From state to state: through those that need no waiting, to one that waits, or to an end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from tabiji_journey.domain import civil
from tabiji_journey.domain.conditions import Condition
from tabiji_journey.domain.definition import (
    Branch,
    End,
    SendState,
    Split,
    State,
    WaitEvent,
    WaitFor,
    WaitUntil,
    WaitWindow,
)
from tabiji_journey.domain.durations import Duration
from tabiji_journey.domain.identity import arm_of, message_key
from tabiji_journey.domain.model import FAULTY, Match, MessageRef, MoveKind, Send, TimerKind
from tabiji_journey.domain.rules import remembered_exit, remembered_match
from tabiji_journey.domain.walk import Walk

MOST_STEPS = 200
DEADLINE_GRACE = timedelta(hours=1)
"""How long after ``not_after`` a send state still hopes for an outcome."""

Onward = tuple[str, str] | None
"""The next state and the reason for going there; ``None`` where it stops."""


def begin(walk: Walk) -> None:
    """Enter the start state of a new enrollment, and on from there."""
    _go(walk, walk.definition.start, "", "entered")


def go(walk: Walk, target: str, reason: str) -> None:
    """Leave the current state for ``target``, and on from there."""
    _go(walk, target, reason, "moved")


def look(walk: Walk, wait: WaitEvent) -> Onward:
    """Whether memory already holds what ends the wait."""
    found = remembered_match(wait, walk.enrollment, walk.memory, walk.scope())
    if found is None:
        return None
    event_type, occurrence = found
    walk.consume(wait, event_type, Match(occurrence.occurred_at, occurrence.id))
    walk.because("event", occurrence.id)
    return wait.then, event_type


def _go(walk: Walk, target: str, reason: str, kind: MoveKind) -> None:
    for _ in range(MOST_STEPS):
        state = walk.definition.states.get(target)
        if state is None:
            break
        _step_into(walk, state, reason, kind)
        onward = ARRIVE[type(state)](walk, state)
        if onward is None:
            return
        (target, reason), kind = onward, "moved"
    walk.leave(FAULTY)


def _step_into(walk: Walk, state: State, reason: str, kind: MoveKind) -> None:
    if isinstance(state, End) and kind == "moved":
        kind = "finished"
    walk.effects.append(walk.transition(kind, state.name, reason))
    walk.change(state=state.name, visit=walk.enrollment.visit + 1, timer=None, waiting_since=walk.now)
    if isinstance(state, End):
        if kind == "entered":
            walk.effects.append(walk.transition("finished", state.name, reason))
        walk.change(status="finished", ended_at=walk.now, exit_reason=state.reason)


def _send(walk: Walk, state: SendState) -> Onward:
    now = walk.enrollment
    key = message_key(now.id, state.name, now.visit, state.channel)
    message = MessageRef(key, now.visit, walk.now)
    unwanted = "holdout" if now.holdout else "late" if walk.late_by > state.max_lateness else ""
    if unwanted:
        walk.note(state.name, replace(message, outcome="suppressed", reason=unwanted))
        walk.effects.append(walk.transition("suppressed", state.name, unwanted, message=key))
        return state.on_suppressed, f"suppressed: {unwanted}"
    variables = {name: _variable(walk, value) for name, value in state.variables.items()}
    not_after = walk.now + _validity(walk, state)
    walk.note(state.name, message)
    walk.wait("deadline", not_after + DEADLINE_GRACE)
    walk.effects.append(_command(walk, state, key, not_after, variables))
    return None


def _command(walk: Walk, state: SendState, key: str, not_after: datetime, variables: Mapping[str, Any]) -> Send:
    return Send(
        enrollment=walk.enrollment.id,
        journey=walk.definition.id,
        version=walk.enrollment.version,
        message_key=key,
        state=state.name,
        visit=walk.enrollment.visit,
        channel=state.channel,
        template=f"{walk.definition.id}/{state.template}",
        message_class=state.message_class,
        provider=state.provider,
        decided_at=walk.now,
        not_after=not_after,
        variables=variables,
        priority=walk.definition.priority,
        before_first_wait=not walk.enrollment.waited,
    )


def _variable(walk: Walk, value: Any) -> Any:
    return value.value(walk.scope()) if isinstance(value, Condition) else value


def _validity(walk: Walk, state: SendState) -> timedelta:
    """How long the message may still be sent: through the longest quiet hours, where they hold it."""
    if state.message_class == "transactional":
        return state.max_lateness
    return max(state.max_lateness, walk.definition.quiet_hours + timedelta(hours=1))


def _wait_for(walk: Walk, state: WaitFor) -> Onward:
    return _stop(walk, "wake", _after(walk, walk.now, state.duration))


def _wait_until(walk: Walk, state: WaitUntil) -> Onward:
    return _stop(walk, "wake", civil.next_at(walk.now, state.at, state.weekdays, _zone(walk)))


def _wait_window(walk: Walk, state: WaitWindow) -> Onward:
    moment = civil.next_inside(walk.now, state.window, state.weekdays, _zone(walk))
    return (state.next, "inside") if moment.instant <= walk.now else _stop(walk, "wake", moment)


def _wait_event(walk: Walk, state: WaitEvent) -> Onward:
    over = remembered_exit(walk.definition, walk.enrollment.trigger, walk.memory, walk.scope(), plain=True)
    if over is not None:
        rule, occurrence = over
        walk.because("event", occurrence.id).leave(rule.reason)
        return None
    if onward := look(walk, state):
        return onward
    message = walk.enrollment.messages.get(state.of) if state.of else None
    counts_from = message.sent_at if message and message.sent_at else walk.now
    return _stop(walk, "timeout", _after(walk, counts_from, state.timeout))


def _branch(walk: Walk, state: Branch) -> Onward:
    scope = walk.scope()
    for number, (condition, target) in enumerate(state.cases, 1):
        if condition.holds(scope):
            return target, f"case {number}"
    return state.otherwise, "else"


def _split(walk: Walk, state: Split) -> Onward:
    arm = arm_of(walk.definition.id, walk.enrollment.customer, state)
    walk.change(arms={**walk.enrollment.arms, state.name: arm.name})
    return arm.next, f"arm {arm.name}"


def _end(walk: Walk, state: End) -> Onward:  # noqa: ARG001 - a row of the table
    return None


def _stop(walk: Walk, kind: TimerKind, moment: civil.Moment) -> Onward:
    walk.wait(kind, moment.instant, moment)
    return None


def _after(walk: Walk, instant: datetime, duration: Duration) -> civil.Moment:
    return civil.after(instant, duration, _zone(walk))


def _zone(walk: Walk) -> str:
    return walk.definition.timezone_of(walk.profile)


ARRIVE: Mapping[type, Callable[[Walk, Any], Onward]] = {
    SendState: _send,
    WaitFor: _wait_for,
    WaitUntil: _wait_until,
    WaitWindow: _wait_window,
    WaitEvent: _wait_event,
    Branch: _branch,
    Split: _split,
    End: _end,
}
"""What is done on arrival in a state, by its kind: every kind has a row."""
