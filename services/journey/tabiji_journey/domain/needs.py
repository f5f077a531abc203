"""What live definitions need memory to keep, and under which keys an event goes into it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tabiji_journey.domain.definition import Definition, Need
from tabiji_journey.domain.model import Correlation, EventInput


def merged(definitions: Iterable[Definition]) -> Mapping[str, Need]:
    """The needs of all live definitions together."""
    raise NotImplementedError


def memory_keys(needs: Mapping[str, Need], event: EventInput) -> tuple[Correlation | None, ...]:
    """The correlations under which memory keeps ``event`` (``None`` is the type alone); empty: not at all.

    Opens and clicks of machines are not kept.
    """
    raise NotImplementedError


def memory_context(needs: Mapping[str, Need], event: EventInput) -> dict[str, Any]:
    """The part of the event's context that memory must keep."""
    raise NotImplementedError


def needs_of(definition: Definition) -> Mapping[str, Need]:
    """Every event type that one definition names, with what memory must keep of it."""
    raise NotImplementedError


def trigger_fields_of(definition: Definition) -> frozenset[str] | None:
    """The fields of the entering event that are read after the entry; ``None`` means all."""
    raise NotImplementedError
