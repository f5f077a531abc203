"""The one loop of every stateful service: own partition numbers, read, merge, apply in one transaction, publish."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence

import asyncpg

from tabiji_common.errors import Fenced, Retry, WentBack
from tabiji_common.failpoints import Failpoint
from tabiji_common.kafka import blame
from tabiji_common.kafka.barrier import Barriers, Probe
from tabiji_common.kafka.gauge import LagGauge
from tabiji_common.kafka.intake import Intake
from tabiji_common.kafka.merge import Merge, Place
from tabiji_common.kafka.outbox import Outbox, Row
from tabiji_common.kafka.ownership import Ownership
from tabiji_common.kafka.ports import Parts
from tabiji_common.kafka.publish import Publisher
from tabiji_common.kafka.timers import Timers
from tabiji_common.kafka.transact import Plan, Transactor, Written
from tabiji_common.kafka.turn import Received, Stateful, Turn
from tabiji_common.logs import logger
from tabiji_common.metrics import FENCED, LAG, OWNED, RETRIES, TURN_SECONDS, measure
from tabiji_common.postgres import is_transient

log = logger(__name__)
AFTER_COMMIT = Failpoint("runtime.turn.after_commit", "a turn is committed, nothing of it published")
HEARTBEAT = 1.0
SMALL = 100  # below this many waiting records a turn first asks what the log holds


class Loop:
    """Runs one stateful group."""

    def __init__(
        self,
        group: str,
        parts: Parts,
        inputs: Sequence[str],
        *,
        partitions: int,
        poll_records: int = 1000,
        release_rate: int = 0,
    ) -> None:
        self.group, self.parts, self.inputs = group, parts, list(inputs)
        self.partitions, self.poll_records = partitions, poll_records
        self.merge, self.barriers, self.outbox = Merge(inputs), Barriers(), Outbox()
        self.parked: dict[str, int] = {}
        self.ownership = Ownership(group, parts, self.inputs)
        self.publisher = Publisher(group, self.outbox, parts.producer, lambda: set(self.parked))
        self.intake = Intake(parts.reader, self.merge)
        self.gauge = LagGauge(parts.board, parts.clock)
        self.timers = Timers(group, parts.clock, release_rate)
        self.ends: dict[Place, int] = {}
        self.released: list[Row] = []
        self.polls = 0
        self.turns = 0
        self.stopped = asyncio.Event()
        self.stale = False  # a transaction failed: memory may be behind the database
        self.turned_at = self.moved_at = parts.clock.elapsed()
        self.failures = 0
        self.most = poll_records  # a turn too large for its time limits would fail for ever: halved, and doubled again

    def wake(self) -> None:
        """Take a turn now, whether records came or not."""
        self.intake.woken.set()

    def stop(self) -> None:
        """End after the present turn."""
        self.stopped.set()
        self.wake()

    @property
    def owned(self) -> frozenset[int]:
        """The partition numbers that this process owns."""
        return frozenset(self.ownership.epochs)

    @property
    def busy(self) -> bool:
        """Whether anything is under way, or about to be."""
        return self.intake.busy or self.intake.woken.is_set() or self.publisher.busy or self.stale

    @property
    def work(self) -> int:
        """Grows with everything done."""
        return self.turns + self.intake.work + self.publisher.work

    async def run(self, pipeline: Stateful, *, inbox: frozenset[str]) -> None:
        """Until ``stop``: turns; records of the topics in ``inbox`` are applied once.

        Raises what is not ``Retry``, ``Fenced`` or transient: the process must stop then.
        """
        self.pipeline = pipeline
        cluster = await self.ownership.join()
        self.transactor = Transactor(self.group, cluster, self.partitions, pipeline, inbox=inbox)
        try:
            while not self.stopped.is_set():
                try:
                    await self._settle_ownership()
                    await self._turn()
                    self.failures = 0
                except Fenced as fenced:
                    FENCED.labels(self.group).inc()
                    log.warning("fenced", partitions=sorted(fenced.partitions))
                    self.stale = True
                    self.ownership.forget(fenced.partitions)
                except WentBack as error:
                    self.ownership.restore.lost(str(error))
                    self.stale = True
                    self.ownership.forget(self.owned)
                except Exception as error:
                    if not (isinstance(error, Retry) or is_transient(error)):
                        raise
                    self.stale = True
                    await self._back_off(error)
        finally:
            await self._leave()

    async def _leave(self) -> None:
        """Publish what may go, mark it, and let others take over."""
        self.gauge.stop()
        with contextlib.suppress(
            TimeoutError, Retry, Fenced, WentBack, asyncpg.PostgresError, asyncpg.InterfaceError, OSError
        ):
            await asyncio.wait_for(self.publisher.drain(), 3)
            if not self.stale:
                acked = list(self.outbox.acked)
                await asyncio.wait_for(self.transactor.finish(self.parts.pool, self.ownership.epochs, acked), 2)
        await self.ownership.leave()

    async def _settle_ownership(self) -> None:
        """Own what the group assigns, once it vouches for it; read memory anew where it may be behind."""
        await self.ownership.restore.look(self.parts.pool)
        wanted = await self.ownership.wanted()
        if wanted and wanted != self.owned and await self.ownership.proven(wanted):
            await self._reload(wanted)
        elif self.stale:
            await self._reload(self.owned)

    async def _reload(self, wanted: frozenset[int]) -> None:
        """Own exactly ``wanted``, from what is committed; of numbers kept, memory knows what was published or
        released.
        """
        kept, new = wanted & self.owned, wanted - self.owned
        self.stale = True
        taken = await self.ownership.take(wanted, new)
        self.parked = taken.parked
        self.outbox.reconcile(taken.leftovers, kept, self.polls + 1)
        self.barriers.forget(kept)
        self.ends = {}
        self.merge.assign(taken.offsets)
        self.parts.reader.assign(taken.offsets)
        await self.pipeline.changed(wanted)
        self.stale = False
        OWNED.labels(self.group).set(len(wanted))
        if new:
            await self.publisher.drain(self.stopped.is_set)
        self.turns += 1
        self.wake()

    async def _back_off(self, error: Exception) -> None:
        self.failures += 1
        self.most = max(1, self.most // 2)
        RETRIES.labels(self.group).inc()
        log.warning("turn_retried", error=repr(error), failures=self.failures)
        # processes that fail together do not come back together
        seconds = min(2.0, 0.05 * 2 ** min(self.failures, 6)) * (0.6 + os.getpid() % 5 / 10)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopped.wait(), seconds)

    async def _turn(self) -> None:
        self.publisher.check()
        forced = await self._read()
        if self.parts.clock.held:
            return  # what was read waits: of a tick's inputs all are applied knowing all
        self.polls += 1
        probe = asyncio.create_task(self._probe(self.polls))
        try:
            if sum(map(len, self.merge.queues.values())) < SMALL:
                await asyncio.shield(probe)
            plan = self._plan(self.merge.take(self.most, self.ends))
            due = self.parts.clock.elapsed() - self.turned_at >= HEARTBEAT
            if self.owned and (plan.turn.records or plan.turn.released or forced or due):
                await self._apply(plan, probe)
            else:
                await probe
            self.publisher.kick()
            self._show()
        finally:
            if not probe.done():
                probe.cancel()
            elif not probe.cancelled():
                probe.exception()

    async def _read(self) -> bool:
        """Wait for records or a wake-up; whether it was a wake-up."""
        backlog = any(self.merge.queues.values()) and self.ends != {}
        seconds = 0.01 if backlog else HEARTBEAT / 2 if self.owned else 0.05
        return await self.intake.read(seconds, backlog=backlog)

    async def _probe(self, number: int) -> Probe:
        seen = self.parts.clock.now()
        ends = await self.parts.probes.ends(list(self.ownership.offsets))
        probe = Probe(number, seen, ends)
        self.barriers.add(probe)
        self.ends = ends
        return probe

    def _show(self) -> None:
        """Lag, for people and for the watchdog."""
        applied = self.ownership.offsets
        behind = sum(max(0, end - applied[place]) for place, end in self.ends.items() if place in applied)
        LAG.labels(self.group).set(behind)
        if not behind:
            self.moved_at = self.parts.clock.elapsed()
        self.gauge.show(applied)

    def _plan(self, records: list[Received]) -> Plan:
        offsets = dict(self.ownership.offsets)
        moves: dict[Place, tuple[int, int]] = {}
        for record in records:
            place = (record.topic, record.partition)
            moves[place] = (self.ownership.offsets[place], record.offset + 1)
            offsets[place] = record.offset + 1
        passed = self.barriers.passed(self.owned, offsets)
        ready = self.outbox.passed({p: probe.number for p, probe in passed.items()})
        self.released = [row for row in ready if row.key not in self.parked]  # a parked customer's stay withdrawable
        firing = self.timers.firing(passed, paused=bool(self.ownership.restore.why))
        turn = Turn(
            records=records,
            now=firing.now,
            owned=self.owned,
            fire_until=firing.until,
            offsets=offsets,
            cluster=self.ownership.cluster,
            released=frozenset(row.id for row in self.released),
            held=frozenset(self.outbox.waiting),
            inherited=self.outbox.inherited(self.ownership.epochs),
            timer_budget=firing.budget,
            limit=firing.limit,
        )
        return Plan(
            turn,
            dict(self.ownership.epochs),
            moves,
            list(self.outbox.acked),
            self.outbox.withdraw,
            self.parked,
        )

    async def _apply(self, plan: Plan, probe: asyncio.Task[Probe]) -> None:
        started = self.parts.clock.elapsed()
        written = await blame.commit(self.transactor, self.parts.pool, plan, self.failures)
        TURN_SECONDS.labels(self.group).observe(self.parts.clock.elapsed() - started)
        await AFTER_COMMIT()
        self._remember(plan, written)
        if not probe.done():
            await probe
        self._release_own(written)

    def _remember(self, plan: Plan, written: Written) -> None:
        """The commit is a fact: move what memory holds of it."""
        self.ownership.offsets.update({place: new for place, (_, new) in plan.moves.items()})
        for row in written.rows:
            row.barrier = self.polls
        self.outbox.drop(written.withdrawn)
        self.outbox.add(written.rows)
        self.outbox.release(
            row for row in self.released if row.id not in written.applied.withdrawn and row.key not in written.parked
        )
        del self.outbox.acked[: len(plan.acked)]
        for key in written.unparked:
            self.parked.pop(key, None)
        self.parked.update(written.parked)
        self.turned_at = self.parts.clock.elapsed()
        if plan.moves:
            self.moved_at = self.turned_at
            self.most = min(self.poll_records, self.most * 2)
        if plan.moves or written.rows or written.applied.again:
            self.turns += 1
        if self.timers.more(plan.turn.timer_budget, written.applied.fired) and written.applied.again:
            self.wake()
        self.pipeline.committed(written.turn, written.applied)
        measure(self, written, len(plan.turn.records))

    def _release_own(self, written: Written) -> None:
        """Sends of this very turn whose barrier has passed already were decided knowing all that the log held."""
        passed = self.barriers.advance(self.owned, self.ownership.offsets)
        numbers = {p: probe.number for p, probe in passed.items()}
        fresh = {row.slot for row in written.rows}
        self.outbox.release([row for row in self.outbox.passed(numbers) if row.slot in fresh])
