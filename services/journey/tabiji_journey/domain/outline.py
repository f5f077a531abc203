"""A definition as a picture of it needs it: states, what each does, and the ways that lead on, as plain values."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import Any

from tabiji_journey.domain.definition import (
    WHOLE,
    Branch,
    Definition,
    End,
    SendState,
    Split,
    State,
    WaitEvent,
    WaitFor,
    WaitUntil,
    WaitWindow,
)
from tabiji_journey.domain.loader import DefinitionError, load

Row = dict[str, Any]


@lru_cache(maxsize=256)
def outline_of(source: str, version: int, file: str) -> Row:
    """The outline of a published document, which never changes; without states where this code cannot read it."""
    try:
        return outline(load(source, version=version, file=file))
    except DefinitionError:
        return {"start": "", "goal": None, "holdout": 0.0, "exits": [], "states": []}


def outline(definition: Definition) -> Row:
    """``states`` in the order of the document, each with its ``kind`` and its ``ways``: ``to``, and ``by`` what.

    ``holdout`` and the shares of arms are fractions; times are seconds.
    """
    goal = definition.goal
    return {
        "start": definition.start,
        "goal": {"on": list(goal.on), "within": int(goal.within.total_seconds())} if goal else None,
        "holdout": definition.holdout / WHOLE,
        "exits": [rule.reason for rule in definition.exit],
        "states": [{"state": name, **_told(state)} for name, state in definition.states.items()],
    }


def _told(state: State) -> Row:
    match state:
        case SendState():
            told = _send(state)
        case Branch():
            cases = [(target, f"case {n}") for n, (_, target) in enumerate(state.cases, start=1)]
            told = {"kind": "branch", "ways": _ways([*cases, (state.otherwise, "otherwise")])}
        case Split():
            arms = [{"to": arm.next, "by": arm.name, "share": arm.share / WHOLE} for arm in state.arms]
            told = {"kind": "split", "ways": arms}
        case End():
            told = {"kind": "end", "reason": state.reason, "ways": []}
        case _:
            told = _waits(state)
    return told


def _send(state: SendState) -> Row:
    ways = [
        (state.next, "sent"),
        (state.on_suppressed, "suppressed"),
        (state.on_failed, "failed"),
        (state.on_unknown, "unknown"),
    ]
    return {"kind": "send", "channel": state.channel, "template": state.template, "ways": _ways(ways)}


def _waits(state: WaitFor | WaitUntil | WaitWindow | WaitEvent) -> Row:
    match state:
        case WaitFor():
            return _wait("for", [(state.next, "time")], seconds=_seconds(state.duration.flat))
        case WaitUntil():
            return _wait("until", [(state.next, "time")], at=f"{state.at:%H:%M}", weekdays=sorted(state.weekdays))
        case WaitWindow():
            return _wait("window", [(state.next, "time")], weekdays=sorted(state.weekdays))
        case WaitEvent():
            ways = [(state.then, "event"), (state.on_timeout, "timeout")]
            return _wait("event", ways, on=list(state.on), seconds=_seconds(state.timeout.flat))


def _wait(wait: str, ways: list[tuple[str, str]], **more: Any) -> Row:
    return {"kind": "wait", "wait": wait, **more, "ways": _ways(ways)}


def _ways(ways: list[tuple[str, str]]) -> list[Row]:
    return [{"to": to, "by": by} for to, by in ways]


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())
