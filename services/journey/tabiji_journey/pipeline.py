"""events.* + journey.command + dispatch.outcome + timers -> enrollments -> transitions, sends, cancels, handovers.

One turn: read the journeys, gather the batch by customer, add the customers whose timers are due, load them all, fold
each one by itself, write everything back. The number of statements does not depend on the size of the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from tabiji_common.commands import Enroll, Outcome, Seen
from tabiji_common.errors import Reject, where
from tabiji_common.failpoints import Failpoint
from tabiji_common.kafka.turn import Applied, Status, Turn
from tabiji_common.logs import logger
from tabiji_common.postgres import Connection
from tabiji_common.topics import (
    CUSTOMERS,
    ENGAGEMENTS,
    EVENT_TOPICS,
    JOURNEY_COMMANDS,
    OUTCOMES,
    SENDS,
    TRANSITIONS,
    Topic,
    split_key,
)
from tabiji_common.users import Remembered, Users, merges_itself
from tabiji_journey import metrics
from tabiji_journey.domain import advance as engine
from tabiji_journey.domain.arrival import Told, matters, told
from tabiji_journey.domain.catalog import Catalog
from tabiji_journey.domain.customer import fold
from tabiji_journey.domain.model import FAULTY, Send
from tabiji_journey.domain.outgoing import Outgoing, handover, outgoing
from tabiji_journey.domain.state import CustomerState, Folded
from tabiji_journey.domain.writes import Writes
from tabiji_journey.ports import Clockwork, Customers, Journeys, Wanted

INPUTS: tuple[Topic[Any], ...] = (*EVENT_TOPICS, JOURNEY_COMMANDS, OUTCOMES)
OUTPUTS: tuple[Topic[Any], ...] = (TRANSITIONS, SENDS, CUSTOMERS, JOURNEY_COMMANDS)

BURST = 20
BURST_WITHIN = timedelta(minutes=1)

HANDED_OVER = Failpoint("journey.handover.decided", "a visitor's kept events are taken out, to be handed over")
WRITTEN = Failpoint("journey.turn.written", "a turn's states are written, the runtime has not committed yet")

Place = tuple[int, str, str]
"""(p, workspace, journey)"""

_NO_JOURNEYS = Catalog()

log = logger(__name__)


@dataclass(slots=True)
class Work:
    """What one turn has for one customer."""

    p: int
    records: list[Told] = field(default_factory=list)
    released: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Notes:
    """What a turn came to: remembered and counted once it is committed."""

    folds: list[Folded] = field(default_factory=list)
    first_sends: dict[str, tuple[str, int]] = field(default_factory=dict)
    handed_over: int = 0
    errors: dict[Place, list[datetime]] = field(default_factory=dict)
    paused: list[str] = field(default_factory=list)
    users: Users = field(default_factory=Users)


class JourneyPipeline:
    """The stateful half of the service; see the module's sentence."""

    def __init__(self, journeys: Journeys, customers: Customers, clockwork: Clockwork, *, timers: int = 1000) -> None:
        self._journeys = journeys
        self._customers = customers
        self._clockwork = clockwork
        self._timers = timers
        self._unread: frozenset[int] = frozenset()
        self._first_sends: dict[str, tuple[str, int]] = {}
        self._errors: dict[Place, list[datetime]] = {}
        self._users = Remembered()

    async def apply(self, tx: Connection, turn: Turn) -> Applied:
        """Fold the turn; see ``tabiji_common.kafka.turn.Stateful``."""
        notes = Notes(users=Users(self._users))
        applied = Applied(notes=notes)
        catalogs = await self._journeys.catalogs(tx)
        batch = self._gather(turn, catalogs, applied, notes.users)
        await self._gather_released(tx, turn, batch)
        await self._gather_due(tx, turn, catalogs, batch, applied)
        states = await self._customers.load(tx, _wanted(batch, catalogs))
        writes = Writes(turn.owned, notes.users)
        for key, work in batch.items():
            catalog = catalogs.get(split_key(key)[0], _NO_JOURNEYS)
            try:
                folded = _fold(catalog, states[key], work, turn)
                out = outgoing(folded, _seen(turn, work.p), turn.now)
            except Exception as error:  # noqa: BLE001 - our bug: this one customer is parked, the others go on
                applied.parked[key] = where(error)
                continue
            writes.take(work.p, states[key], folded, catalog)
            _answer(applied, notes, folded, out, work.p)
        applied.fired = sum(folded.fired for folded in notes.folds)
        applied.again = applied.again and applied.fired > 0
        await self._hand_over(tx, notes, turn, applied)
        self._pause_bursts(turn, notes, batch, writes)
        await self._customers.write(tx, writes, catalogs, turn.now)
        await WRITTEN()
        return applied

    def committed(self, turn: Turn, applied: Applied) -> None:  # noqa: ARG002 - as the runtime calls it
        """Remember what may still be revoked, and count."""
        notes: Notes = applied.notes
        self._first_sends |= notes.first_sends
        self._errors |= notes.errors
        self._users.committed(notes.users.new, notes.users.gone)
        for journey in notes.paused:
            log.error("journey_paused", journey=journey, reason=FAULTY)
        _count(notes, applied)

    async def changed(self, owned: frozenset[int]) -> None:
        """Forget what belongs to others; sends that wait for their barrier are read in the next turn."""
        self._unread = owned
        self._first_sends = {id_: who for id_, who in self._first_sends.items() if who[1] in owned}
        self._errors.clear()
        self._users.clear()

    async def status(self, connection: Connection, owned: frozenset[int], now: datetime) -> Status:
        """Timers of ``owned`` that a turn would fire: the next one, and those that are due."""
        running, unreadable = _fireable(await self._journeys.catalogs(connection))
        standing = await self._clockwork.standing(connection, owned, now, running, unreadable)
        return Status(standing.next_due, standing.due)

    @staticmethod
    def _gather(turn: Turn, catalogs: Mapping[str, Catalog], applied: Applied, users: Users) -> dict[str, Work]:
        """The records that can matter, by customer, in order."""
        batch: dict[str, Work] = {}
        for received in turn.records:
            catalog = catalogs.get(split_key(received.key)[0], _NO_JOURNEYS)
            try:
                record = told(received, catalog.needs)
            except Reject as rejection:
                applied.rejected.append((received, str(rejection)))
                continue
            body = users.read(received.key, received.partition, received.body)
            if body is not received.body:
                record = replace(record, body=body)
            if matters(record):
                batch.setdefault(received.key, Work(received.partition)).records.append(record)
        return batch

    async def _gather_released(self, tx: Connection, turn: Turn, batch: dict[str, Work]) -> None:
        """Sends from before the first wait whose barrier has passed: they are looked at once more."""
        if self._unread:
            self._first_sends |= await self._clockwork.held_sends(tx, self._unread)
            self._unread = frozenset()
        self._first_sends = {id_: who for id_, who in self._first_sends.items() if id_ in turn.held}
        found = {id_: self._first_sends[id_] for id_ in sorted(turn.released) if id_ in self._first_sends}
        if found:
            parked = await self._clockwork.parked(tx, {key for key, _ in found.values()})
            for message_key, (key, p) in found.items():
                if key not in parked and turn.takes(key):
                    batch.setdefault(key, Work(p)).released.append(message_key)

    async def _gather_due(
        self, tx: Connection, turn: Turn, catalogs: Mapping[str, Catalog], batch: dict[str, Work], applied: Applied
    ) -> None:
        running, unreadable = _fireable(catalogs)
        limit = self._timers if turn.timer_budget is None else min(self._timers, turn.timer_budget)
        if turn.fire_until and running and limit:
            due = await self._customers.due(tx, turn.fire_until, running, limit, unreadable)
            applied.again = due.more
            for key in filter(turn.takes, due.customers):
                batch.setdefault(key, Work(due.customers[key]))

    async def _hand_over(self, tx: Connection, notes: Notes, turn: Turn, applied: Applied) -> None:
        """Give what was kept of visitors to the customers that they turned out to be; before what came after it."""
        targets = {folded.state.key: folded.merged for folded in notes.folds if folded.merged}
        if not targets:
            return
        kept = await self._customers.take_kept(tx, targets)
        applied.records[:0] = [
            handover(split_key(event.key)[0], targets[event.key], event, 1, turn.now) for event in kept
        ]
        notes.handed_over += len(kept)
        await HANDED_OVER()

    def _pause_bursts(self, turn: Turn, notes: Notes, batch: Mapping[str, Work], writes: Writes) -> None:
        """Pause a journey whose conditions failed 20 times within a minute on one p."""
        for folded in notes.folds:
            for journey in folded.definition_errors():
                place = (batch[folded.state.key].p, split_key(folded.state.key)[0], journey)
                notes.errors.setdefault(place, self._recent(place, turn.now)).append(turn.now)
        for (_, workspace, journey), times in notes.errors.items():
            if len(times) >= BURST:
                writes.pauses.append((workspace, journey, FAULTY))
                notes.paused.append(journey)
                times.clear()

    def _recent(self, place: Place, now: datetime) -> list[datetime]:
        return [at for at in self._errors.get(place, ()) if now - at <= BURST_WITHIN]


