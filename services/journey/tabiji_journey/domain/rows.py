"""The rows of a journey document -> states."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tabiji_common.events import ENGAGEMENT_EVENTS
from tabiji_journey.domain.civil import Window
from tabiji_journey.domain.conditions import Condition
from tabiji_journey.domain.definition import (
    WHOLE,
    Arm,
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
from tabiji_journey.domain.document import Part
from tabiji_journey.domain.durations import Duration

CHANNELS = ("email", "line", "sms", "post", "phone", "webhook")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NAME = r"[a-z][a-z0-9_]{0,62}"
NAME_RULE = "must be lower case letters, digits and _, beginning with a letter"
TEMPLATE = r"[a-z0-9][a-z0-9_-]{0,63}"
EVENT_RULE = "must be the exact name of an event (patterns are not supported)"
UNKNOWN_WAIT = Duration(seconds=3600)


@dataclass(frozen=True, slots=True)
class Context:
    """What rows refer to: the names of all states, and the journey's own default."""

    states: frozenset[str]
    max_lateness: timedelta


def read_state(name: str, part: Part, context: Context) -> State | None:
    """One row; ``None`` (and its problems noted) where its kind cannot be told."""
    kinds = [kind for kind in KINDS if isinstance(part.value, dict) and kind in part.value]
    if len(kinds) != 1:
        part.fail(f"must have exactly one of {', '.join(KINDS)}")
        return None
    return KINDS[kinds[0]](name, part, context)


def read_events(part: Part) -> tuple[str, ...]:
    """One event name or a list of them."""
    names = tuple(one.text(pattern=r"[^*\n]{1,100}", rule=EVENT_RULE) for one in part.parts())
    if part.given and not names:
        part.fail("must name at least one event")
    return names


def read_match(part: Part) -> Any:
    """``order``, ``cart`` or nothing."""
    return part.choice(("order", "cart")) if part.given else None


def _target(part: Part, context: Context, default: str | None = None) -> str:
    name = part.text(default, pattern=NAME, rule=NAME_RULE)
    if part.given and name and name not in context.states:
        part.fail(f"unknown state {name!r}")
    return name


def _send(name: str, part: Part, context: Context) -> State:
    edges = ("on_suppressed", "on_failed", "on_unknown")
    part.mapping(required=("send", "next"), optional=(*edges, "max_lateness", "unknown_wait"))
    send = part["send"]
    send.mapping(required=("channel", "template"), optional=("class", "provider", "variables"))
    onward = _target(part["next"], context)
    suppressed, failed, unknown = (_target(part[edge], context, onward) for edge in edges)
    lateness = part["max_lateness"]
    return SendState(
        name=name,
        channel=send["channel"].choice(CHANNELS),
        template=send["template"].text(pattern=TEMPLATE, rule="must be lower case letters, digits, - and _"),
        next=onward,
        on_suppressed=suppressed,
        on_failed=failed,
        on_unknown=unknown,
        max_lateness=lateness.duration().flat if lateness.given else context.max_lateness,
        unknown_wait=part["unknown_wait"].duration(UNKNOWN_WAIT).flat,
        message_class=send["class"].choice(("marketing", "transactional"), "marketing"),
        provider=send["provider"].text() if send["provider"].given else None,
        variables=_variables(send["variables"]),
    )


def _variables(part: Part) -> Mapping[str, Any]:
    if not part.given:
        return {}
    return {name: _variable(one) for name, one in part.items()}


def _variable(part: Part) -> Any:
    if isinstance(part.value, dict):
        part.mapping(required=("cel",))
        return part["cel"].condition()
    if not isinstance(part.value, str | int | float | bool):
        part.fail("must be a text, a number, true or false, or {cel: …}")
    return part.value


