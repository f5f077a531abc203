"""dispatch.send, events.customer, events.engagement -> delivery -> intent -> (provider) -> truth -> dispatch.outcome

One turn: commands and events go into the ledger (D0), leases that ran out are unknown (D5), ended holds are queued, who
may be sent to is claimed (D1; the commit is the intent), what ended is announced. Couriers send and settle (D2-D4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tabiji_common.clock import Clock
from tabiji_common.failpoints import Failpoint
from tabiji_common.kafka.turn import Applied, Status, Turn
from tabiji_common.postgres import Connection
from tabiji_common.topics import CUSTOMERS, DISPATCH_COMMANDS, ENGAGEMENTS, OUTCOMES, SENDS, Topic
from tabiji_dispatch import metrics
from tabiji_dispatch.domain.announce import announcement, outcome_record
from tabiji_dispatch.domain.brake import Brake, braked
from tabiji_dispatch.domain.claim import Controls
from tabiji_dispatch.domain.detour import detours, replaceable
from tabiji_dispatch.domain.ledger import Move
from tabiji_dispatch.domain.notes import Notes
from tabiji_dispatch.domain.pick import Candidate, Moment, Terms, pick
from tabiji_dispatch.domain.quota import QUOTA, Metered, month_of, takes
from tabiji_dispatch.domain.reap import lost, over, watch
from tabiji_dispatch.domain.register import came_back, concerns, fold_all
from tabiji_dispatch.domain.triage import Batch, triage
from tabiji_dispatch.ports import (
    Announcements,
    Brakes,
    Claims,
    Contacts,
    Couriers,
    Detours,
    Intake,
    Quotas,
    Reach,
    Templates,
    Truth,
)

INPUTS: tuple[Topic[Any], ...] = (SENDS, DISPATCH_COMMANDS, CUSTOMERS, ENGAGEMENTS)
OUTPUTS: tuple[Topic[Any], ...] = (OUTCOMES, CUSTOMERS, DISPATCH_COMMANDS)

IN_INSERT = Failpoint("dispatch.insert.before_commit", "deliveries are inserted, not committed")
AFTER_INSERT = Failpoint("dispatch.insert.after", "deliveries are committed, nothing else has happened")
IN_CLAIM = Failpoint("dispatch.claim.before_commit", "intents are written, not committed")
AFTER_INTENT = Failpoint("dispatch.claim.after_intent", "the intents are committed, no send has started")
IN_REAP = Failpoint("dispatch.reap.before_commit", "leases that ran out are marked unknown, not committed")
IN_ANNOUNCE = Failpoint("dispatch.announce.before_commit", "outcomes are marked announced, not committed")

SWEEP = 1.0  # seconds of machine time between looks that nothing asked for
MEASURE = 10.0  # seconds of machine time between counts for the gauges
TIDY = 600.0  # seconds of machine time between deletions of counts that nobody asks for any more
WINDOW = 256  # candidates looked at for each provider, while many of them are not sent
MOST = 1000  # outcomes announced and holds released in a turn


@dataclass(frozen=True)
class Store:
    """Everything the pipeline keeps, by what it is asked."""

    intake: Intake
    contacts: Contacts
    claims: Claims
    truth: Truth
    announcements: Announcements
    quotas: Quotas
    detours: Detours
    brakes: Brakes


class Dispatch:
    """The stateful part of the service."""

    def __init__(self, store: Store, couriers: Couriers, templates: Templates, terms: Terms, clock: Clock) -> None:
        self._store = store
        self._couriers = couriers
        self._templates = templates
        self._terms = terms
        self._clock = clock
        self._settled: dict[str, None] = {}  # keys that ended and may not be announced yet
        self._watched: dict[tuple[str, int], float] = {}  # others' open attempts -> when first seen, machine time
        self._controls: Controls | None = None
        self._swept = self._measured = self._tidied = float("-inf")
        self._more = True
        self._window = WINDOW

    def settled(self, keys: Sequence[str]) -> None:
        """These have a result in the ledger now."""
        self._settled.update(dict.fromkeys(keys))

    async def apply(self, tx: Connection, turn: Turn) -> Applied:
        applied, notes = Applied(), Notes()
        applied.notes = notes
        moment = Moment(turn.now, self._clock.wall(), self._clock.elapsed(), turn.cluster)
        sweep = moment.elapsed - self._swept >= SWEEP
        notes.swept = moment.elapsed if sweep else None
        notes.ended = list(self._settled)[:MOST]
        if turn.records:
            await self._take_in(tx, turn, applied, notes)
        if sweep:
            await self._reap(tx, turn, notes, moment)
            notes.ended += await self._store.announcements.pending(tx, sorted(turn.owned), MOST)
            if moment.elapsed - self._tidied >= TIDY:
                await self._store.brakes.forget(tx, sorted(turn.owned), turn.now)
                self._tidied = moment.elapsed
            if moment.elapsed - self._measured >= MEASURE:
                notes.waiting = await self._store.announcements.waiting(tx, sorted(turn.owned))
        if sweep or self._clock.simulated or turn.records or notes.ended or self._more:
            await self._claim(tx, turn, applied, notes, moment)
        if notes.ended:
            await self._announce(tx, turn, applied, notes)
        return applied

    def committed(self, turn: Turn, applied: Applied) -> None:  # noqa: ARG002 - the runtime's signature
        """Start the sends that the commit allowed, and remember what it settled."""
        notes: Notes = applied.notes
        if notes.new:
            AFTER_INSERT.hit()
        if notes.intents:
            AFTER_INTENT.hit()
            self._couriers.start(notes.intents)
        for key in notes.ended:
            self._settled.pop(key, None)
        if notes.swept is not None:
            self._swept = notes.swept
        if notes.waiting is not None and notes.swept is not None:
            self._measured = notes.swept
        if notes.controls is not None:
            self._controls = notes.controls
            metrics.show_stopped(self._terms.carriers, notes.controls)
        self._more = notes.more
        self._window = WINDOW if notes.puts else 1
        metrics.count(notes)

    async def changed(self, owned: frozenset[int]) -> None:  # noqa: ARG002 - the runtime's signature
        """Look at everything again: holds may have been lifted meanwhile, attempts may have been left open."""
        self._controls = None
        self._swept = float("-inf")

    async def status(self, connection: Connection, owned: frozenset[int], now: datetime) -> Status:
        """What waits for business time, and what for machines."""
        return await self._store.announcements.status(connection, sorted(owned), now)

    async def _take_in(self, tx: Connection, turn: Turn, applied: Applied, notes: Notes) -> None:
        """D0."""
        batch = triage(turn.records, self._terms.carriers, turn.now, stepped=self._clock.simulated)
        applied.rejected += batch.rejected
        applied.records += [outcome_record(answer, turn.now) for answer in batch.failed]
        await self._register(tx, turn, batch, applied, notes)
        if batch.arrivals:
            new = await self._store.intake.insert(tx, batch.arrivals, turn.now)
            notes.new, notes.repeated = len(new), len(batch.arrivals) - len(new)
            notes.ended += new
        if batch.cancels:
            notes.cancelled = await self._store.intake.cancel(tx, batch.cancels, turn.now)
            notes.ended += notes.cancelled.withheld
        if batch.told:
            told = await self._store.intake.tell(tx, batch.told, turn.now)
            notes.told = len(told)
            notes.ended += told
        await IN_INSERT()

    async def _register(self, tx: Connection, turn: Turn, batch: Batch, applied: Applied, notes: Notes) -> None:
        changes = [change for change in batch.changes if concerns(change.event)]
        if not changes:
            return
        contacts = self._store.contacts
        loaded = await contacts.load(tx, {change.customer_key: change.p for change in changes})
        asked = came_back(changes)
        sent_to = await self._store.truth.sent_to(tx, asked) if asked else {}
        folded = fold_all(loaded, changes, self._terms.shop.secret, turn.now, sent_to)
        applied.records += folded.records
        if folded.erased:
            notes.ended += await contacts.erase(tx, list(folded.erased.values()), turn.now)
            notes.erased = len(folded.erased)
        if folded.contacts or folded.listings:
            await contacts.save(tx, list(folded.contacts.values()), folded.listings, folded.ties)
        if folded.relisted:
            await contacts.relist(tx, list(folded.relisted), list(folded.relisted.values()))

    async def _reap(self, tx: Connection, turn: Turn, notes: Notes, moment: Moment) -> None:
        """D5: what nobody in this process is sending, and whose lease is over."""
        flying = self._couriers.in_flight()  # before the rows: what ends in between counts as in flight
        found = await self._store.truth.open(tx, sorted(turn.owned))
        self._watched = watch(found, flying, self._watched, moment.elapsed)
        overdue = over(found, self._watched, self._terms, moment)
        ended = [one for one in overdue if turn.takes(one.delivery.customer_key)]
        if ended:
            settlements = [lost(one, self._terms, moment) for one in ended]
            notes.ended += await self._store.truth.settle(settlements, tx)
            notes.reaped = [one.delivery.provider for one in ended]
            await IN_REAP()

    async def _release(self, tx: Connection, turn: Turn, applied: Applied, notes: Notes) -> Controls:
        """Queue again what need not be held any longer, leave providers that are gone; nothing in restore mode."""
        controls = await self._store.claims.controls(tx)
        if not controls.restore:
            until = {p: at for p, at in turn.fire_until.items() if p in turn.owned}
            lifted = controls if controls != self._controls else None
            released = await self._store.claims.release(tx, until, lifted, MOST)
            applied.again = released >= MOST
            if notes.swept is not None:
                notes.ended += await self._store.detours.leave_gone(tx, sorted(turn.owned), turn.now, MOST)
        if not applied.again:
            notes.controls = controls
        return controls

    async def _claim(self, tx: Connection, turn: Turn, applied: Applied, notes: Notes, moment: Moment) -> None:
        """D1. Numbers without a barrier wait: the log may hold what forbids a message."""
        controls = await self._release(tx, turn, applied, notes)
        await self._turn_off(tx, turn, controls, notes, moment)
        rooms = {name: room for name, room in self._couriers.rooms().items() if room > 0}
        reach = self._reach(turn, rooms, moment)
        if not reach.rooms or not reach.offsets:
            notes.more = True
            return
        found = await self._store.claims.candidates(tx, reach)
        found = [one for one in found if turn.takes(one.delivery.customer_key)]
        quotas = await self._quotas(tx, found, moment)
        brakes = await self._brakes(tx, found, controls, turn.now)
        reasons = {key: brake.reason for key, brake in brakes.items()}
        intents, puts = pick(found, rooms, controls, self._terms, moment, self._templates.find, quotas, reasons)
        if intents or puts:
            claimed = await self._store.claims.write(tx, intents, puts, self._terms.who, moment.wall, turn.now)
            notes.intents = [one for one in intents if one.delivery.key in claimed]
            notes.puts = puts
            month = month_of(moment.now)
            if metered := [
                Metered(one.delivery.key, one.delivery.provider, month)
                for one in notes.intents
                if takes(one.delivery, quotas)
            ]:
                await self._store.quotas.count(tx, metered)
            notes.ended += [put.delivery.key for put in puts if put.move is not Move.HOLD]
            await self._remember(tx, notes, brakes, turn.now)
            await IN_CLAIM()
        full = len(found) >= min(reach.rooms.values())
        notes.more = full or len(intents) + len(puts) < len(found)
        others = bool(replaceable(self._terms.carriers))  # for messages that are short of quota since this very turn
        applied.again = applied.again or any(full or (others and put.reason.startswith(QUOTA)) for put in puts)

    async def _turn_off(self, tx: Connection, turn: Turn, controls: Controls, notes: Notes, moment: Moment) -> None:
        """Give messages of providers that are stopped, broken or have used up their month to others."""
        carriers, out = self._terms.carriers, controls.stopped()
        if limits := replaceable(carriers):
            out |= await self._store.quotas.spent(tx, limits, month_of(moment.now))
        if (asked := detours(carriers, out, self._couriers.broken())) and not controls.restore:
            notes.detoured = await self._store.detours.turn_off(tx, sorted(turn.owned), asked, MOST)

    async def _brakes(
        self, tx: Connection, found: Sequence[Candidate], controls: Controls, now: datetime
    ) -> dict[str, Brake]:
        """Which of the candidates are too many to be meant."""
        rules = self._terms.rules
        if not found or not (rules.repeats or rules.surge):
            return {}
        return braked(found, await self._store.brakes.counts(tx, found, now), controls, rules, now)

    async def _remember(self, tx: Connection, notes: Notes, brakes: Mapping[str, Brake], now: datetime) -> None:
        """Count what is sent, and put on the brakes that held something."""
        if notes.intents and self._terms.rules.surge:
            await self._store.brakes.count(tx, notes.intents, now)
        tripped = {brakes[put.delivery.key] for put in notes.puts if put.reason.startswith("brake:")}
        if tripped:
            await self._store.brakes.trip(tx, tripped, now)

    async def _quotas(self, tx: Connection, found: Sequence[Candidate], moment: Moment) -> dict[str, int]:
        """What metered providers among the candidates' may still take this month."""
        limits = {name: one.quota for name, one in self._terms.carriers.items() if one.quota}
        asked = sorted({one.delivery.provider for one in found} & limits.keys())
        if not asked:
            return {}
        used = await self._store.quotas.used(tx, asked, month_of(moment.now))
        return {name: limits[name] - used[name] for name in asked}

    def _reach(self, turn: Turn, rooms: Mapping[str, int], moment: Moment) -> Reach:
        rules = self._terms.rules
        return Reach(
            rooms={name: max(room, self._window) for name, room in rooms.items()},
            offsets={
                p: (turn.offsets.get((CUSTOMERS.name, p), 0), turn.offsets.get((ENGAGEMENTS.name, p), 0))
                for p in turn.owned
                if p in turn.fire_until
            },
            cluster=turn.cluster,
            wall=moment.wall,
            recent_since=turn.now - rules.cap_window if rules.cap else None,
        )

    async def _announce(self, tx: Connection, turn: Turn, applied: Applied, notes: Notes) -> None:
        """Ends into the outbox, each once: the mark and the record are one commit; before the word of an erasure."""
        ended = await self._store.announcements.announce(tx, notes.ended, sorted(turn.owned))
        notes.announced = [one for one in ended if turn.takes(one.delivery.customer_key)]
        applied.records[:0] = [announcement(ended, turn.now) for ended in notes.announced]
        await IN_ANNOUNCE()