def _fireable(catalogs: Mapping[str, Catalog]) -> tuple[list[int], list[tuple[int, int]]]:
    """The numbers of journeys whose timers fire, and (number, version) of those whose people wait for other code."""
    running = [j.number for c in catalogs.values() for j in c.journeys.values() if not j.paused]
    return running, [(c.journeys[name].number, n) for c in catalogs.values() for name, n in c.unreadable_running]


def _fold(catalog: Catalog, state: CustomerState, work: Work, turn: Turn) -> Folded:
    return fold(
        catalog,
        state,
        work.records,
        until=turn.fire_until.get(work.p),
        now=turn.now,
        limit=turn.limit,
        released=work.released,
        held=turn.held,
        inherited=turn.inherited,
    )


def _wanted(batch: Mapping[str, Work], catalogs: Mapping[str, Catalog]) -> Wanted:
    """The customers of the batch, and which of their ended enrollments its records could concern."""
    wanted = Wanted(list(batch))
    for key, work in batch.items():
        catalog = catalogs.get(split_key(key)[0], _NO_JOURNEYS)
        for record in work.records:
            if record.event is not None:
                for running in catalog.triggers.get(record.type, ()):
                    entry = engine.key_of(running.definition, record.event)
                    wanted.entries.add((key, running.definition.id, entry))
            elif isinstance(record.body, Outcome):
                wanted.enrollments.add((key, record.body.enrollment))
            elif merges_itself(key, record.body):
                wanted.merging.add(key)
            elif isinstance(record.body, Enroll):
                wanted.entries.add((key, record.body.journey, record.body.key))
    return wanted


