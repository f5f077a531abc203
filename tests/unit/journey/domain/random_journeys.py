"""Random journeys and random things that happen to them, for the property tests."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tabiji_journey.domain.definition import Definition
from tabiji_journey.domain.graph import reachable
from tabiji_journey.domain.loader import load
from tabiji_journey.domain.model import (
    CommandInput,
    Enrollment,
    EventInput,
    Input,
    OutcomeInput,
    OutcomeState,
    TimerInput,
    TimerKind,
)
from tests.unit.journey.domain.road import START, Shopper

TYPES = ("hello", "bye", "order_completed", "viewed", "email_opened")
KINDS: tuple[TimerKind, ...] = ("wake", "timeout", "deadline", "unknown_wait")
STATES: tuple[OutcomeState, ...] = ("sent", "sent", "suppressed", "failed", "unknown", "delivered")
IDS = (None, "1", "2")
durations = st.sampled_from(["1m", "4h", "1d", "2w", "1d12h", "PT1S"])
conditions = st.sampled_from(
    [
        "true",
        "false",
        "customer.order_count > 1",
        "event.n == 1",
        "trigger.n == 1",
        "event.n > 1",  # fails where n is null or a text
        "trigger.list[2] == 'x'",  # fails where it is short
        "has(event.n) && event.n == 2",
        "enrollment.key == '1'",
        "now > timestamp('2026-05-01T00:00:00Z')",
        "customer.traits.plan == 'paid'",
        "1",  # never true or false
    ]
)
events = st.sampled_from(TYPES) | st.lists(st.sampled_from(TYPES), min_size=1, max_size=3)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping with some of these keys."""
    return st.fixed_dictionaries({}, optional=fields)


def _send(draw: st.DrawFn, later: st.SearchStrategy[str]) -> dict[str, Any]:
    send: dict[str, Any] = {"channel": draw(st.sampled_from(["email", "line"])), "template": "t"}
    if draw(st.integers(0, 4)) == 0:
        send["class"] = "transactional"
    if draw(st.integers(0, 4)) == 0:
        send["variables"] = {"v": {"cel": draw(conditions)}, "w": 1}
    edges = draw(some(on_suppressed=later, on_failed=later, on_unknown=later, max_lateness=durations))
    return {"send": send, "next": draw(later), **edges}


def _wait(draw: st.DrawFn, anywhere: st.SearchStrategy[str], later: st.SearchStrategy[str]) -> dict[str, Any]:
    days = st.lists(st.sampled_from(["mon", "wed", "sun"]), max_size=2)
    match draw(st.integers(0, 4)):
        case 0:
            return {"wait": {"for": draw(durations)}, "next": draw(anywhere)}
        case 1:
            return {"wait": {"until": draw(st.sampled_from(["00:00", "10:00", "23:59"])), "weekdays": draw(days)},
                    "next": draw(anywhere)}  # fmt: skip
        case 2:
            window = draw(st.sampled_from(["08:00-10:00", "22:00-02:00"]))
            return {"wait": {"window": window, "weekdays": draw(days)}, "next": draw(later)}
        case _:
            more = draw(
                some(
                    when=conditions,
                    match=st.sampled_from(["order", "cart"]),
                    since=st.sampled_from(["trigger", "wait"]),
                )
            )
            wait = {"for": draw(events), "timeout": draw(durations), **more}
            return {"wait": wait, "then": draw(anywhere), "on_timeout": draw(anywhere)}


def _row(draw: st.DrawFn, number: int, count: int) -> dict[str, Any]:
    """A row that leads anywhere where it waits and only onward where it does not."""
    anywhere = st.integers(1, count).map(lambda n: f"s{n}")
    later = st.integers(number + 1, count).map(lambda n: f"s{n}")
    match draw(st.integers(0, 6)):
        case 0 | 1:
            return _send(draw, later)
        case 2 | 3 | 4:
            return _wait(draw, anywhere, later)
        case 5:
            cases = [{"when": draw(conditions), "next": draw(later)} for _ in range(draw(st.integers(1, 3)))]
            return {"branch": cases, "else": draw(later)}
        case _:
            return {"split": {"a": "50%", "b": "30%", "c": "20%"}, "a": draw(later), "b": draw(later), "c": draw(later)}


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    """A journey that the loader takes; a part of the sends is answered by a wait ``of`` them."""
    count = draw(st.integers(1, 7))
    rows = {f"s{number}": _row(draw, number, count) for number in range(count)}
    rows[f"s{count}"] = {"end": True}
    sends = [name for name, row in rows.items() if "send" in row]
    for row in rows.values():
        if sends and "then" in row and draw(st.booleans()):
            row["wait"] = {"for": "email_opened", "of": draw(st.sampled_from(sends)), "timeout": row["wait"]["timeout"]}
    document = {
        "id": "random",
        "enter": {
            "on": draw(events),
            **draw(some(when=conditions, key=st.sampled_from(["cart_id", "n"]),
                        reenter=st.sampled_from(["never", "after_end", "restart"]))),
        },
        "holdout": draw(st.sampled_from(["0%", "30%", "100%"])),
        "start": "s0",
        "states": rows,
        **draw(some(
            exit=st.lists(some(when=conditions, match=st.sampled_from(["order", "cart"])).flatmap(
                lambda more: events.map(lambda on: {"on": on, **more})), max_size=2),
            goal=events.map(lambda on: {"on": on, "within": "9d"}),
            timezone=st.sampled_from(["Asia/Tokyo", "America/New_York", "Australia/Lord_Howe"]),
        )),
    }  # fmt: skip
    return load(json.dumps(_pruned(document)))


