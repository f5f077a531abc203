"""Which events count: as an exit, as the goal, as what a wait is for; live or looked up in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from tabiji_journey.domain.conditions import Scope
from tabiji_journey.domain.definition import By, Definition, ExitRule, Goal, WaitEvent
from tabiji_journey.domain.known import Occurrences, Profile
from tabiji_journey.domain.model import (
    Correlation,
    Enrollment,
    EventInput,
    Occurrence,
    Trigger,
)


def scope_of(profile: Profile, now: datetime, enrollment: Enrollment) -> Scope:
    """What conditions see of an enrollment, without an event."""
    return Scope(profile, now, {}, trigger_view(enrollment.trigger), enrollment)


def trigger_view(trigger: Trigger) -> Mapping[str, Any]:
    """The entering event as conditions see it."""
    return {
        **trigger.context,
        "type": trigger.type,
        "occurred_at": trigger.occurred_at,
        "order_id": trigger.order_id,
        "cart_id": trigger.cart_id,
    }


def event_view(event: EventInput) -> Mapping[str, Any]:
    """An event as conditions see it."""
    return {
        **event.context,
        "type": event.type,
        "occurred_at": event.occurred_at,
        "order_id": event.order_id,
        "cart_id": event.cart_id,
    }


def is_trigger(trigger: Trigger, event_type: str, id_: str, order_id: str | None) -> bool:
    """Whether it is the entering event itself, perhaps told again under another id."""
    same_order = bool(order_id) and order_id == trigger.order_id
    return id_ == trigger.id or (event_type == trigger.type == "order_completed" and same_order)


def exit_for(definition: Definition, enrollment: Enrollment, event: EventInput, scope: Scope) -> ExitRule | None:
    """The first exit rule that a live event meets."""
    seen = replace(scope, event=event_view(event))
    return next((rule for rule in definition.exit if _met(rule, enrollment.trigger, event, seen)), None)


def goal_met(goal: Goal, enrollment: Enrollment, event: EventInput, scope: Scope) -> bool:
    """Whether a live event reaches the goal, in time."""
    if enrollment.goal_until is None or event.occurred_at > enrollment.goal_until:
        return False
    return _met(goal, enrollment.trigger, event, replace(scope, event=event_view(event)))


def remembered_exit(
    definition: Definition, trigger: Trigger, memory: Occurrences, scope: Scope, *, plain: bool
) -> tuple[ExitRule, Occurrence] | None:
    """An exit that memory knows of since the trigger; ``plain`` leaves out rules with a condition."""
    for rule in definition.exit:
        if plain and rule.when:
            continue
        for found in _remembered(rule, trigger, memory, scope):
            return rule, found
    return None


def remembered_goal(goal: Goal, enrollment: Enrollment, memory: Occurrences, scope: Scope) -> Occurrence | None:
    """A conversion that memory knows of since the trigger, in time."""
    until = enrollment.goal_until
    for found in _remembered(goal, enrollment.trigger, memory, scope):
        if until is not None and found.occurred_at <= until:
            return found
    return None


def ends_wait(wait: WaitEvent, enrollment: Enrollment, event: EventInput, scope: Scope) -> bool:
    """Whether a live event is what the enrollment waits for."""
    if event.type not in wait.on or event.machine:
        return False
    if wait.of:
        message = enrollment.messages.get(wait.of)
        if message is None or event.message_key != message.message_key:
            return False
    elif not _related(wait.match, enrollment.trigger, event.order_id, event.cart_id):
        return False
    if not _fresh(wait, enrollment, event.type, event.id, event.order_id, event.occurred_at):
        return False
    return wait.when is None or wait.when.holds(replace(scope, event=event_view(event)))


def remembered_match(
    wait: WaitEvent, enrollment: Enrollment, memory: Occurrences, scope: Scope
) -> tuple[str, Occurrence] | None:
    """(type, occurrence) that memory knows of and that ends the wait."""
    for event_type in wait.on:
        for found in _recall(event_type, _correlations(wait, enrollment), memory):
            if not _fresh(wait, enrollment, event_type, found.id, found.order_id, found.occurred_at):
                continue
            if wait.when is None or wait.when.holds(replace(scope, event=_remembered_view(event_type, found))):
                return event_type, found
    return None


def match_key(wait: WaitEvent, enrollment: Enrollment, event_type: str) -> str:
    """Under what ``Enrollment.matched`` keeps what ended this wait: the type, and the message for waits ``of`` one."""
    message = enrollment.messages.get(wait.of) if wait.of else None
    return f"{event_type} {message.message_key}" if message else event_type


def _met(rule: ExitRule | Goal, trigger: Trigger, event: EventInput, scope: Scope) -> bool:
    if event.type not in rule.on or event.machine or event.occurred_at < trigger.occurred_at:
        return False
    if not _related(rule.match, trigger, event.order_id, event.cart_id):
        return False
    return rule.when is None or rule.when.holds(scope)


def _remembered(rule: ExitRule | Goal, trigger: Trigger, memory: Occurrences, scope: Scope) -> Iterator[Occurrence]:
    for event_type in rule.on:
        for found in _recall(event_type, _by(rule.match, trigger), memory):
            if found.occurred_at < trigger.occurred_at:
                continue
            if is_trigger(trigger, event_type, found.id, found.order_id):
                continue
            if rule.when is None or rule.when.holds(replace(scope, event=_remembered_view(event_type, found))):
                yield found


def _fresh(
    wait: WaitEvent, enrollment: Enrollment, event_type: str, id_: str, order_id: str | None, occurred_at: datetime
) -> bool:
    """Not the trigger, not from before what the wait counts from, and not what ended a wait already."""
    last = enrollment.matched.get(match_key(wait, enrollment, event_type))
    if last and (id_ == last.id or occurred_at < last.occurred_at):
        return False
    if wait.of:
        return True  # an answer to a message is by itself later than the message
    since = enrollment.trigger.occurred_at
    if wait.since == "wait" and enrollment.waiting_since:
        since = max(since, enrollment.waiting_since)
    return occurred_at >= since and not is_trigger(enrollment.trigger, event_type, id_, order_id)


def _related(by: By | None, trigger: Trigger, order_id: str | None, cart_id: str | None) -> bool:
    """Whether an event belongs to the trigger's order (cart): an event or a trigger that names none does."""
    if by is None:
        return True
    ours, theirs = (trigger.order_id, order_id) if by == "order" else (trigger.cart_id, cart_id)
    return not ours or not theirs or ours == theirs


def _correlations(wait: WaitEvent, enrollment: Enrollment) -> tuple[Correlation | None, ...]:
    if not wait.of:
        return _by(wait.match, enrollment.trigger)
    message = enrollment.messages.get(wait.of)
    return (("message", message.message_key),) if message else ()


def _by(by: By | None, trigger: Trigger) -> tuple[Correlation | None, ...]:
    ours = trigger.order_id if by == "order" else trigger.cart_id
    return ((by, ours), (by, "")) if by and ours else (None,)


def _recall(event_type: str, correlations: tuple[Correlation | None, ...], memory: Occurrences) -> Iterator[Occurrence]:
    for correlation in correlations:
        found = memory.last(event_type, correlation)
        if found is not None:
            yield found


def _remembered_view(event_type: str, found: Occurrence) -> Mapping[str, Any]:
    return {
        **found.context,
        "type": event_type,
        "occurred_at": found.occurred_at,
        "order_id": found.order_id,
        "cart_id": found.cart_id,
    }
