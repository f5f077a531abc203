"""Where a journey leads: its edges, the states that nobody reaches, and loops that never wait."""

from __future__ import annotations

from collections.abc import Mapping

from tabiji_journey.domain.definition import (
    Branch,
    End,
    SendState,
    Split,
    State,
    WaitEvent,
    WaitWindow,
)

_MAY_NOT_WAIT = (SendState, WaitWindow, Branch, Split)


def targets(state: State) -> tuple[str, ...]:
    """The states that one can be left for, each once, in the order of the document."""
    match state:
        case SendState():
            found = [state.next, state.on_suppressed, state.on_failed, state.on_unknown]
        case WaitEvent():
            found = [state.then, state.on_timeout]
        case Branch():
            found = [*(target for _, target in state.cases), state.otherwise]
        case Split():
            found = [arm.next for arm in state.arms]
        case End():
            found = []
        case _:
            found = [state.next]
    return tuple(dict.fromkeys(found))


def reachable(states: Mapping[str, State], start: str) -> frozenset[str]:
    """The states that can be reached from ``start``, itself among them."""
    seen: set[str] = set()
    open_ = [start]
    while open_:
        name = open_.pop()
        if name in states and name not in seen:
            seen.add(name)
            open_.extend(targets(states[name]))
    return frozenset(seen)


def loops_without_wait(states: Mapping[str, State]) -> frozenset[str]:
    """States from which one can come back to themselves without ever having to wait.

    A send does not count as a wait: a holdout customer passes it at once.
    """
    quick = {name: state for name, state in states.items() if isinstance(state, _MAY_NOT_WAIT)}
    return frozenset(
        name for name, state in quick.items() if any(name in reachable(quick, target) for target in targets(state))
    )
