"""The one loop of every stateful service: own partition numbers, read, merge, apply in one transaction, publish."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from tabiji_common.clock import Clock
from tabiji_common.errors import Fenced, Retry
from tabiji_common.failpoints import Failpoint
from tabiji_common.kafka.barrier import Barriers, Probe
from tabiji_common.kafka.merge import Merge, Place
from tabiji_common.kafka.outbox import Outbox
from tabiji_common.kafka.ownership import Ownership
from tabiji_common.kafka.ports import Membership, Probes, Reader
from tabiji_common.kafka.producer import Appender
from tabiji_common.kafka.publish import Publisher
from tabiji_common.kafka.transact import Plan, Transactor, Written
from tabiji_common.kafka.turn import Received, Stateful, Turn
from tabiji_common.logs import logger
from tabiji_common.metrics import (
    FENCED,
    HELD,
    OUTBOX,
    OWNED,
    PARKED,
    RECORDS,
    RETRIES,
    TURN_SECONDS,
    TURNS,
)
from tabiji_common.postgres import is_data_error, is_transient

log = logger(__name__)
AFTER_COMMIT = Failpoint("runtime.turn.after_commit", "a turn is committed, nothing of it published")
HEARTBEAT = 1.0
BUFFERED = 4000  # records of one place read ahead; beyond that the place is paused
SMALL = 100  # below this many waiting records a turn first asks what the log holds


@dataclass(slots=True)
class Parts:
    """What a loop is made of; ``__main__`` or a test chooses them."""

    pool: asyncpg.Pool[Any]
    clock: Clock
    membership: Membership
    reader: Reader
    probes: Probes
    producer: Appender


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
    ) -> None:
        self.group, self.parts, self.inputs = group, parts, list(inputs)
        self.partitions, self.poll_records = partitions, poll_records
        self.merge, self.barriers, self.outbox = Merge(inputs), Barriers(), Outbox()
        self.parked: dict[str, int] = {}
        self.ownership = Ownership(group, parts, self.inputs)
        self.publisher = Publisher(group, self.outbox, parts.producer, lambda: set(self.parked))
        self.ends: dict[Place, int] = {}
        self.polls = 0
        self.work = 0
        self.busy = True
        self.stopping = False
        self.woken = asyncio.Event()
        self.turned_at = self.moved_at = parts.clock.elapsed()
        self.failures = 0
        self.transactor: Transactor | None = None

    def wake(self) -> None:
        """Take a turn now, whether records came or not."""
        self.woken.set()

    def stop(self) -> None:
        """End after the present turn."""
        self.stopping = True
        self.wake()

    @property
    def owned(self) -> frozenset[int]:
        """The partition numbers that this process owns."""
        return frozenset(self.ownership.epochs)

    async def run(self, pipeline: Stateful, *, inbox: bool) -> None:
        """Until ``stop``: turns. Raises what is not ``Retry``, ``Fenced`` or transient: the process must stop then."""
        self.pipeline = pipeline
        cluster = await self.ownership.join()
        self.transactor = Transactor(self.group, cluster, self.partitions, pipeline, inbox=inbox)
        try:
            while not self.stopping:
                try:
                    await self._settle_ownership()
                    await self._turn()
                    self.failures = 0
                except Fenced as fenced:
                    FENCED.labels(self.group).inc()
                    log.warning("fenced", partitions=sorted(fenced.partitions))
                    await self._reload(self.owned - fenced.partitions)
                except Exception as error:
                    if not (isinstance(error, Retry) or is_transient(error)):
                        raise
                    await self._back_off(error)
        finally:
            await self._leave()

    async def _leave(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.publisher.drain(), 3)
        await self.ownership.leave()

    async def _settle_ownership(self) -> None:
        wanted = self.parts.membership.assigned()
        if wanted and wanted != self.owned and await self.ownership.proven(wanted):
            await self._reload(wanted, bump=True)

    async def _reload(self, wanted: frozenset[int], *, bump: bool = False) -> None:
        """Own exactly ``wanted``: forget the rest, start again from what is committed."""
        new = wanted - self.owned if bump else frozenset()
        taken = await self.ownership.take(wanted, new)
        self.outbox.keep(wanted - new)
        self.parked = {key: p for key, p in self.parked.items() if p in wanted - new} | taken.parked
        for row in taken.leftovers:
            row.barrier = self.polls + 1  # a fresh barrier: they live in memory
        self.outbox.add(taken.leftovers)
        self.barriers.forget(wanted - new)
        self.ends = {}
        self.merge.assign(taken.offsets)
        self.parts.reader.assign(taken.offsets)
        await self.pipeline.changed(wanted)
        OWNED.labels(self.group).set(len(wanted))
        if new:
            await self.publisher.drain()
        self.work += 1
        self.wake()

    async def _back_off(self, error: Exception) -> None:
        self.failures += 1
        RETRIES.labels(self.group).inc()
        log.warning("turn_retried", error=repr(error), failures=self.failures)
        await asyncio.sleep(min(2.0, 0.05 * 2 ** min(self.failures, 6)) * (0.6 + os.getpid() % 5 / 10))
        while not self.stopping:
            try:
                await self._reload(self.owned)
            except Fenced as fenced:
                await self._reload(self.owned - fenced.partitions)
            except Exception as again:
                if not (isinstance(again, Retry) or is_transient(again)):
                    raise
                await asyncio.sleep(0.5)
            else:
                return

    async def _turn(self) -> None:
        self.publisher.check()
        forced = await self._read()
        self.polls += 1
        probe = asyncio.create_task(self._probe(self.polls))
        try:
            if sum(map(len, self.merge.queues.values())) < SMALL:
                await asyncio.shield(probe)
            plan = self._plan(self.merge.take(self.poll_records, self.ends))
            due = self.parts.clock.elapsed() - self.turned_at >= HEARTBEAT
            if self.owned and (plan.turn.records or plan.turn.released or forced or due):
                await self._apply(plan, probe)
            else:
                await probe
            self.publisher.kick()
        finally:
            if not probe.done():
                probe.cancel()
            elif not probe.cancelled():
                probe.exception()

    async def _read(self) -> bool:
        """Wait for records or a wake-up; whether it was a wake-up."""
        backlog = any(self.merge.queues.values()) and self.ends != {}
        seconds = 0.01 if backlog else HEARTBEAT / 2 if self.owned else 0.05
        paused = [place for place in self.merge.queues if self.merge.waiting(place) >= BUFFERED]
        fetch = asyncio.ensure_future(self.parts.reader.fetch(0 if self.woken.is_set() else seconds, paused=paused))
        woken = asyncio.ensure_future(self.woken.wait())
        self.busy = backlog or self.woken.is_set()
        try:
            await asyncio.wait({fetch, woken}, return_when=asyncio.FIRST_COMPLETED)
            got = await self._fetched(fetch)
        finally:
            self.busy = True
            woken.cancel()
            fetch.cancel()
        for place, records in got.items():
            self._buffer(place, records)
        forced = self.woken.is_set()
        self.woken.clear()
        return forced

    @staticmethod
    async def _fetched(
        fetch: asyncio.Future[dict[Place, list[Received]]],
    ) -> dict[Place, list[Received]]:
        if not fetch.done():
            fetch.cancel()
        try:
            return await fetch
        except asyncio.CancelledError:
            if not fetch.cancelled():
                raise
            return {}

    def _buffer(self, place: Place, records: list[Received]) -> None:
        if place in self.merge.queues:
            new = [record for record in records if record.offset >= self.merge.position[place]]
            if new:
                self.merge.add(place, new, new[-1].offset + 1)
                self.work += 1

    async def _probe(self, number: int) -> Probe:
        seen = self.parts.clock.now()
        ends = await self.parts.probes.ends(list(self.ownership.offsets))
        probe = Probe(number, seen, ends)
        self.barriers.add(probe)
        self.ends = ends
        return probe

    def _plan(self, records: list[Received]) -> Plan:
        offsets = dict(self.ownership.offsets)
        moves: dict[Place, tuple[int, int]] = {}
        for record in records:
            place = (record.topic, record.partition)
            moves[place] = (self.ownership.offsets[place], record.offset + 1)
            offsets[place] = record.offset + 1
        passed = self.barriers.advance(self.owned, offsets)
        self.released = self.outbox.passed({p: probe.number for p, probe in passed.items()})
        turn = Turn(
            records=records,
            now=self.parts.clock.now(),
            owned=self.owned,
            fire_until={p: probe.seen for p, probe in passed.items()},
            offsets=offsets,
            cluster=self.ownership.cluster,
            released=frozenset(row.id for row in self.released),
            held=frozenset(self.outbox.waiting),
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
        assert self.transactor is not None  # noqa: S101 - run() made it
        while True:
            started = self.parts.clock.elapsed()
            try:
                written = await self.transactor.commit(self.parts.pool, plan)
                break
            except asyncpg.PostgresError as error:
                if not is_data_error(error):
                    raise
                key = await self.transactor.culprit(self.parts.pool, plan)
                if key is None:
                    raise
                log.error("customer_parked", error=repr(error))
                plan.forced[key] = type(error).__name__
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
        self.outbox.release(row for row in self.released if row.id not in written.applied.withdrawn)
        del self.outbox.acked[: len(plan.acked)]
        for key in written.unparked:
            self.parked.pop(key, None)
        self.parked.update(written.parked)
        self.turned_at = self.parts.clock.elapsed()
        if plan.moves:
            self.moved_at = self.turned_at
        if plan.moves or written.rows or written.applied.again:
            self.work += 1
        if written.applied.again:
            self.wake()
        self.pipeline.committed(written.turn, written.applied)
        self._measure(len(plan.turn.records))

    def _release_own(self, written: Written) -> None:
        """Sends of this very turn whose barrier has passed already were decided knowing all that the log held."""
        passed = self.barriers.advance(self.owned, self.ownership.offsets)
        numbers = {p: probe.number for p, probe in passed.items()}
        fresh = {row.slot for row in written.rows}
        self.outbox.release([row for row in self.outbox.passed(numbers) if row.slot in fresh])

    def _measure(self, records: int) -> None:
        TURNS.labels(self.group).inc()
        RECORDS.labels(self.group).inc(records)
        OUTBOX.labels(self.group).set(len(self.outbox))
        HELD.labels(self.group).set(len(self.outbox.waiting))
        PARKED.labels(self.group).set(len(self.parked))
