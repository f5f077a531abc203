"""definition, enrollment, profile, input, now -> enrollment, effects: pure and total."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from tabiji_journey.domain.definition import (
    Definition,
    SendState,
    WaitEvent,
    WaitFor,
    WaitUntil,
    WaitWindow,
)
from tabiji_journey.domain.enter import COMMAND, enter, key_of, revoke_check
from tabiji_journey.domain.identity import timer_id
from tabiji_journey.domain.known import Occurrences, Profile
from tabiji_journey.domain.model import (
    FAULTY,
    CommandInput,
    Effect,
    Enrollment,
    EventInput,
    Input,
    Match,
    MessageRef,
    Moved,
    OutcomeInput,
    TimerInput,
)
from tabiji_journey.domain.rules import ends_wait, exit_for, goal_met, is_trigger
from tabiji_journey.domain.steps import go, look
from tabiji_journey.domain.walk import Walk

__all__ = ["COMMAND", "advance", "enter", "key_of", "revoke_check", "withdraw"]


def advance(
    definition: Definition,
    enrollment: Enrollment,
    profile: Profile,
    input: Input,  # noqa: A002 - the word of the design
    now: datetime,
    memory: Occurrences,
) -> tuple[Enrollment, tuple[Effect, ...]]:
    """Apply one input. Never raises; what does not concern the enrollment changes nothing.

    ``now`` is logical time: accepted_at of an event, outcome or command, due_at of a timer.
    ``definition`` is of the enrollment's own version. Call it for waiting enrollments, for ended ones
    with events while ``goal_until`` is not past (goal), and for any with outcomes (corrections). An
    event in backfill or replay mode exits and counts, but moves nobody on.
    """
    walk = Walk(definition, enrollment, profile, memory, now)
    match input:
        case EventInput():
            return walk.safely(lambda: _event(walk, input))
        case TimerInput():
            return walk.safely(lambda: _timer(walk, input))
        case OutcomeInput():
            return walk.safely(lambda: _outcome(walk, input))
        case CommandInput():
            return walk.safely(lambda: _command(walk, input))


def withdraw(enrollment: Enrollment, message_key: str, reason: str, now: datetime) -> tuple[Enrollment, Moved]:
    """Record that a ``Cancel`` was met by deleting the held row: a ``suppressed`` transition."""
    seq = enrollment.seq + 1
    changed = {
        state: replace(message, outcome="suppressed", reason=reason)
        for state, message in enrollment.messages.items()
        if message.message_key == message_key
    }
    moved = Moved(
        enrollment=enrollment.id,
        journey=enrollment.journey,
        version=enrollment.version,
        key=enrollment.key,
        kind="suppressed",
        at=now,
        seq=seq,
        from_state=enrollment.state,
        to_state=enrollment.state,
        cause="command",
        cause_id=message_key,
        reason=reason,
        holdout=enrollment.holdout,
        arms=enrollment.arms,
        message_key=message_key,
    )
    return replace(enrollment, seq=seq, messages={**enrollment.messages, **changed}), moved


def _event(walk: Walk, event: EventInput) -> None:
    now = walk.enrollment
    if event.type not in walk.definition.event_types():
        return
    if is_trigger(now.trigger, event.type, event.id, event.order_id):
        return
    walk.because("event", event.id)
    goal = walk.definition.goal
    if goal and now.goal_at is None and goal_met(goal, now, event, walk.scope()):
        walk.convert(event.occurred_at)
    if now.status != "waiting":
        return
    if rule := exit_for(walk.definition, now, event, walk.scope()):
        walk.leave(rule.reason)
        return
    wait = walk.definition.states.get(now.state)
    if event.mode != "live" or now.paused or not isinstance(wait, WaitEvent):
        return
    if ends_wait(wait, now, event, walk.scope()):
        walk.consume(wait, event.type, Match(event.occurred_at, event.id))
        go(walk, wait.then, event.type)


def _timer(walk: Walk, fired: TimerInput) -> None:
    now, timer = walk.enrollment, walk.enrollment.timer
    if now.status != "waiting" or now.paused or timer is None or fired.visit != now.visit:
        return
    if (fired.due_at, fired.kind) != (timer.due_at, timer.kind):
        return
    walk.because("timer", timer_id(now, timer.kind))
    walk.late_by = max((fired.fired_at or fired.due_at) - fired.due_at, timedelta())
    state = walk.definition.states.get(now.state)
    match timer.kind, state:
        case "wake", WaitFor() | WaitUntil() | WaitWindow():
            go(walk, state.next, "elapsed")
        case "timeout", WaitEvent():
            go(walk, state.on_timeout, "timeout")
        case "unknown_wait", SendState():
            go(walk, state.on_unknown, "unknown")
        case "deadline", SendState():
            _miss_deadline(walk, state)
        case _:
            walk.leave(FAULTY)


def _miss_deadline(walk: Walk, state: SendState) -> None:
    walk.recall(reason="deadline")
    message = walk.enrollment.messages.get(state.name)
    if message is not None:
        walk.note(state.name, replace(message, outcome="failed", reason="deadline"))
    go(walk, state.on_failed, "failed: deadline")


def _outcome(walk: Walk, outcome: OutcomeInput) -> None:
    now = walk.enrollment
    found = next((item for item in now.messages.items() if item[1].message_key == outcome.message_key), None)
    if found is None or not _news(found[1], outcome):
        return
    name, message = found
    walk.because("outcome", outcome.id)
    told = _told(message, outcome)
    walk.note(name, told)
    current = now.status == "waiting" and now.state == name and now.visit == message.visit
    if not current:
        reason = f"{told.outcome}: {told.reason}" if told.reason else str(told.outcome)
        moved = walk.transition("corrected", now.state, reason, message=message.message_key)
        walk.effects.append(moved)
        return
    state = walk.definition.states.get(name)
    if not isinstance(state, SendState):
        walk.leave(FAULTY)
    elif told.outcome == "unknown":
        walk.wait("unknown_wait", walk.now + state.unknown_wait)
    elif not now.paused:
        _leave_send(walk, state, told)


def _leave_send(walk: Walk, state: SendState, message: MessageRef) -> None:
    edges = {"sent": state.next, "suppressed": state.on_suppressed, "failed": state.on_failed}
    if message.outcome in edges:
        reason = f"{message.outcome}: {message.reason}" if message.reason else str(message.outcome)
        go(walk, edges[message.outcome], reason)


def _news(message: MessageRef, outcome: OutcomeInput) -> bool:
    """Whether an outcome says more than is known: sent is final, unknown says nothing new of anything."""
    state = "sent" if outcome.state == "delivered" else outcome.state
    if message.outcome is None:
        return True
    return message.outcome != "sent" and state not in {"unknown", message.outcome}


def _told(message: MessageRef, outcome: OutcomeInput) -> MessageRef:
    if outcome.state in {"sent", "delivered"}:
        return replace(message, outcome="sent", reason="", sent_at=outcome.at)
    return replace(message, outcome=outcome.state, reason=outcome.reason)


def _command(walk: Walk, command: CommandInput) -> None:
    now = walk.enrollment
    if now.status != "waiting":
        return
    walk.because("revoked" if command.kind == "revoke" else "command", command.id)
    match command.kind:
        case "exit":
            walk.leave(command.reason or "command")
        case "revoke":
            walk.leave(command.reason or "entry_revoked")
        case "pause" if not now.paused:
            walk.recall(reason="paused")
            walk.enrollment = replace(now, paused=True)
        case "resume" if now.paused:
            _resume(walk)


def _resume(walk: Walk) -> None:
    """Go on from where it stands: by an outcome or event that came meanwhile, else by its timer."""
    now = walk.enrollment
    walk.enrollment = replace(now, paused=False)
    if now.timer and now.timer.due_at < walk.now:
        walk.wait(now.timer.kind, walk.now)
    state = walk.definition.states.get(now.state)
    message = now.messages.get(now.state)
    if isinstance(state, SendState) and message and message.visit == now.visit:
        _leave_send(walk, state, message)
    elif isinstance(state, WaitEvent) and (onward := look(walk, state)):
        go(walk, *onward)
