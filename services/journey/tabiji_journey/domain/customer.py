"""One customer's state, records and due timers -> its new state and what it asks for.

Pure: the same inputs, the same outputs. For each record, in order: the customer's timers due earlier than it was
taken fire (logical time: a timer's now is its due_at; a clock that ran ahead where it was taken fires none), the
profile and the memory learn, then running enrollments see it (exit, goal, wait), then journeys may begin with it. At
the end the timers due until ``until`` fire.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import datetime

from msgspec.structs import replace

from tabiji_common import commands, events
from tabiji_common.clock import FOREVER
from tabiji_common.topics import split_key
from tabiji_journey.domain import needs
from tabiji_journey.domain.arrival import Told
from tabiji_journey.domain.catalog import Catalog
from tabiji_journey.domain.enrolled import Enrolled
from tabiji_journey.domain.memory import NOTHING, remember
from tabiji_journey.domain.model import CommandInput, EventInput, Ids, Occurrence, OutcomeInput, Send
from tabiji_journey.domain.profile import EMPTY, Change, learn
from tabiji_journey.domain.state import CustomerState, Folded, nobody

MOST_HOPS = 3


def fold(
    catalog: Catalog,
    state: CustomerState,
    records: Iterable[Told],
    *,
    until: datetime | None,
    now: datetime,
    limit: datetime = FOREVER,
    released: Iterable[str] = (),
    held: AbstractSet[str] = frozenset(),
    inherited: AbstractSet[str] = frozenset(),
) -> Folded:
    """Apply ``records`` in order, look again at sends ``released`` or just decided, fire timers due until ``until``.

    ``now`` is business time; it serves to tell lateness and as the time of what nothing outside caused. ``held`` are
    keys of sends that have not left: taking one of them back withdraws it, any other is cancelled; one ``inherited``
    from an earlier owner, which may have published it, is withdrawn and cancelled. ``until`` is ``None`` where no timer
    may fire yet; beyond ``now`` and ``limit`` none does whatever the records say. Raises only where our code is wrong:
    the caller parks the customer.
    """
    work = _Fold(catalog, state, now, min(now, limit), held, inherited)
    work.enrolled.thaw()
    for record in records:
        if reason := work.take(record):
            work.out.rejected.append((record, reason))
    for message_key in (*released, *work.first_sends()):
        work.enrolled.release(message_key)
    if until is not None:
        work.enrolled.fire(lambda due: due <= until)
    return work.done()


class _Fold:
    """The state in hand while one customer's records are applied."""

    def __init__(
        self,
        catalog: Catalog,
        state: CustomerState,
        now: datetime,
        limit: datetime,
        held: AbstractSet[str],
        inherited: AbstractSet[str],
    ) -> None:
        self.catalog = catalog
        self.limit = limit
        self.state = state
        self.ids = Ids(*split_key(state.key), state.ties.erased_at)
        self.out = Folded(state)
        self.enrolled = Enrolled(catalog, self.ids, state, self.out, now, held, inherited)

    def done(self) -> Folded:
        """The state as it is now, and what came of it."""
        mine = self.enrolled
        self.out.evicted = max(0, mine.memory.evicted - self.out.state.memory.evicted)
        self.out.state = replace(self.state, profile=mine.profile, memory=mine.memory, enrollments=mine.enrollments)
        return self.out

    def first_sends(self) -> list[str]:
        """Sends from before the first wait, decided by these very records: they may leave with their own turn."""
        return [one.message_key for one in self.out.effects if isinstance(one, Send) and one.before_first_wait]

    def take(self, record: Told) -> str:
        """Apply one record; the reason where it can never apply, else ``""``."""
        body = record.body
        if isinstance(body, events.ErasureDone):
            return ""
        if isinstance(body, events.Event) and self._forgotten(record):
            self.out.too_late += 1
            return ""
        if isinstance(body, events.Event) and self._of_a_visitor(body):
            return self._pass_on(record)
        before = min(record.now, self.limit)
        self.enrolled.fire(lambda due: due < before)
        match body:
            case events.Merged():
                self._merged(record, body)
            case events.Erased():
                self._erase(record)
            case events.Event():
                self._event(record, body)
            case commands.Outcome():
                self._outcome(record, body)
            case commands.JourneyCommand():
                return self._command(record, body)
            case _:
                return f"{record.type} is nothing to a journey"
        return ""

    def _forgotten(self, record: Told) -> bool:
        """Whether it happened before an erasure that was read earlier: a handover on its way, or a late client."""
        erased_at = self.state.ties.erased_at
        if erased_at is None or record.occurred_at > erased_at or isinstance(record.body, events.Erased):
            return False
        # Of a visitor's merge both sides must think the same, whenever they read it; it brings nothing back by itself.
        return not (isinstance(record.body, events.Merged) and record.body.source == self.ids.customer)

    def _of_a_visitor(self, body: events.Event) -> bool:
        if isinstance(body, (events.Merged, events.Erased)):
            return False
        return body.anonymous or bool(self.state.merged_into)

    def _pass_on(self, record: Told) -> str:
        target = self.state.merged_into
        if not target:
            self.out.kept.append(record)
        elif record.hops >= MOST_HOPS:
            return f"handed over {record.hops} times already"
        else:
            self.out.passed.append((record, target))
        return ""

    def _merged(self, record: Told, body: events.Merged) -> None:
        """Which of the two is read here, and whether the one that is to leave is a user (``tabiji_common.users``)."""
        mine = body.source == self.ids.customer
        if body.source == body.target:
            return
        if body.known or (mine and self.state.user):
            self._pend(record, body.target if mine else body.source)
        elif mine:
            target = self.state.merged_into or body.target  # of several merges the first stands
            if not self.out.erased:  # what was kept until then is forgotten, not handed over
                self.out.merged = self.out.merged or target
            self.out.passed.extend((kept, target) for kept in self.out.kept)
            self.out.kept.clear()
            self.state = replace(self.state, merged_into=target)
        elif body.source not in self.state.ties.visitors:
            ties = replace(self.state.ties, visitors=(*self.state.ties.visitors, body.source))
            self.state = replace(self.state, ties=ties)

    def _pend(self, record: Told, other: str) -> None:
        """Two known customers stay two. The other one's owner took this one for its visitor, and is told otherwise."""
        self.out.pending.append((other, record.now))
        if not record.arrival.body.known:
            self.out.answered.append((other, record))
        visitors = tuple(one for one in self.state.ties.visitors if one != other)
        if visitors != self.state.ties.visitors:
            self.state = replace(self.state, ties=replace(self.state.ties, visitors=visitors))

    def _erase(self, record: Told) -> None:
        mine = self.enrolled
        for enrollment in mine.waiting():
            mine.advance(enrollment, CommandInput("exit", record.id, "erased"), record.now)
        self.out.gone.update(mine.enrollments)
        self.out.forgotten = (*self.out.forgotten, *self.state.ties.visitors)
        self.out.erased.append(record)
        self.out.kept.clear()
        mine.enrollments, mine.profile, mine.memory, mine.paused = {}, EMPTY, NOTHING, ()
        earlier = self.state.ties.erased_at
        self.state = nobody(self.state.key, max(record.occurred_at, earlier or record.occurred_at))
        self.ids = mine.ids = replace(self.ids, erased_at=self.state.ties.erased_at)

    def _event(self, record: Told, body: events.Event) -> None:
        mine, event = self.enrolled, record.event
        mine.profile, change = learn(mine.profile, body, record.occurred_at, record.id)
        self.out.conflicts += change is Change.CONFLICT
        if change is not Change.NEWS or event is None:
            return
        self._remember(event)
        for enrollment in mine.concerned(event):
            mine.advance(enrollment, event, record.now)
        for running in self.catalog.triggers.get(record.type, ()):
            mine.enter(running.definition.id, event, record.now)

    def _remember(self, event: EventInput) -> None:
        keys = [(event.type, about) for about in needs.memory_keys(self.catalog.needs, event)]
        if keys:
            context = needs.memory_context(self.catalog.needs, event)
            seen = Occurrence(event.occurred_at, event.id, event.order_id, context, event.cart_id)
            self.enrolled.memory = remember(self.enrolled.memory, keys, seen)

    def _outcome(self, record: Told, body: commands.Outcome) -> None:
        enrollment = self.enrolled.enrollments.get(body.enrollment)
        if enrollment is not None:
            outcome = OutcomeInput(body.message_key, body.state, body.at, body.reason, record.id)
            self.enrolled.advance(enrollment, outcome, record.now)

    def _command(self, record: Told, body: commands.JourneyCommand) -> str:
        mine = self.enrolled
        journey = getattr(body, "journey", "")
        if journey and journey not in self.catalog.journeys:
            return f"no journey {journey!r}"
        match body:
            case commands.Enroll() if self.state.merged_into:
                return "a visitor who turned out to be a customer enters nothing"
            case commands.Enroll():
                asked = EventInput(record.id, record.type, record.occurred_at, record.now)
                mine.enter(body.journey, asked, record.now, body.key)
            case commands.Exit():
                for enrollment in mine.waiting(body.journey, body.enrollment):
                    mine.advance(enrollment, CommandInput("exit", record.id, body.reason), record.now)
            case commands.Pause():
                others = tuple(one for one in self.state.ties.paused if one != body.journey)
                mine.paused = (*others, body.journey) if body.on else others
                self.state = replace(self.state, ties=replace(self.state.ties, paused=mine.paused))
                mine.pause(body.journey, CommandInput("pause" if body.on else "resume", record.id), record.now)
        return ""
