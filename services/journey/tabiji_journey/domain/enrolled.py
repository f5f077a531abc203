"""The enrollments of one customer in hand: each sees an input, timers fire in order, effects gather."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from datetime import datetime

from msgspec.structs import replace

from tabiji_journey.domain import advance as engine
from tabiji_journey.domain.catalog import Catalog
from tabiji_journey.domain.memory import Memory
from tabiji_journey.domain.model import (
    Cancel,
    CommandInput,
    Effect,
    Enrollment,
    EventInput,
    Ids,
    Input,
    Send,
    TimerInput,
)
from tabiji_journey.domain.profile import Profile
from tabiji_journey.domain.state import CustomerState, Folded, goal_open


class Enrolled:
    """What changes while a customer's records are applied; ``profile`` and ``memory`` are kept up by the caller.

    ``held`` are keys of sends that have not left: taking one of them back withdraws it, any other is cancelled. Those
    ``inherited`` from an earlier owner may have left all the same: they are withdrawn and cancelled.
    """

    def __init__(
        self,
        catalog: Catalog,
        ids: Ids,
        state: CustomerState,
        out: Folded,
        now: datetime,
        held: AbstractSet[str],
        inherited: AbstractSet[str],
    ) -> None:
        self.catalog = catalog
        self.ids = ids
        self.profile: Profile = state.profile
        self.memory: Memory = state.memory
        self.paused = state.ties.paused
        self.enrollments = dict(state.enrollments)
        self.out = out
        self.now = now
        self.held = held
        self.inherited = inherited

    def waiting(self, journey: str = "", enrollment: str | None = None) -> list[Enrollment]:
        """Those that have not ended, in the order in which they began; of one journey, or the one named."""
        found = [
            e
            for e in self.enrollments.values()
            if e.status == "waiting" and journey in ("", e.journey) and enrollment in (None, e.id)
        ]
        return sorted(found, key=lambda e: (e.entered_at, e.id)) if len(found) > 1 else found

    def concerned(self, event: EventInput) -> list[Enrollment]:
        """Those that an event can move or convert: the waiting ones, then ended ones whose goal is open."""
        ended = [
            e
            for e in self.enrollments.values()
            if e.status != "waiting" and goal_open(e) and e.goal_until and event.occurred_at <= e.goal_until
        ]
        return [*self.waiting(), *sorted(ended, key=lambda e: (e.entered_at, e.id))]

    def advance(self, enrollment: Enrollment, input_: Input, now: datetime) -> None:
        """Give one enrollment one input; ``now`` is logical time. One whose version cannot be read stays as it is."""
        definition = self.catalog.definition(enrollment)
        if definition is None:
            return
        if not enrollment.paused and enrollment.status == "waiting" and self.catalog.paused(enrollment.journey):
            enrollment = replace(enrollment, paused=True)  # exits and outcomes are noted, nobody moves on
        after, effects = engine.advance(definition, enrollment, self.profile, input_, now, self.memory)
        self.enrollments[enrollment.id] = after
        self._keep(effects, now)

    def enter(self, journey: str, event: EventInput, now: datetime, command_key: str | None = None) -> None:
        """Let a journey begin, or note why it does not."""
        if self.holds(journey):
            self.out.refused.append((journey, "paused"))
            return
        entered = engine.enter(
            self.catalog.journeys[journey].definition,
            ids=self.ids,
            profile=self.profile,
            previous=[e for e in self.enrollments.values() if e.journey == journey],
            memory=self.memory,
            event=event,
            now=now,
            command_key=command_key,
        )
        for enrollment in (*entered.restarted, entered.enrollment):
            if enrollment is not None:
                self.enrollments[enrollment.id] = enrollment
        if entered.refused:
            self.out.refused.append((journey, entered.refused))
        self._keep(entered.effects, now)

    def pause(self, journey: str, command: CommandInput, now: datetime) -> None:
        """Hold or resume this customer in a journey; while the whole journey is paused, resuming only lets go of it."""
        for enrollment in self.waiting(journey):
            mine = self.enrollments[enrollment.id] = replace(enrollment)  # its timer is written anew, held or not
            if command.kind == "pause" or not self.catalog.paused(journey):
                self.advance(mine, command, now)

    def thaw(self) -> None:
        """Go on with what stood still while its journey was paused."""
        for enrollment in self.waiting():
            if enrollment.paused and not self.holds(enrollment.journey):
                self.advance(enrollment, CommandInput("resume", "journey"), self.now)

    def holds(self, journey: str) -> bool:
        """Whether the journey stands still for this customer."""
        return journey in self.paused or self.catalog.paused(journey)

    def fire(self, is_due: Callable[[datetime], bool]) -> None:
        """Fire the timers that are due, the earliest first, and those that they lead to."""
        while (enrollment := self._next_due(is_due)) is not None and (timer := enrollment.timer) is not None:
            self.out.late.append((self.now - timer.due_at).total_seconds())
            came_due = TimerInput(timer.due_at, timer.kind, enrollment.visit, self.now)
            self.advance(enrollment, came_due, timer.due_at)
            after = self.enrollments[enrollment.id]
            if after.timer == timer and after.visit == enrollment.visit:
                raise RuntimeError(f"a {timer.kind} timer of {after.journey} moved nothing in {after.state}")

    def release(self, message_key: str) -> None:
        """A send from before the first wait may go now: only if its journey may still begin."""
        for enrollment in self.waiting():
            message = enrollment.messages.get(enrollment.state)
            definition = self.catalog.definition(enrollment)
            if message is None or message.message_key != message_key or enrollment.waited or definition is None:
                continue
            if reason := engine.revoke_check(definition, enrollment, self.profile):
                self.advance(enrollment, CommandInput("revoke", message_key, reason), self.now)

    def _next_due(self, is_due: Callable[[datetime], bool]) -> Enrollment | None:
        due = [
            (e.timer.due_at, e.id) for e in self.enrollments.values() if e.timer is not None and is_due(e.timer.due_at)
        ]
        runs = (self.enrollments[id_] for _, id_ in sorted(due))
        return next((e for e in runs if self._runs(e)), None)

    def _runs(self, enrollment: Enrollment) -> bool:
        return not (enrollment.paused or self.holds(enrollment.journey)) and (
            self.catalog.definition(enrollment) is not None
        )

    def _keep(self, effects: Iterable[Effect], now: datetime) -> None:
        """Note effects; a message taken back before it left is withdrawn, and recorded as suppressed."""
        taken_back: list[Effect] = []
        for effect in effects:
            if isinstance(effect, Cancel) and self._withdraw(effect.message_key):
                enrollment = self.enrollments[effect.enrollment]
                after, moved = engine.withdraw(enrollment, effect.message_key, effect.reason, now)
                self.enrollments[after.id] = after
                taken_back.append(moved)
                if effect.message_key not in self.inherited:
                    continue
            self.out.effects.append(effect)
        self.out.effects += taken_back

    def _withdraw(self, message_key: str) -> bool:
        for place, effect in enumerate(self.out.effects):
            if isinstance(effect, Send) and effect.message_key == message_key:
                del self.out.effects[place]
                return True
        if message_key in self.held:
            self.out.withdrawn.add(message_key)
            return True
        return False
