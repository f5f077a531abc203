"""Is this still the database we wrote to? A restored or cloned one holds every send until a person releases it.

Compared are the system identifier, the timeline and the data folder's place at every start, and while running a
heartbeat: a counter that goes back means that the database did (a failover to a standby that lagged). The runtime,
which notices every turn that was lost, holds sends as well; one release is for both.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tabiji_common.clock import Clock
from tabiji_common.failpoints import Failpoint
from tabiji_common.kafka import restore as runtime
from tabiji_common.logs import logger
from tabiji_common.postgres import is_transient
from tabiji_dispatch import metrics

log = logger(__name__)
GROUP = "dispatch"

IN_EXAMINE = Failpoint("dispatch.examine.before_commit", "the database is looked at before anything starts")
IN_RELEASE = Failpoint("dispatch.release.before_commit", "a person's release is written, not committed")
IN_BEAT = Failpoint("dispatch.beat.before_commit", "a heartbeat is written, not committed")

_KNOWN = "SELECT system_identifier, timeline, place, beat, restore FROM installation WHERE id = 1 FOR UPDATE"
_REMEMBER = "UPDATE installation SET system_identifier = $1, timeline = $2, place = $3 WHERE id = 1"
_HOLD = "UPDATE installation SET restore = true, why = $1, released_by = '' WHERE id = 1"
_BEAT = "UPDATE installation SET beat = beat + 1 WHERE id = 1 RETURNING beat, restore"
_RELEASE = """
UPDATE installation SET restore = false, why = '', released_by = $4, system_identifier = $1, timeline = $2, place = $3
WHERE id = 1
"""


class RestoreWatch:
    """Looks at the database's identity; ``period`` in seconds."""

    def __init__(self, pool: Any, clock: Clock, period: float) -> None:
        self._pool = pool
        self._clock = clock
        self._period = period
        self._beat = -1

    async def examine(self) -> str:
        """Compare with what is remembered; the reason for restore mode, empty where all is as it was."""
        async with self._pool.acquire() as connection, connection.transaction():
            here = await runtime.identity(connection)
            known = await connection.fetchrow(_KNOWN)
            why = runtime.changed(known, here)
            if known["system_identifier"] == "":
                await connection.execute(_REMEMBER, *here)
            elif why:
                await connection.execute(_HOLD, why)
            metrics.RESTORE.set(bool(why or known["restore"]))
            await IN_EXAMINE()
        if why:
            log.error("sends_held", why=why)
        return why

    async def release(self, by: str) -> bool:
        """A person says that sending may go on; whether it was held."""
        async with self._pool.acquire() as connection, connection.transaction():
            known = await connection.fetchrow(_KNOWN)
            here = await runtime.identity(connection)
            await connection.execute(_RELEASE, *here, by)
            lost = await runtime.release(connection, GROUP, by)
            await IN_RELEASE()
        metrics.RESTORE.set(0)
        return bool(known["restore"]) or lost

    async def run(self) -> None:
        """Beat for ever."""
        while True:
            try:
                await self.beat()
            except Exception as error:
                if not is_transient(error):
                    raise
            await asyncio.sleep(self._period)

    async def beat(self) -> None:
        """One beat; a counter that went back, or another identity, holds every send."""
        async with self._pool.acquire() as connection, connection.transaction():
            other = runtime.changed(await connection.fetchrow(_KNOWN), await runtime.identity(connection))
            beat, restore = await connection.fetchrow(_BEAT)
            why = "heartbeat" if beat <= self._beat else other
            if why and not restore:
                await connection.execute(_HOLD, why)
                log.error("sends_held", why=why, beat=beat, known=self._beat)
                restore = True
            await IN_BEAT()
        self._beat = beat
        metrics.RESTORE.set(bool(restore))
