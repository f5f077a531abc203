"""The journeys of one workspace as they run now, and every published version of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tabiji_journey.domain import needs
from tabiji_journey.domain.definition import Definition, Need
from tabiji_journey.domain.model import Enrollment


@dataclass(frozen=True, slots=True)
class Running:
    """A journey: the version that people enter now, its number, and why it is paused (empty: it is not)."""

    definition: Definition
    number: int
    paused: str = ""


@dataclass(frozen=True)
class Catalog:
    """What a workspace runs. ``versions`` holds every published version that can be read.

    ``unreadable`` names the others: who is on one of those waits for code that can read it.
    """

    journeys: Mapping[str, Running] = field(default_factory=dict)
    versions: Mapping[tuple[str, int], Definition] = field(default_factory=dict)
    unreadable: frozenset[tuple[str, int]] = frozenset()

    def definition(self, enrollment: Enrollment) -> Definition | None:
        """The version that this enrollment is on."""
        return self.versions.get((enrollment.journey, enrollment.version))

    def paused(self, journey: str) -> bool:
        """Whether nobody may enter or move on in time: paused, or no longer readable."""
        running = self.journeys.get(journey)
        return running is None or bool(running.paused)

    @cached_property
    def unreadable_running(self) -> tuple[tuple[str, int], ...]:
        """The versions of running journeys that cannot be read."""
        return tuple(sorted(one for one in self.unreadable if one[0] in self.journeys))

    @cached_property
    def needs(self) -> Mapping[str, Need]:
        """Every event type that any version names, with what memory must keep of it."""
        return needs.merged(self.versions.values())

    @cached_property
    def triggers(self) -> Mapping[str, tuple[Running, ...]]:
        """By event type, the journeys that it may begin, the most important first."""
        found: dict[str, list[Running]] = {}
        for running in sorted(self.journeys.values(), key=lambda j: (-j.definition.priority, j.definition.id)):
            for event_type in running.definition.enter.on:
                found.setdefault(event_type, []).append(running)
        return {event_type: tuple(journeys) for event_type, journeys in found.items()}
