"""Taking partition numbers: proof of membership, epochs, committed offsets, and what earlier owners left."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tabiji_common.errors import Misconfigured
from tabiji_common.kafka import store
from tabiji_common.kafka.merge import Place
from tabiji_common.kafka.outbox import Row
from tabiji_common.logs import logger
from tabiji_common.metrics import TAKEN
from tabiji_common.postgres import Connection

if TYPE_CHECKING:
    from tabiji_common.kafka.loop import Parts

log = logger(__name__)
REJOIN_AFTER = 40  # failed proofs, 0.1 s apart


@dataclass(frozen=True, slots=True)
class Taken:
    """What the committed state says of the numbers now owned."""

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
        self._unproven = 0

    async def join(self) -> str:
        """Connect and join; the cluster's id."""
        self.cluster = await self.parts.probes.start()
        await self.parts.reader.start()
        await self.parts.membership.start()
        return self.cluster

    async def leave(self) -> None:
        """Leave the group and disconnect."""
        await self.parts.membership.stop()
        await self.parts.reader.stop()
        await self.parts.probes.stop()

    async def proven(self, wanted: frozenset[int]) -> bool:
        """Whether the group still counts this process in; after many failures it joins anew."""
        if await self.parts.membership.prove(wanted):
            self._unproven = 0
            return True
        self._unproven += 1
        await asyncio.sleep(0.1)
        if self._unproven >= REJOIN_AFTER:
            self._unproven = 0
            log.warning("rejoining", group=self.group)
            await self.parts.membership.stop()
            await self.parts.membership.start()
        return False

    async def take(self, wanted: frozenset[int], new: frozenset[int]) -> Taken:
        """Own exactly ``wanted``; the numbers in ``new`` get a new epoch, and only then is their state read."""
        epochs = {p: epoch for p, epoch in self.epochs.items() if p in wanted}
        async with self.parts.pool.acquire() as connection:
            if new:
                epochs |= await store.bump(connection, self.group, new)
                TAKEN.labels(self.group).inc(len(new))
                log.info("partitions_taken", partitions=sorted(new))
            async with connection.transaction():
                await store.hold(connection, self.group, epochs)
                offsets = await self._offsets(connection, wanted)
                leftovers = await store.leftovers(connection, new)
                parked = await store.parked_keys(connection, new)
        self.epochs, self.offsets = epochs, offsets  # only now: a number half taken is taken again
        return Taken(offsets, leftovers, parked)

    async def _offsets(self, connection: Connection, wanted: frozenset[int]) -> dict[Place, int]:
        places = [(topic, p) for topic in self.inputs for p in sorted(wanted)]
        found = await store.offsets(connection, self.group, self.cluster, wanted)
        starts, ends = await self.parts.probes.starts(places), await self.parts.probes.ends(places)
        first = {place: starts[place] for place in places if place not in found}
        if first:
            await store.begin_offsets(connection, self.group, self.cluster, first)
        offsets = {place: found.get(place, starts[place]) for place in places}
        for place, offset in offsets.items():
            if not starts[place] <= offset <= ends[place]:
                raise Misconfigured(
                    f"{place[0]}/{place[1]}: the next offset is {offset}, the log has {starts[place]} to {ends[place]};"
                    " the log was cut or replaced, and nothing is skipped silently"
                )
        return offsets
