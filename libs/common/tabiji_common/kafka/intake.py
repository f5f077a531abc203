"""Waiting for the log or for a wake-up, whichever comes first, and keeping what was read until it is merged."""

from __future__ import annotations

import asyncio

from tabiji_common.kafka.merge import Merge, Place
from tabiji_common.kafka.ports import Reader
from tabiji_common.kafka.turn import Received

BUFFERED = 4000  # records of one place read ahead; beyond that the place is paused


class Intake:
    """Reads into ``merge``; ``busy`` is false only while it waits with nothing to do."""

    def __init__(self, reader: Reader, merge: Merge) -> None:
        self.reader, self.merge = reader, merge
        self.woken = asyncio.Event()
        self.busy = True
        self.work = 0

    async def read(self, seconds: float, *, backlog: bool) -> bool:
        """Wait at most ``seconds``; whether somebody woke the loop. A wake-up during a fetch loses nothing."""
        paused = [place for place in self.merge.queues if self.merge.waiting(place) >= BUFFERED]
        fetch = asyncio.ensure_future(self.reader.fetch(0 if self.woken.is_set() else seconds, paused=paused))
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
            self._keep(place, records)
        forced = self.woken.is_set()
        self.woken.clear()
        return forced

    @staticmethod
    async def _fetched(fetch: asyncio.Future[dict[Place, list[Received]]]) -> dict[Place, list[Received]]:
        if not fetch.done():
            fetch.cancel()
        try:
            return await fetch
        except asyncio.CancelledError:
            if not fetch.cancelled():
                raise
            return {}

    def _keep(self, place: Place, records: list[Received]) -> None:
        if place in self.merge.queues:
            new = [record for record in records if record.offset >= self.merge.position[place]]
            if new:
                self.merge.add(place, new, new[-1].offset + 1)
                self.work += 1
