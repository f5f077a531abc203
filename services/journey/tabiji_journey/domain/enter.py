"""A trigger -> a new enrollment, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from tabiji_journey.domain.conditions import ConditionError, Scope
from tabiji_journey.domain.definition import Definition
from tabiji_journey.domain.identity import business_id, enrollment_id, in_holdout
from tabiji_journey.domain.known import Occurrences, Profile
from tabiji_journey.domain.model import (
    FAULTY,
    Effect,
    Enrollment,
    Entered,
    EventInput,
    Ids,
    Trigger,
)
from tabiji_journey.domain.rules import (
    event_view,
    remembered_exit,
    remembered_goal,
    scope_of,
    trigger_view,
)
from tabiji_journey.domain.steps import begin
from tabiji_journey.domain.walk import Walk

_LONGEST_KEY = 200


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

    ``previous`` holds this customer's enrollments in this journey with the event's key, running and
    ended, of any version (those with other keys do no harm). ``profile`` is the one after the event.
    With ``command_key`` (an ``enroll`` command) trigger, condition, horizon and memory are not asked
    and the key is that one.

    ``refused``: not_the_trigger, anonymous, not_live, too_late, condition, definition_error,
    already_entered, already_inside, repeated, older_than_running, already_over (an exit stands in
    memory).
    """
    asked = command_key is not None
    refused = "" if asked else _refused(definition, profile, event, now)
    key = key_of(definition, event) if command_key is None else command_key
    new = _new(definition, ids, key, event, now)
    earlier = [one for one in previous if one.key == key and one.journey == definition.id]
    refused = refused or _known(definition, new, earlier)
    if refused:
        return Entered(None, refused=refused)
    walk = Walk(definition, new, profile, memory, now).because("entry", event.id)
    try:
        if not asked and remembered_exit(definition, new.trigger, memory, walk.scope(), plain=False):
            return Entered(None, refused="already_over")
    except ConditionError:
        return Entered(None, refused=FAULTY)
    restarted, effects = _end_running(definition, earlier, walk)
    enrollment, own = walk.safely(lambda: _begin(walk))
    return Entered(enrollment, restarted, (*effects, *own))


def revoke_check(definition: Definition, enrollment: Enrollment, profile: Profile) -> str:
    """Why a held send from before the first wait must not go: ``entry_revoked``,
    ``definition_error``, or ``""``.

    Ask when its barrier has passed; a reason goes back in as ``CommandInput("revoke", reason=…)``.
    """
    when = definition.enter.when
    if when is None or enrollment.trigger.type == COMMAND:
        return ""
    scope = scope_of(profile, enrollment.entered_at, enrollment)
    try:
        return "" if when.holds(replace(scope, event=trigger_view(enrollment.trigger))) else "entry_revoked"
    except ConditionError:
        return FAULTY


COMMAND = "enroll"
"""The trigger type of an enrollment that a command asked for."""


def key_of(definition: Definition, event: EventInput) -> str:
    """The ``enter.key`` value of an event, ``""`` where it has none."""
    name = definition.enter.key
    value = event_view(event).get(name) if name else None
    return "" if value is None else str(value)[:_LONGEST_KEY]


def _refused(definition: Definition, profile: Profile, event: EventInput, now: datetime) -> str:
    if event.type not in definition.enter.on:
        return "not_the_trigger"
    if event.anonymous:
        return "anonymous"
    if event.mode != "live":
        return "not_live"
    if event.accepted_at - event.occurred_at > definition.entry_horizon:
        return "too_late"
    when, seen = definition.enter.when, event_view(event)
    try:
        holds = when is None or when.holds(Scope(profile, now, event=seen, trigger=seen))
    except ConditionError:
        return FAULTY
    return "" if holds else "condition"


def _known(definition: Definition, new: Enrollment, earlier: Sequence[Enrollment]) -> str:
    reenter = definition.enter.reenter
    if earlier and reenter == "never":
        return "already_entered"
    if any(one.id == new.id for one in earlier):
        return "repeated"
    running = [one for one in earlier if one.status == "waiting"]
    if running and reenter == "after_end":
        return "already_inside"
    if any(new.trigger.occurred_at < one.trigger.occurred_at for one in running):
        return "older_than_running"
    return ""


def _new(definition: Definition, ids: Ids, key: str, event: EventInput, now: datetime) -> Enrollment:
    fields = definition.trigger_fields()
    context = {name: value for name, value in event.context.items() if fields is None or name in fields}
    return Enrollment(
        id=enrollment_id(definition, ids, key, business_id(event)),
        workspace=ids.workspace,
        customer=ids.customer,
        journey=definition.id,
        version=definition.version,
        key=key,
        status="waiting",
        state=definition.start,
        visit=0,
        seq=0,
        entered_at=now,
        trigger=Trigger(event.id, event.type, event.occurred_at, event.order_id, event.cart_id, context),
        holdout=in_holdout(definition, ids.customer),
        goal_until=_goal_until(definition, event.occurred_at),
    )


def _goal_until(definition: Definition, since: datetime) -> datetime | None:
    if definition.goal is None:
        return None
    try:
        return since + definition.goal.within
    except OverflowError:  # a shop's clock may say the year 9999
        return datetime.max.replace(tzinfo=UTC)


def _begin(walk: Walk) -> None:
    begin(walk)
    goal = walk.definition.goal
    if goal is None:
        return
    found = remembered_goal(goal, walk.enrollment, walk.memory, walk.scope())
    if found is not None:
        walk.because("event", found.id).convert(found.occurred_at)


def _end_running(
    definition: Definition, earlier: Sequence[Enrollment], walk: Walk
) -> tuple[tuple[Enrollment, ...], tuple[Effect, ...]]:
    """End the running enrollments that a restart replaces (there is one at most, unless a plan made more)."""
    ended: list[Enrollment] = []
    effects: list[Effect] = []
    for one in earlier:
        if one.status == "waiting":
            leaving = Walk(definition, one, walk.profile, walk.memory, walk.now)
            leaving.because("entry", walk.cause_id).leave("restarted")
            ended.append(leaving.enrollment)
            effects.extend(leaving.effects)
    return tuple(ended), tuple(effects)