def _answer(applied: Applied, notes: Notes, folded: Folded, out: Outgoing, p: int) -> None:
    """What goes out for one customer."""
    applied.records.extend(out.records)
    applied.sends.extend(out.sends)
    applied.withdrawn |= folded.withdrawn
    applied.rejected.extend((record.arrival, reason) for record, reason in folded.rejected)  # type: ignore[misc]
    notes.folds.append(folded)
    notes.handed_over += len(folded.passed)
    for effect in folded.effects:
        if isinstance(effect, Send) and effect.before_first_wait:
            notes.first_sends[effect.message_key] = (folded.state.key, p)


def _seen(turn: Turn, p: int) -> Seen:
    """What this service has applied of the topics by which dispatch decides."""
    offsets = {topic.name: turn.offsets.get((topic.name, p), 0) for topic in (CUSTOMERS, ENGAGEMENTS)}
    return Seen(cluster=turn.cluster, offsets=offsets)


def _count(notes: Notes, applied: Applied) -> None:
    metrics.PARKED.inc(len(applied.parked))
    metrics.WITHDRAWN.inc(len(applied.withdrawn))
    metrics.HANDED_OVER.inc(notes.handed_over)
    folds = notes.folds
    metrics.TIMERS_FIRED.inc(applied.fired)
    for folded in folds:
        for seconds in folded.late:
            metrics.TIMER_LATENESS.observe(seconds)
    metrics.ORDER_CONFLICT.inc(sum(folded.conflicts for folded in folds))
    metrics.MEMORY_EVICTED.inc(sum(folded.evicted for folded in folds))
    metrics.MERGE_PENDING.inc(sum(len(folded.pending) for folded in folds))
    metrics.TOO_LATE.inc(sum(folded.too_late for folded in folds))
    metrics.ERASED.inc(sum(len(folded.erased) for folded in folds))
    metrics.HANDOVER_LOST.inc(sum(record.hops > 0 for folded in folds for record, _ in folded.rejected))
    for folded in folds:
        for journey in folded.definition_errors():
            metrics.DEFINITION_ERRORS.labels(journey).inc()
    metrics.count_effects(effect for folded in folds for effect in folded.effects)
