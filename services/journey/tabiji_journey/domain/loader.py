"""A journey document (YAML or JSON) -> Definition, or every problem in it with file, line and rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tabiji_journey.domain.civil import valid_zone
from tabiji_journey.domain.definition import Definition, End, Enter, ExitRule, Goal, SendState, State
from tabiji_journey.domain.document import DefinitionError, Part, Problem, read
from tabiji_journey.domain.durations import Duration
from tabiji_journey.domain.graph import loops_without_wait, reachable
from tabiji_journey.domain.rows import NAME, NAME_RULE, Context, read_events, read_match, read_state

__all__ = ["DefinitionError", "Problem", "Shop", "load", "load_file"]

MOST_STATES = 200
_ID = r"[a-z0-9][a-z0-9-]{0,62}"
_FIELD = r"[A-Za-z_][A-Za-z0-9_]{0,62}"
_A_DAY = Duration(1)
_OPTIONAL = (
    *("name", "description", "priority", "timezone", "exit", "goal", "holdout"),
    *("entry_horizon", "max_lateness"),
)


@dataclass(frozen=True, slots=True)
class Shop:
    """What a definition takes from its workspace: the zone of its civil times and its longest quiet hours."""

    timezone: str = "Asia/Tokyo"
    quiet_hours: timedelta = timedelta(hours=11)


_SHOP = Shop()
_BODIES = {
    "email": ("body.mjml", "body.html"),
    "line": ("body.line.txt", "body.line.json", "body.txt"),
}
_ANY_BODY = ("body.txt", "body.mjml", "body.html")


def load(
    text: str, *, version: int = 1, file: str = "<journey>", shop: Shop = _SHOP, templates: Path | None = None
) -> Definition:
    """Read one document. With ``templates``, the folder that holds ``<journey>/<template>/``, the files must exist.

    Raises ``DefinitionError``.
    """
    document = read(text, file)
    document.mapping(required=("id", "enter", "start", "states"), optional=_OPTIONAL)
    definition = _definition(document, version, shop)
    if isinstance(document["states"].value, dict):
        _check_graph(document, definition)
    if templates is not None:
        _check_templates(document, definition, templates)
    if document.book.problems:
        raise DefinitionError(document.book.problems)
    return definition


def load_file(path: Path, *, version: int = 1, shop: Shop = _SHOP) -> Definition:
    """Read ``journeys/<id>.yaml`` with its templates in the folder beside it.

    Raises ``DefinitionError``, ``OSError`` and ``UnicodeDecodeError``.
    """
    text = path.read_text(encoding="utf-8")
    return load(text, version=version, file=path.name, shop=shop, templates=path.parent)


def _definition(document: Part, version: int, shop: Shop) -> Definition:
    zone = document["timezone"].text(shop.timezone)
    if document["timezone"].given and not valid_zone(zone):
        document["timezone"].fail(f"unknown time zone {zone!r}")
    return Definition(
        id=document["id"].text(pattern=_ID, rule="must be lower case letters, digits and -"),
        version=version,
        name=document["name"].text(document["id"].text("")),
        enter=_enter(document["enter"]),
        start=document["start"].text(pattern=NAME, rule=NAME_RULE),
        states=_states(document),
        exit=tuple(_exit(part) for part in document["exit"].parts()),
        goal=_goal(document["goal"]) if document["goal"].given else None,
        holdout=document["holdout"].share(),
        priority=document["priority"].whole(0),
        timezone=zone,
        entry_horizon=document["entry_horizon"].duration(_A_DAY).flat,
        quiet_hours=shop.quiet_hours,
    )


def _enter(part: Part) -> Enter:
    part.mapping(required=("on",), optional=("when", "key", "reenter"))
    key = part["key"]
    return Enter(
        on=read_events(part["on"]),
        when=part["when"].condition(),
        key=key.text(pattern=_FIELD, rule="must be the name of a field of the event") if key.given else None,
        reenter=part["reenter"].choice(("never", "after_end", "restart"), "never"),
    )


def _exit(part: Part) -> ExitRule:
    part.mapping(required=("on",), optional=("when", "as", "match"))
    reason = part["as"].text("exited", pattern=NAME, rule=NAME_RULE)
    return ExitRule(read_events(part["on"]), reason, part["when"].condition(), read_match(part["match"]))


def _goal(part: Part) -> Goal:
    part.mapping(required=("on", "within"), optional=("when", "match"))
    within = part["within"].duration().flat
    return Goal(read_events(part["on"]), within, part["when"].condition(), read_match(part["match"]))


def _states(document: Part) -> Mapping[str, State]:
    part = document["states"]
    rows = dict(part.items())
    if len(rows) > MOST_STATES:
        part.fail(f"must be at most {MOST_STATES}")
    for name, row in rows.items():
        Part(name, row.path, row.book).text(pattern=NAME, rule=NAME_RULE)
    context = Context(frozenset(rows), document["max_lateness"].duration(_A_DAY).flat)
    states = ((name, read_state(name, row, context)) for name, row in rows.items())
    found = {name: state for name, state in states if state is not None}
    for name, state in found.items():
        of = getattr(state, "of", None)
        if of and not isinstance(found.get(of), SendState):
            rows[name]["wait"]["of"].fail(f"{of!r} is no send state")
    return found


def _check_graph(document: Part, definition: Definition) -> None:
    rows, start = document["states"], document["start"]
    if definition.start and definition.start not in rows.value:
        start.fail(f"unknown state {definition.start!r}")
    elif isinstance(definition.states.get(definition.start), End):
        start.fail("must not be an end")
    seen = reachable(definition.states, definition.start)
    for name in definition.states:
        if name not in seen:
            rows[name].fail("is never reached")
    for name in sorted(loops_without_wait(definition.states)):
        rows[name].fail("is part of a loop without a wait")


def _check_templates(document: Part, definition: Definition, folder: Path) -> None:
    for name, state in definition.states.items():
        if not isinstance(state, SendState) or not state.template or not definition.id:
            continue
        there = folder / definition.id / state.template
        bodies = _BODIES.get(state.channel, _ANY_BODY)
        part = document["states"][name]["send"]["template"]
        if state.channel == "email":
            for file in ("subject.liquid", "body.txt"):
                if not (there / file).is_file():
                    part.fail(f"{definition.id}/{state.template}/{file} does not exist")
        if not any((there / file).is_file() for file in bodies):
            part.fail(f"{definition.id}/{state.template} has none of {', '.join(bodies)}")
        if state.channel == "email" and state.message_class == "marketing":
            for file in _without_way_out(there):
                part.fail(f"{definition.id}/{state.template}/{file} is marketing and lacks {{{{ unsubscribe_url }}}}")


def _without_way_out(template: Path) -> list[str]:
    """The bodies of a mail that never say how to unsubscribe."""
    there = [template / file for file in _ANY_BODY if (template / file).is_file()]
    return [path.name for path in there if "unsubscribe_url" not in path.read_text("utf-8")]
