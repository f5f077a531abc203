"""Is this still the database that was written to? If not, timers stand still until a person says that they may go on.

A restored, cloned or promoted one is known by its system identifier, timeline and place, which are compared whenever
partition numbers are taken or read anew (every failed transaction leads there). One that has lost what it had
committed, to a standby that lagged, is known by ``WentBack``.
"""

from __future__ import annotations

from typing import Any

import asyncpg

from tabiji_common.failpoints import Failpoint
from tabiji_common.logs import logger
from tabiji_common.metrics import RESTORED
from tabiji_common.postgres import Connection

log = logger(__name__)
RELEASED = Failpoint("runtime.restore.released", "a person's release is written, not committed")

# The newest checkpoint's timeline is the old one for a while after a promotion; the file that is written to now tells
# at once, but a standby writes none.
_HERE = """
SELECT s.system_identifier::text,
    CASE WHEN pg_is_in_recovery() THEN c.timeline_id::bigint
        ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint END AS timeline,
    coalesce((SELECT setting FROM pg_settings WHERE name = 'data_directory'), '') AS place
FROM pg_control_system() s, pg_control_checkpoint() c
"""
PARTS = ("system_identifier", "timeline", "place")
_KNOWN = "SELECT system_identifier, timeline, place, why FROM known_database WHERE grp = $1 FOR UPDATE"
_REMEMBER = """
INSERT INTO known_database AS k (grp, system_identifier, timeline, place, released_by) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (grp) DO UPDATE SET system_identifier = excluded.system_identifier, timeline = excluded.timeline,
    place = excluded.place, why = '', released_by = excluded.released_by
"""
_HOLD = "UPDATE known_database SET why = $2 WHERE grp = $1"


Identity = tuple[str, int, str]


async def identity(tx: Connection) -> Identity:
    """System identifier, timeline, and the data folder's place where this role may see it."""
    row = await tx.fetchrow(_HERE)
    assert row is not None  # noqa: S101 - both functions return one row
    return row["system_identifier"], row["timeline"], row["place"]


def changed(known: Any, here: Identity) -> str:
    """Which part of the identity is another one; empty for none, and for a database seen for the first time."""
    if known is None or known["system_identifier"] == "":
        return ""
    return ", ".join(name for name, now in zip(PARTS, here, strict=True) if known[name] not in {now, ""})


async def release(tx: Connection, group: str, by: str) -> bool:
    """A person takes the database as it is now; whether the group was held. Its processes see it within a second."""
    known = await tx.fetchrow(_KNOWN, group)
    await tx.execute(_REMEMBER, group, *await identity(tx), by)
    await RELEASED()
    return bool(known and known["why"])


class RestoreGuard:
    """What one process of a group knows of it; ``why`` is empty while timers may fire."""

    def __init__(self, group: str) -> None:
        self.group = group
        self.why = ""
        self._lost = ""

    def lost(self, why: str) -> None:
        """Committed turns are gone: timers stand still from now on; ``examine`` writes it down."""
        self._lost = self.why = why
        RESTORED.labels(self.group).set(1)
        log.error("database_went_back", why=why, timers="paused")

    async def examine(self, tx: Connection) -> None:
        """Compare the database with the one that is remembered."""
        known, here = await tx.fetchrow(_KNOWN, self.group), await identity(tx)
        why = self._lost or changed(known, here)
        if known is None:
            await tx.execute(_REMEMBER, self.group, *here, "")
        if why:
            await tx.execute(_HOLD, self.group, why)
        self._see(why or (known["why"] if known else ""))

    async def look(self, pool: asyncpg.Pool[Any]) -> None:
        """Whether somebody has released it; asked while it is held."""
        if self.why and not self._lost:
            async with pool.acquire() as connection, connection.transaction():
                known = await connection.fetchrow(_KNOWN, self.group)
            self._see(known["why"] if known else "")

    def written(self) -> None:
        """What ``examine`` wrote is committed."""
        self._lost = ""

    def _see(self, why: str) -> None:
        if why != self.why:
            log.warning("database_examined", why=why, timers="paused" if why else "released")
        self.why = why
        RESTORED.labels(self.group).set(bool(why))
