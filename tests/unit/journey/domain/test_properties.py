"""Random journeys under random inputs: ``advance`` is pure and total, and nobody is lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tabiji_journey.domain.advance import advance, enter, revoke_check
from tabiji_journey.domain.definition import Definition, SendState
from tabiji_journey.domain.identity import message_key
from tabiji_journey.domain.model import (
    Cancel,
    Effect,
    Enrollment,
    Entered,
    EventInput,
    Ids,
    Moved,
    Send,
    TimerInput,
)
from tests.unit.journey.domain import random_journeys as some
from tests.unit.journey.domain.road import START, Remembered, Shopper, stored

STEPS = 12
thoroughly = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def moves(effects: tuple[Effect, ...]) -> list[Moved]:
    return [effect for effect in effects if isinstance(effect, Moved)]


def sends(effects: tuple[Effect, ...]) -> list[Send]:
    return [effect for effect in effects if isinstance(effect, Send)]


def check(definition: Definition, enrollment: Enrollment, now: datetime) -> None:
    """What holds of every enrollment at every time."""
    assert (enrollment.status == "waiting") == (enrollment.timer is not None)
    assert (enrollment.status == "waiting") == (enrollment.ended_at is None)
    assert (enrollment.status != "waiting") == bool(enrollment.exit_reason)
    assert enrollment.state in definition.states
    assert stored(enrollment) == enrollment
    for name, message in enrollment.messages.items():
        state = definition.states[name]
        assert isinstance(state, SendState)
        assert message.message_key == message_key(enrollment.id, name, message.visit, state.channel)


def check_step(before: Enrollment, after: Enrollment, effects: tuple[Effect, ...], now: datetime) -> None:
    """What holds of every step."""
    assert [moved.seq for moved in moves(effects)] == list(range(before.seq + 1, after.seq + 1))
    assert all(effect.enrollment == after.id for effect in effects)
    assert len(sends(effects)) <= 1
    assert not (after.holdout and sends(effects))
    if before.status != "waiting":
        assert sends(effects) == []
        frozen = ("status", "state", "visit", "timer", "exit_reason", "ended_at", "arms")
        assert all(getattr(before, name) == getattr(after, name) for name in frozen)
        assert all(moved.kind in {"converted", "corrected"} for moved in moves(effects))
    if before.goal_at is not None:
        assert after.goal_at == before.goal_at
    for moved in moves(effects):
        assert moved.kind != "moved" or moved.to_state is not None
    out = before.messages.get(before.state)
    if after.status == "exited" and before.status == "waiting" and out and out.visit == before.visit == after.visit:
        cancelled = [effect for effect in effects if isinstance(effect, Cancel)]
        assert bool(cancelled) == (out.outcome in {None, "unknown"})
    if after.timer is not None and after.timer != before.timer:
        assert after.timer.due_at >= now


def begin(definition: Definition, profile: Shopper, memory: Remembered, **context: Any) -> Entered:
    """Enter by command, whatever the trigger and its condition."""
    return enter(
        definition,
        ids=Ids("shop", "c"),
        profile=profile,
        previous=(),
        memory=memory,
        event=EventInput("trigger", "enroll", START, START, context, "1", "1"),
        now=START,
        command_key="1",
    )


@given(st.data())
@thoroughly
def test_whatever_happens_nothing_raises_and_everyone_who_waits_has_one_timer(data: st.DataObject) -> None:
    definition = data.draw(some.definitions())
    assert some.is_reachable(definition)
    memory, now = Remembered(), START
    for earlier in data.draw(st.lists(some.happenings, max_size=3)):
        memory.keep(definition, earlier)
    profile = data.draw(some.shoppers)
    entered = begin(definition, profile, memory, n=data.draw(some.values))
    enrollment = entered.enrollment
    assert enrollment is not None
    check(definition, enrollment, now)
    assert [moved.seq for moved in moves(entered.effects)] == list(range(1, enrollment.seq + 1))
    keys = [send.message_key for send in sends(entered.effects)]
    for _ in range(STEPS):
        given_, now = _next(data, enrollment, now)
        if isinstance(given_, EventInput):
            memory.keep(definition, given_)
        changed, effects = advance(definition, enrollment, profile, given_, now, memory)
        assert (changed, effects) == advance(definition, enrollment, profile, given_, now, memory)
        again = stored(enrollment)
        assert (changed, effects) == advance(definition, again, profile, given_, now, memory)
        check(definition, changed, now)
        check_step(enrollment, changed, effects, now)
        keys.extend(send.message_key for send in sends(effects))
        assert revoke_check(definition, changed, profile) in {"", "entry_revoked", "definition_error"}
        profile = data.draw(st.just(profile) | some.shoppers)
        enrollment = changed
    assert len(keys) == len(set(keys))
    event(f"{enrollment.status} {enrollment.exit_reason}".strip())


def _next(data: st.DataObject, enrollment: Enrollment, now: datetime) -> tuple[Any, datetime]:
    given_ = data.draw(some.inputs(enrollment, now))
    if isinstance(given_, TimerInput):
        return given_, max(now, given_.due_at)
    return given_, now + timedelta(minutes=data.draw(st.integers(0, 3000)))


@given(some.definitions(), some.shoppers, st.lists(some.happenings, max_size=6))
@thoroughly
def test_any_trigger_enters_or_says_why_not(
    definition: Definition, profile: Shopper, happenings: list[EventInput]
) -> None:
    memory = Remembered()
    inside: dict[str, Enrollment] = {}
    for happening in happenings:
        memory.keep(definition, happening)
        given_ = enter(
            definition,
            ids=Ids("shop", "c"),
            profile=profile,
            previous=tuple(inside.values()),
            memory=memory,
            event=happening,
            now=happening.accepted_at,
        )
        assert (given_.enrollment is None) == bool(given_.refused)
        if given_.enrollment is None:
            assert given_.effects == ()
            continue
        assert given_.enrollment.id not in inside
        check(definition, given_.enrollment, happening.accepted_at)
        for ended in given_.restarted:
            assert (ended.status, ended.exit_reason) == ("exited", "restarted")
            inside[ended.id] = ended
        inside[given_.enrollment.id] = given_.enrollment
        running = [one.key for one in inside.values() if one.status == "waiting"]
        assert len(running) == len(set(running))


@given(some.definitions())
@thoroughly
def test_time_alone_brings_everyone_to_an_end_or_round_again(definition: Definition) -> None:
    """Without any event, timers fire one by one and nobody stands still: entered = waiting + finished + exited."""
    entered = begin(definition, Shopper(), Remembered(), n=1)
    enrollment = entered.enrollment
    assert enrollment is not None
    for _ in range(STEPS):
        if enrollment.timer is None:
            break
        due = enrollment.timer.due_at
        fired = TimerInput(due, enrollment.timer.kind, enrollment.visit)
        changed, _ = advance(definition, enrollment, Shopper(), fired, due, Remembered())
        assert changed.seq > enrollment.seq
        assert changed.timer is None or changed.timer.due_at >= due
        enrollment = changed
    assert enrollment.status in {"waiting", "finished", "exited"}