def _wait(name: str, part: Part, context: Context) -> State | None:
    wait = part["wait"]
    given = set(wait.value) if isinstance(wait.value, dict) else set()
    if "for" in given and ("timeout" in given or not _looks_like_duration(wait["for"].value)):
        return _wait_event(name, part, wait, context)
    kinds = given & {"for", "until", "window"}
    if len(kinds) > 1 or not given & {"for", "until", "window", "weekdays"}:
        wait.fail("must have exactly one of for, until, window (or weekdays alone)")
        return None
    part.mapping(required=("wait", "next"))
    onward = _target(part["next"], context)
    if "for" in given:
        wait.mapping(required=("for",))
        return WaitFor(name, wait["for"].duration(), onward)
    days = frozenset(WEEKDAYS.index(one.choice(WEEKDAYS)) for one in wait["weekdays"].parts())
    if "until" in given:
        wait.mapping(required=("until",), optional=("weekdays",))
        return WaitUntil(name, wait["until"].clock(), days, onward)
    wait.mapping(optional=("window", "weekdays"))
    return WaitWindow(name, _window(wait["window"]), days, onward)


def _looks_like_duration(value: Any) -> bool:
    return isinstance(value, str) and re.match(r"\d|P\d|PT\d", value) is not None


def _wait_event(name: str, part: Part, wait: Part, context: Context) -> State:
    part.mapping(required=("wait", "then", "on_timeout"))
    wait.mapping(required=("for", "timeout"), optional=("when", "of", "match", "since"))
    on = read_events(wait["for"])
    of = _target(wait["of"], context) if wait["of"].given else None
    if of is not None:
        for event_type in on:
            if event_type not in ENGAGEMENT_EVENTS:
                wait["of"].fail(f"{event_type!r} does not answer a message")
        for other in ("match", "since"):
            if wait[other].given:
                wait[other].fail("cannot stand beside of")
    return WaitEvent(
        name=name,
        on=on,
        timeout=wait["timeout"].duration(),
        then=_target(part["then"], context),
        on_timeout=_target(part["on_timeout"], context),
        when=wait["when"].condition(),
        of=of,
        match=read_match(wait["match"]),
        since=wait["since"].choice(("trigger", "wait"), "trigger"),
    )


def _window(part: Part) -> Window | None:
    if not part.given:
        return None
    start, dash, end = part.value.partition("-") if isinstance(part.value, str) else ("", "", "")
    if not dash:
        part.fail('must be local times like "10:00-18:00"')
        return None
    first, last = (Part(text.strip(), part.path, part.book).clock() for text in (start, end))
    if first == last:
        part.fail("must not be empty")
    return Window(first, last)


def _branch(name: str, part: Part, context: Context) -> State:
    part.mapping(required=("branch", "else"))
    cases: list[tuple[Condition, str]] = []
    if not isinstance(part["branch"].value, list) or not part["branch"].value:
        part["branch"].fail("must be a list of {when, next}")
    for case in part["branch"].parts():
        case.mapping(required=("when", "next"))
        when = case["when"].condition()
        if when is not None:
            cases.append((when, _target(case["next"], context)))
    return Branch(name, tuple(cases), _target(part["else"], context))


def _split(name: str, part: Part, context: Context) -> State:
    arms = []
    split = part["split"]
    for arm, share in split.items():
        Part(arm, share.path, share.book).text(pattern=rf"(?!split$){NAME}", rule=NAME_RULE)
        if not part[arm].given:
            part[arm].fail("is missing: every arm leads somewhere")
        arms.append(Arm(arm, share.share(), _target(part[arm], context)))
    part.mapping(required=("split",), optional=[arm.name for arm in arms])
    if arms and sum(arm.share for arm in arms) != WHOLE:
        split.fail("percentages must add up to 100%")
    return Split(name, tuple(arms))


def _end(name: str, part: Part, context: Context) -> State:  # noqa: ARG001 - a row of the table
    part.mapping(required=("end",))
    reason = part["end"]
    if reason.value is True:
        return End(name, name)
    return End(name, reason.text(pattern=NAME, rule=f"must be true or a reason; a reason {NAME_RULE}"))


KINDS: Mapping[str, Callable[[str, Part, Context], State | None]] = {
    "send": _send,
    "wait": _wait,
    "branch": _branch,
    "split": _split,
    "end": _end,
}
"""How a row is read, by the key that tells its kind."""
