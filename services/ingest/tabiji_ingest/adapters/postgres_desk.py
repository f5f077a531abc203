"""What operators do with write keys: list, make, rotate, revoke. A key is named by its ``id``, which opens nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from tabiji_common import operators
from tabiji_common.clock import Clock
from tabiji_common.failpoints import Failpoint
from tabiji_common.postgres import Connection
from tabiji_ingest.adapters.postgres import create_key
from tabiji_ingest.domain.access import key_hash

ROTATED = Failpoint("ingest.keys.rotated", "a write key has its successor, not committed")
LONGEST_GRACE = timedelta(days=90)
_ID = "encode(substring(hash FOR 6), 'hex')"
_LIST = f"""
SELECT {_ID} AS id, name, workspace, scope, created_at, revoked_at, revoked_at IS NULL OR revoked_at > $1 AS open
FROM write_key WHERE $2::text IS NULL OR workspace = $2 ORDER BY created_at, id
"""  # noqa: S608 - a constant
_OPEN = f"SELECT hash, name, workspace, scope FROM write_key WHERE {_ID} = $1 AND revoked_at IS NULL FOR UPDATE"  # noqa: S608 - a constant
_CLOSE = f"UPDATE write_key SET revoked_at = $2 WHERE {_ID} = $1 AND (revoked_at IS NULL OR revoked_at > $2)"  # noqa: S608 - a constant
_UNTIL = "UPDATE write_key SET revoked_at = $2 WHERE hash = $1"

Row = dict[str, Any]


class WriteKeyDesk:
    """Write keys for people. Running services follow a change within their refresh, a new key works at once."""

    def __init__(self, pool: asyncpg.Pool[Any], clock: Clock) -> None:
        self.pool, self.clock = pool, clock

    async def listed(self, workspace: str | None = None) -> Sequence[Row]:
        """Every key there ever was, of one workspace or of all; ``open`` is whether it works now."""
        return [dict(row) for row in await self.pool.fetch(_LIST, self.clock.wall(), workspace)]

    async def create(self, workspace: str, scope: str, name: str) -> Row:
        """A new key, shown this once. Raises ``ValueError``."""
        return await _made(self.pool, workspace, scope, name)

    async def rotate(self, id_: str, grace: timedelta) -> Row | None:
        """A new key in place of the open one ``id_``, which works until ``grace`` is over; ``None`` for no such key."""
        async with self.pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(_OPEN, id_)
            if row is None:
                return None
            until: datetime = self.clock.wall() + grace
            await connection.execute(_UNTIL, row["hash"], until)
            made = await _made(connection, row["workspace"], row["scope"], row["name"])
            await ROTATED()
        return {**made, "predecessor": id_, "predecessor_works_until": until}

    async def revoke(self, id_: str) -> bool:
        """Close the key ``id_``, for good. False where no such key is open."""
        return bool(await self.pool.execute(_CLOSE, id_, self.clock.wall()) == "UPDATE 1")

    async def audit(self, limit: int, before: int | None) -> Sequence[Row]:
        """Who changed what, in every service, the newest first."""
        return await operators.acts(self.pool, limit, before)


async def _made(connection: asyncpg.Pool[Any] | Connection, workspace: str, scope: str, name: str) -> Row:
    key = await create_key(connection, workspace, scope, name)
    return {"id": key_hash(key)[:6].hex(), "key": key, "workspace": workspace, "scope": scope, "name": name}
