"""events.*, journey.transition, dispatch.outcome, analytics.handover -> facts -> rollup cells under the views

A turn is one transaction: facts that are new, and what they change in the cells. What a customer's orders add to a
rollup is one pure function; the change is its value after the turn less its value before, so late orders, refunds,
cancellations and merges are one case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from tabiji_analytics.domain import funnel, handover, ledger, messages
from tabiji_analytics.domain.batch import Batch, Reading, read, segments
from tabiji_analytics.domain.contribution import Touch, contribution
from tabiji_analytics.domain.deltas import Deltas
from tabiji_analytics.domain.facts import Movable, Who
from tabiji_analytics.metrics import Counts
from tabiji_analytics.ports import Books
from tabiji_common.errors import Reject, TabijiError, where
from tabiji_common.events import ErasureDone
from tabiji_common.failpoints import Failpoint
from tabiji_common.kafka.turn import Applied, Received, Status, Turn
from tabiji_common.postgres import Connection, is_transient
from tabiji_common.topics import (
    ANALYTICS_COMMANDS,
    ANALYTICS_HANDOVERS,
    CUSTOM,
    CUSTOMERS,
    ENGAGEMENTS,
    OUTCOMES,
    PAGE_VIEWS,
    PURCHASES,
    TRANSITIONS,
    Topic,
    derived_id,
)
from tabiji_common.users import Remembered, Users, merges_itself

INPUTS: tuple[Topic[Any], ...] = (
    PURCHASES,
    PAGE_VIEWS,
    ENGAGEMENTS,
    CUSTOM,
    ANALYTICS_COMMANDS,
    ANALYTICS_HANDOVERS,
    TRANSITIONS,
    OUTCOMES,
    CUSTOMERS,  # last within a millisecond: what is told of who was erased lies before the word that it is done
)
OUTPUTS: tuple[Topic[Any], ...] = (ANALYTICS_HANDOVERS, CUSTOMERS, ANALYTICS_COMMANDS)
SOURCE = "tabiji/analytics"
STRANDED = "passed on three times, and its order is another customer's still"
FACTS_WRITTEN = Failpoint("analytics.facts.written", "facts are written, their deltas are not; the turn is uncommitted")
CELLS_WRITTEN = Failpoint("analytics.cells.written", "facts and deltas are written; the turn is uncommitted")


class Projection:
    """``Stateful``: folds turns into facts and rollups."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._users = Remembered()

    async def apply(self, tx: Connection, turn: Turn) -> Applied:
        """Fold the turn; the runtime commits it together with the offsets.

        A customer whose fold fails for no outside reason is parked, and the others go on.
        """
        applied = Applied(notes=Counts())
        try:
            async with tx.transaction():
                await self._fold(tx, turn.records, turn.now, applied)
        except Exception as error:
            if _from_outside(error):
                raise
            apart = await self._fold_apart(tx, turn)
            if len(apart.parked) > 1 and len(apart.parked) == len({received.key for received in turn.records}):
                raise  # nobody's fold works: that is no customer's fault
            return apart
        return applied

    async def _fold_apart(self, tx: Connection, turn: Turn) -> Applied:
        """Customer by customer, so that an error is one customer's."""
        total = Applied(notes=Counts())
        for key in dict.fromkeys(received.key for received in turn.records):
            applied = Applied(notes=Counts())
            try:
                async with tx.transaction():
                    mine = [received for received in turn.records if received.key == key]
                    await self._fold(tx, mine, turn.now, applied)
            except Exception as error:
                if _from_outside(error):
                    raise
                total.parked[key] = where(error)
                continue
            total.records += applied.records
            total.rejected += applied.rejected
            total.notes.add(applied.notes)
        return total

    async def _fold(self, tx: Connection, records: Sequence[Received], now: datetime, applied: Applied) -> None:
        asked = {received.key for received in records if received.type == "merged" and _leaves(received)}
        users = Users(self._users, await self._books.ids.users(tx, asked) if asked else ())
        readings = []
        for received in records:
            try:
                reading = read(received, users)
            except Reject as error:
                applied.rejected.append((received, str(error)))
                continue
            if reading is not None:
                readings.append(reading)
        for segment in segments(readings):
            await self._project(tx, segment, now, applied)
        await self._books.ids.remember(tx, users)
        applied.notes.users.append(users)

    def committed(self, turn: Turn, applied: Applied) -> None:  # noqa: ARG002 - the protocol's
        """Count what the turn did."""
        applied.notes.publish()
        for users in applied.notes.users:
            self._users.committed(users.new, users.gone)

    async def changed(self, owned: frozenset[int]) -> None:  # noqa: ARG002 - the protocol's
        """Forget which ids are known to be users': another owner may have erased one."""
        self._users.clear()

    async def status(self, connection: Connection, owned: frozenset[int], now: datetime) -> Status:  # noqa: ARG002
        """Nothing is ever due here."""
        return Status()

    async def _project(self, tx: Connection, segment: list[Reading], now: datetime, applied: Applied) -> None:
        counts: Counts = applied.notes
        targets, leaving = await self._merges(tx, segment, counts)
        batch = Batch().sort(segment, targets)
        deltas = Deltas()
        await self._project_orders(tx, batch, leaving, deltas, applied)
        await self._project_messages(tx, batch, leaving, deltas, counts)
        await self._project_moves(tx, batch, deltas, counts)
        self._hand_over(batch, now, applied)
        await self._erase(tx, segment, deltas, now, applied)
        await FACTS_WRITTEN()
        for rollup, cells in deltas:
            await self._books.rollups.add(tx, rollup, cells)
        await CELLS_WRITTEN()

    async def _merges(
        self, tx: Connection, segment: Sequence[Reading], counts: Counts
    ) -> tuple[Mapping[Who, str], dict[Who, str]]:
        """(who each visitor turned out to be, those of them whose facts leave in this turn)."""
        people = self._books.people
        merges: dict[Who, str] = {}
        pairs = set()
        for reading in segment:
            if (merged := reading.merged) is None or merged.source == merged.target:
                continue
            if merged.known:
                pairs.add((merged.workspace, merged.source, merged.target))
            elif merged.source == reading.who[1]:
                merges.setdefault(reading.who, merged.target)
        if pairs:
            counts.other["merge_pending"] += await people.pend(tx, pairs)
        new = await people.merge(tx, merges) if merges else set()
        targets = await people.targets(tx, {reading.who for reading in segment})
        return targets, {who: targets[who] for who in new}

    async def _project_orders(
        self, tx: Connection, batch: Batch, leaving: Mapping[Who, str], deltas: Deltas, applied: Applied
    ) -> None:
        whos = batch.buyers() | set(leaving)
        if not whos:
            return
        books, counts = self._books, applied.notes
        zones = await books.rollups.zones(tx)
        before = await books.orders.of(tx, whos)
        touched = await books.touches.first(tx, whos)
        standing = {who: orders for who, orders in before.items() if who not in leaving}
        if leaving:
            await self._release(tx, batch, leaving, before)
        placing = await books.orders.place(tx, list(batch.orders.values()), batch.mentioned())
        kept = ledger.correct(batch, placing)
        new_refunds = await books.orders.correct(tx, kept.refunds, kept.dropped)
        kept.refunds = [refund for refund in kept.refunds if (refund.order, refund.key) in new_refunds]
        new_touches = await books.touches.add(tx, list(batch.touches.values())) if batch.touches else set()
        after = ledger.after(standing, batch, placing, kept)
        touches = {who: touch for who, touch in touched.items() if who not in leaving}
        for who, touch in (batch.touches[key] for key in new_touches):
            arrived: Touch = (touch.occurred_at, touch.key, touch.medium)
            touches[who] = min(touches.get(who, arrived), arrived)
        for who in whos:
            was = contribution(before.get(who, {}).values(), touched.get(who), zones)
            deltas.change(who, batch.p[who], was, contribution(after.get(who, {}).values(), touches.get(who), zones))
        applied.rejected.extend((received, STRANDED) for received in kept.stranded)
        counts.facts.update(order=len(placing.fresh), refund=len(new_refunds), touch=len(new_touches))
        counts.other["repeat"] += len(batch.again) + len(batch.orders) - len(placing.fresh)
        counts.other["conflict"] += ledger.conflicts(batch, placing)
        counts.other["waiting"] += sum(
            1 for refund in kept.refunds if placing.known.get(refund.order, ("",))[0] is None
        )

    async def _release(
        self, tx: Connection, batch: Batch, leaving: Mapping[Who, str], before: Mapping[Who, ledger.Orders]
    ) -> None:
        """Pass on the orders and touches of visitors who turned out to be somebody."""
        await self._books.orders.release(tx, leaving)
        taken = await self._books.touches.take(tx, leaving)
        for who, target in leaving.items():
            facts: list[Movable] = [*ledger.placed(before.get(who, {})), *taken.get(who, [])]
            if facts:
                batch.forward(who, target, 1, facts)

    async def _project_messages(
        self, tx: Connection, batch: Batch, leaving: Mapping[Who, str], deltas: Deltas, counts: Counts
    ) -> None:
        book = self._books.messages
        taken = await book.take(tx, leaving) if leaving else {}
        for who, engaged in taken.items():
            batch.forward(who, leaving[who], 1, engaged)
        if not (batch.outcomes or batch.engagements or taken):
            return
        gone = messages.by_message((who, fact) for who, facts in taken.items() for fact in facts)
        named = {*gone, *messages.by_message(batch.outcomes.values()), *messages.by_message(batch.engagements.values())}
        said, engagements = await book.of(tx, {key for _, key in named})
        new_said = await book.conclude(tx, list(batch.outcomes.values()))
        new_engagements = await book.engage(tx, list(batch.engagements.values()))
        more_said = messages.by_message(batch.outcomes[key] for key in new_said)
        more = messages.by_message(batch.engagements[key] for key in new_engagements)
        for at in named:
            who, p = at[0], batch.p[at[0]]
            outcomes, reactions = said.get(at, []), engagements.get(at, [])
            was = messages.contribution(outcomes, reactions + gone.get(at, []))
            now = messages.contribution(outcomes + more_said.get(at, []), reactions + more.get(at, []))
            deltas.change(who, p, was, now)
        counts.facts.update(outcome=len(new_said), engagement=len(new_engagements))

    async def _project_moves(self, tx: Connection, batch: Batch, deltas: Deltas, counts: Counts) -> None:
        if not batch.moves:
            return
        counted = await self._books.moves.cells(tx, {moved.enrollment for _, moved in batch.moves.values()})
        new = await self._books.moves.add(tx, list(batch.moves.values()))
        for who, moved in (batch.moves[key] for key in new):
            deltas.change(who, batch.p[who], {}, funnel.contribution(moved, counted))
        counts.facts.update(transition=len(new))

    def _hand_over(self, batch: Batch, now: datetime, applied: Applied) -> None:
        for forward in batch.forwards.values():
            applied.notes.other["handed_over"] += len(forward.facts)
            for id_, body in handover.pack(forward.source, forward.target, forward.facts, forward.hops):
                applied.records.append(
                    ANALYTICS_HANDOVERS.record(body, id=id_, source=SOURCE, occurred_at=now, accepted_at=now)
                )

    async def _erase(
        self, tx: Connection, segment: Sequence[Reading], deltas: Deltas, now: datetime, applied: Applied
    ) -> None:
        gone = {reading.who: reading for reading in segment if reading.erased}
        if not gone:
            return
        asked = {who: reading.received.id for who, reading in gone.items() if reading.until is None}
        await self._books.people.erase(tx, dict.fromkeys(asked))
        await self._part(tx, {who: reading for who, reading in gone.items() if who not in asked}, deltas)
        applied.notes.other["erased"] += len(asked)
        for (workspace, customer), cause in asked.items():
            done = ErasureDone(workspace=workspace, customer=customer, service="analytics")
            id_ = derived_id("erasure_done", "analytics", workspace, customer, cause)
            applied.records.append(CUSTOMERS.record(done, id=id_, source=SOURCE, occurred_at=now, accepted_at=now))

    async def _part(self, tx: Connection, gone: Mapping[Who, Reading], deltas: Deltas) -> None:
        """Put what was before an erasure under a random id; who came back keeps the rest, and they are two from now."""
        if not gone:
            return
        orders, touches, zones = self._books.orders, self._books.touches, await self._books.rollups.zones(tx)
        before, touched = await orders.of(tx, gone), await touches.first(tx, gone)
        aliases = await self._books.people.erase(tx, {who: reading.until for who, reading in gone.items()})
        both = [*gone, *aliases.values()]
        after, touching = await orders.of(tx, both), await touches.first(tx, both)
        for who, reading in gone.items():
            was = contribution(before.get(who, {}).values(), touched.get(who), zones)
            deltas.change(who, reading.received.partition, was, {})
            for one in (who, aliases[who]):
                now = contribution(after.get(one, {}).values(), touching.get(one), zones)
                deltas.change(who, reading.received.partition, {}, now)


def _leaves(received: Received) -> bool:
    return merges_itself(received.key, received.body)


def _from_outside(error: Exception) -> bool:
    """Whether the runtime knows what to do: an instruction, the database's word, or infrastructure."""
    return isinstance(error, (TabijiError, asyncpg.PostgresError)) or is_transient(error)