def _pruned(document: dict[str, Any]) -> dict[str, Any]:
    """Without the rows that nobody reaches, and waits ``of`` a send that went with them."""
    shape = _edges(document["states"])
    seen = {"s0"}
    while more := {target for name in seen for target in shape[name]} - seen:
        seen |= more
    states = {name: row for name, row in document["states"].items() if name in seen}
    for row in states.values():
        if isinstance(row.get("wait"), dict) and row["wait"].get("of", "s0") not in states:
            del row["wait"]["of"]
        if isinstance(row.get("wait"), dict) and "send" not in states.get(row["wait"].get("of", ""), {"send": 1}):
            del row["wait"]["of"]
    return {**document, "states": states}


def _edges(states: dict[str, Any]) -> dict[str, set[str]]:
    def words(value: Any) -> set[str]:
        if isinstance(value, dict):
            return set().union(*map(words, (part for name, part in value.items() if name != "of")))
        if isinstance(value, list):
            return set().union(*map(words, value))
        return {value} if isinstance(value, str) and value in states else set()

    return {name: words(row) for name, row in states.items()}


instants = st.integers(-40 * 24 * 60, 40 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes))
far = st.sampled_from(
    [datetime(1970, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)]
)
values = st.none() | st.integers(0, 2) | st.sampled_from(["x", 2**70, 1.5]) | st.lists(st.just("x"), max_size=3)
shoppers = st.builds(
    Shopper,
    order_count=st.integers(0, 3),
    traits=st.sampled_from([{}, {"plan": "paid"}]),
    timezone=st.sampled_from([None, "Europe/London", "Not/AZone"]),
)
happenings = st.builds(
    EventInput,
    id=st.integers(0, 30).map(lambda n: f"e{n}"),
    type=st.sampled_from(TYPES),
    occurred_at=instants | far,
    accepted_at=instants,
    context=some(n=values, list=values),
    order_id=st.sampled_from(IDS),
    cart_id=st.sampled_from(IDS),
    machine=st.sampled_from([False, False, False, True]),
    mode=st.sampled_from(["live", "live", "live", "backfill"]),
)


@st.composite
def inputs(draw: st.DrawFn, enrollment: Enrollment, now: datetime) -> Input:
    """Something that may come next: often what the enrollment waits for, sometimes nonsense."""
    keys = [message.message_key for message in enrollment.messages.values()] or ["nobody's"]
    match draw(st.integers(0, 9)):
        case 0 | 1 | 2:
            event = draw(happenings)
            return EventInput(
                event.id, event.type, event.occurred_at, now, event.context, event.order_id, event.cart_id,
                draw(st.sampled_from([*keys, None])), event.machine, event.mode,
            )  # fmt: skip
        case 3 | 4 | 5 if enrollment.timer:
            late = draw(st.sampled_from([None, timedelta(hours=36)]))
            due = enrollment.timer.due_at
            return TimerInput(due, enrollment.timer.kind, enrollment.visit, due + late if late else None)
        case 6:
            kind = draw(st.sampled_from(KINDS))
            return TimerInput(draw(instants), kind, draw(st.integers(0, 5)))
        case 7:
            return CommandInput(draw(st.sampled_from(["exit", "pause", "resume", "revoke", "pause", "resume"])), "c")
        case _:
            state = draw(st.sampled_from(STATES))
            return OutcomeInput(draw(st.sampled_from(keys)), state, draw(instants), "why", "o")


def is_reachable(definition: Definition) -> bool:
    """Every state is."""
    return reachable(definition.states, definition.start) == set(definition.states)
