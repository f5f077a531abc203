"""Taking partition numbers: proof of membership, epochs, committed offsets, and what earlier owners left."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from tabiji_common.errors import Misconfigured
from tabiji_common.failpoints import Failpoint
from tabiji_common.kafka import parking, store
from tabiji_common.kafka.merge import Place
from tabiji_common.kafka.outbox import Row
from tabiji_common.kafka.ports import Parts
from tabiji_common.kafka.restore import RestoreGuard
from tabiji_common.logs import logger
from tabiji_common.metrics import TAKEN
from tabiji_common.postgres import end_stopped

log = logger(__name__)
BUMPED = Failpoint("runtime.take.bumped", "the epochs are taken and committed, offsets and outbox not yet read")
REJOIN_AFTER = 40  # failed proofs, 0.1 s apart


@dataclass(frozen=True, slots=True)
class Taken:
    """What the committed state says of the numbers now owned: next offsets, outbox in order, parked customers."""

    offsets: dict[Place, int]
    leftovers: list[Row]
    parked: dict[str, int]


class Ownership:
    """Epochs by number, and next offsets by place, of what this process owns."""

    def __init__(self, group: str, parts: Parts, inputs: Sequence[str]) -> None:
        self.group, self.parts, self.inputs = group, parts, inputs
        self.epochs: dict[int, int] = {}
        self.offsets: dict[Place, int] = {}
        self.cluster = ""
        self.restore = RestoreGuard(group)
        self._unproven = 0
        self._joined = False

    async def join(self) -> str:
        """Connect and join; the cluster's id. Where a part fails, those that are connected already are let go of."""
        try:
            self.cluster = await self.parts.probes.start()
            await self.parts.reader.start()
            await self._rejoin()
        except BaseException:
            await self.leave()
            raise
        return self.cluster

    async def leave(self) -> None:
        """Leave the group and disconnect; a log that does not answer is left as it is."""
        for stop in (self.parts.membership.stop, self.parts.reader.stop, self.parts.probes.stop):
            try:
                await asyncio.wait_for(stop(), 5)
            except Exception as error:  # noqa: BLE001 - the process ends, whatever the client says
                log.warning("left_without_answer", error=repr(error))

    def forget(self, partitions: frozenset[int]) -> None:
        """These are another process's now."""
        self.epochs = {p: epoch for p, epoch in self.epochs.items() if p not in partitions}
        self.offsets = {place: offset for place, offset in self.offsets.items() if place[1] not in partitions}

    async def proven(self, wanted: frozenset[int]) -> bool:
        """Whether the group still counts this process in; after many failures it joins anew."""
        if await self.parts.membership.prove(wanted):
            self._unproven = 0
            return True
        self._unproven += 1
        await asyncio.sleep(0.1)
        if self._unproven >= REJOIN_AFTER:
            log.warning("rejoining", group=self.group)
            self._joined = False
            await self._rejoin()
        return False

    async def wanted(self) -> frozenset[int]:
        """The numbers that the group assigns to this process; empty while it is being rearranged."""
        await self._rejoin()
        return self.parts.membership.assigned()

    async def _rejoin(self) -> None:
        if not self._joined:
            await self.parts.membership.stop()
            await self.parts.membership.start()
            self._joined, self._unproven = True, 0

    async def bump(self, new: frozenset[int]) -> dict[int, int]:
        """The next epochs of these numbers. Who holds them for as long as a lock may take may be stopped: the next try
        finds it gone.
        """
        async with self.parts.pool.acquire() as connection:
            try:
                return await store.bump(connection, self.group, new)
            except asyncpg.LockNotAvailableError:
                log.warning("numbers_held", group=self.group, ended=await end_stopped(connection))
                raise

    async def take(self, wanted: frozenset[int], new: frozenset[int]) -> Taken:
        """Own exactly ``wanted``; the numbers in ``new`` get a new epoch, and only then is their state read."""
        epochs = {p: epoch for p, epoch in self.epochs.items() if p in wanted}
        if new:
            epochs |= await self.bump(new)
            await BUMPED()
            TAKEN.labels(self.group).inc(len(new))
            log.info("partitions_taken", partitions=sorted(new))
        # nobody else moves these offsets any more; and no transaction stays open while the log is asked
        places = [(topic, p) for topic in self.inputs for p in sorted(wanted)]
        starts, ends = await self.parts.probes.starts(places), await self.parts.probes.ends(places)
        async with self.parts.pool.acquire() as connection, connection.transaction():
            await store.hold(connection, self.group, epochs)
            await self.restore.examine(connection)
            found = await store.offsets(connection, self.group, self.cluster, wanted)
            first = {place: starts[place] for place in places if place not in found}
            if first:
                await store.begin_offsets(connection, self.group, self.cluster, first)
            leftovers = await store.leftovers(connection, wanted)
            parked = await parking.parked_keys(connection, wanted)
        self.restore.written()
        offsets = {place: found.get(place, starts[place]) for place in places}
        _refuse_gaps(offsets, starts, ends)
        self.epochs, self.offsets = epochs, offsets  # only now: a number half taken is taken again
        return Taken(offsets, leftovers, parked)


def _refuse_gaps(offsets: Mapping[Place, int], starts: Mapping[Place, int], ends: Mapping[Place, int]) -> None:
    for (topic, p), offset in offsets.items():
        start, end = starts[topic, p], ends[topic, p]
        if not start <= offset <= end:
            raise Misconfigured(
                f"{topic}/{p}: the next offset is {offset}, the log has {start} to {end};"
                " the log was cut or replaced, and nothing is skipped silently"
            )
