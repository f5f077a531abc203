"""What live definitions need memory to keep, and under which keys an event goes into it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tabiji_journey.domain.conditions import Condition
from tabiji_journey.domain.definition import Branch, Definition, Need, SendState, WaitEvent
from tabiji_journey.domain.model import Correlation, EventInput

_ALWAYS = frozenset({"type", "occurred_at"})

_Rule = tuple[tuple[str, ...], str, Condition | None]


def merged(definitions: Iterable[Definition]) -> Mapping[str, Need]:
    """The needs of all live definitions together."""
    total: dict[str, Need] = {}
    for definition in definitions:
        for event_type, need in definition.event_types().items():
            total[event_type] = _both(total.get(event_type, Need()), need)
    return total


def memory_keys(needs: Mapping[str, Need], event: EventInput) -> tuple[Correlation | None, ...]:
    """The correlations under which memory keeps ``event`` (``None`` is the type alone).

    Empty: not at all. Opens and clicks of machines are not kept.
    """
    need = needs.get(event.type)
    if need is None or event.machine:
        return ()
    named = {"cart": event.cart_id or "", "order": event.order_id or "", "message": event.message_key}
    keys: list[Correlation | None] = []
    for kind in sorted(need.correlations):
        value = named.get(kind)
        if not kind:
            keys.append(None)
        elif value is not None:
            keys.append((kind, value))
    return tuple(keys)


def memory_context(needs: Mapping[str, Need], event: EventInput) -> dict[str, Any]:
    """The part of the event's context that memory must keep."""
    need = needs.get(event.type, Need())
    if need.fields is None:
        return dict(event.context)
    return {name: event.context[name] for name in sorted(need.fields) if name in event.context}


def needs_of(definition: Definition) -> Mapping[str, Need]:
    """Every event type that one definition names, with what memory must keep of it."""
    total = dict.fromkeys(definition.enter.on, Need())
    for on, correlation, when in _rules(definition):
        kinds = {correlation} if correlation in {"", "message"} else {correlation, ""}
        need = Need(frozenset(kinds), when.fields_of("event") if when else frozenset())
        for event_type in on:
            total[event_type] = _both(total.get(event_type, Need()), need)
    return total


def trigger_fields_of(definition: Definition) -> frozenset[str] | None:
    """The fields of the entering event that are read after the entry; ``None`` means all."""
    enter = definition.enter.when
    named = [enter.fields_of("event")] if enter else []
    named.extend(condition.fields_of("trigger") for condition in _conditions(definition))
    total: set[str] = set()
    for fields in named:
        if fields is None:
            return None
        total |= fields
    return frozenset(total) - _ALWAYS


def _rules(definition: Definition) -> Iterator[_Rule]:
    for rule in definition.exit:
        yield rule.on, rule.match or "", rule.when
    if definition.goal:
        yield definition.goal.on, definition.goal.match or "", definition.goal.when
    for state in definition.states.values():
        if isinstance(state, WaitEvent):
            yield state.on, "message" if state.of else state.match or "", state.when


def _conditions(definition: Definition) -> Iterator[Condition]:
    if definition.enter.when:
        yield definition.enter.when
    for _, _, when in _rules(definition):
        if when:
            yield when
    for state in definition.states.values():
        if isinstance(state, Branch):
            yield from (condition for condition, _ in state.cases)
        if isinstance(state, SendState):
            yield from (part for part in state.variables.values() if isinstance(part, Condition))


def _both(left: Need, right: Need) -> Need:
    fields = None if left.fields is None or right.fields is None else left.fields | right.fields
    return Need(left.correlations | right.correlations, fields)
