"""One customer on the road of one journey, played by hand: a small stand-in for the live service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tabiji_journey.domain.advance import advance, enter
from tabiji_journey.domain.definition import Definition
from tabiji_journey.domain.loader import load
from tabiji_journey.domain.model import (
    Cancel,
    CommandInput,
    CommandKind,
    Correlation,
    Effect,
    Enrollment,
    Entered,
    EventInput,
    Ids,
    Input,
    Moved,
    Occurrence,
    OutcomeInput,
    OutcomeState,
    Progress,
    Send,
    TimerInput,
)
from tabiji_journey.domain.needs import memory_context, memory_keys

START = datetime(2026, 4, 6, 3, 0, tzinfo=UTC)  # a Monday, noon in Tokyo
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Shopper:
    """A profile."""

    order_count: int = 0
    total_minor: int = 0
    currency: str = ""
    totals_minor: Mapping[str, int] = field(default_factory=dict)
    first_order_at: datetime | None = None
    last_order_at: datetime | None = None
    products: tuple[str, ...] = ()
    traits: Mapping[str, Any] = field(default_factory=dict)
    consent: Mapping[str, bool] = field(default_factory=dict)
    timezone: str | None = None


def stored(enrollment: Enrollment) -> Enrollment:
    """As it comes back from its row: its columns, and its progress as JSON."""
    columns = {*Enrollment.__struct_fields__} - {*Progress.__struct_fields__}
    return Enrollment.of_row(enrollment.progress(), **{name: getattr(enrollment, name) for name in columns})


class Remembered:
    """A memory without a limit."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, Correlation | None], Occurrence] = {}

    def last(self, event_type: str, correlation: Correlation | None = None) -> Occurrence | None:
        return self.kept.get((event_type, correlation))

    def keep(self, definition: Definition, event: EventInput) -> None:
        needs = definition.event_types()
        seen = Occurrence(event.occurred_at, event.id, event.order_id, memory_context(needs, event), event.cart_id)
        for correlation in memory_keys(needs, event):
            known = self.kept.get((event.type, correlation))
            if known is None or known.occurred_at <= seen.occurred_at:
                self.kept[event.type, correlation] = seen


class Road:
    """Plays events and time; answers every send at once with ``outcome`` (``None``: not at all)."""

    def __init__(
        self,
        text: str,
        *,
        customer: str = "hana",
        profile: Shopper | None = None,
        outcome: OutcomeState | None = "sent",
    ) -> None:
        self.definition = load(text)
        self.ids = Ids("shop", customer)
        self.profile = profile or Shopper()
        self.outcome = outcome
        self.memory = Remembered()
        self.now = START
        self.enrollments: dict[str, Enrollment] = {}
        self.effects: list[Effect] = []
        self.count = 0

    @property
    def sends(self) -> list[Send]:
        return [effect for effect in self.effects if isinstance(effect, Send)]

    @property
    def cancels(self) -> list[Cancel]:
        return [effect for effect in self.effects if isinstance(effect, Cancel)]

    @property
    def moves(self) -> list[Moved]:
        return [effect for effect in self.effects if isinstance(effect, Moved)]

    @property
    def templates(self) -> list[str]:
        return [send.template.partition("/")[2] for send in self.sends]

    @property
    def path(self) -> list[str]:
        """Every state that was entered, in order."""
        return [moved.to_state or "" for moved in self.moves if moved.kind in {"entered", "moved", "finished"}]

    @property
    def only(self) -> Enrollment:
        (enrollment,) = self.enrollments.values()
        return enrollment

    def event(self, type_: str, *, at: datetime | None = None, id_: str = "", **context: Any) -> Entered:
        """Something happens (``at`` for what happened at another time), is remembered and applied."""
        self.count += 1
        named = {name: context.pop(name, None) for name in ("order_id", "cart_id", "message_key")}
        flags = {name: context.pop(name) for name in ("machine", "mode", "anonymous") if name in context}
        accepted = context.pop("accepted_at", self.now)
        event = EventInput(id_ or f"event-{self.count}", type_, at or self.now, accepted, context, **named, **flags)
        self.memory.keep(self.definition, event)
        for enrollment in list(self.enrollments.values()):
            self.apply(enrollment, event)
        entered = enter(
            self.definition,
            ids=self.ids,
            profile=self.profile,
            previous=tuple(self.enrollments.values()),
            memory=self.memory,
            event=event,
            now=self.now,
        )
        for one in (*entered.restarted, *([entered.enrollment] if entered.enrollment else [])):
            self.enrollments[one.id] = one
        self.take(entered.effects)
        return entered

    def identify(self, **traits: Any) -> None:
        self.profile = replace(self.profile, traits={**self.profile.traits, **traits})
        self.event("identified", **traits)

    def apply(self, enrollment: Enrollment, given: Input) -> Enrollment:
        changed, effects = advance(self.definition, enrollment, self.profile, given, self.now, self.memory)
        self.enrollments[changed.id] = changed
        self.take(effects)
        return self.enrollments[changed.id]

    def tell(self, state: OutcomeState, send: Send | None = None, reason: str = "") -> Enrollment:
        """Dispatch tells what became of a message (the last one)."""
        send = send or self.sends[-1]
        told = OutcomeInput(send.message_key, state, self.now, reason, f"outcome-{len(self.effects)}")
        return self.apply(self.enrollments[send.enrollment], told)

    def command(self, kind: CommandKind, reason: str = "") -> Enrollment:
        return self.apply(self.only, CommandInput(kind, "command-1", reason))

    def take(self, effects: tuple[Effect, ...]) -> None:
        self.effects.extend(effects)
        for effect in effects:
            if isinstance(effect, Send) and self.outcome is not None:
                self.tell(self.outcome, effect)

    def wait(self, span: timedelta) -> None:
        """Time passes; timers fire at their instants."""
        end = self.now + span
        while due := [
            one for one in self.enrollments.values() if one.timer and not one.paused and one.timer.due_at <= end
        ]:
            first = min(due, key=lambda one: one.timer.due_at if one.timer else end)
            assert first.timer is not None
            self.now = max(self.now, first.timer.due_at)
            self.apply(first, TimerInput(first.timer.due_at, first.timer.kind, first.visit))
        self.now = end
