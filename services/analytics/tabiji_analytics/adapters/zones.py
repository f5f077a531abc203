"""The zones whose months are rolled up: settled at start, so that a changed setting never leaves a zone half full."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import asyncpg

from tabiji_analytics.adapters.from_facts import PLANNER, query
from tabiji_common.failpoints import Failpoint

IN_SETTLE = Failpoint("analytics.zones.before_commit", "other zones are rolled up, not committed")

_FILL = (
    "INSERT INTO cohort_cell (workspace, p, zone, currency, cohort, month, active_customers, orders, revenue_minor,"
    " entries, first_orders, first_order_minor) "
)


async def settle(patient: asyncpg.Pool[Any], zones: Iterable[str]) -> None:
    """Roll up exactly ``zones``: new ones are filled from facts, others dropped; every turn waits meanwhile."""
    wanted = sorted(set(zones))
    async with patient.acquire() as connection:
        if await _kept(connection) == wanted:
            return
        async with connection.transaction():
            # Every turn reads this table first, which waits for this lock, and this lock for every turn under way.
            await connection.execute("LOCK TABLE rolled_zone IN ACCESS EXCLUSIVE MODE")
            kept = await _kept(connection)
            await connection.execute("DELETE FROM cohort_cell WHERE zone <> ALL($1::text[])", wanted)
            await connection.execute("DELETE FROM rolled_zone WHERE zone <> ALL($1::text[])", wanted)
            new = [zone for zone in wanted if zone not in kept]
            await connection.execute(PLANNER)
            await connection.execute(_FILL + query("cohort_cell"), new, None)
            await connection.execute("INSERT INTO rolled_zone (zone) SELECT unnest($1::text[])", new)
            await IN_SETTLE()


async def _kept(connection: asyncpg.pool.PoolConnectionProxy[Any]) -> list[str]:
    return [row[0] for row in await connection.fetch('SELECT zone FROM rolled_zone ORDER BY zone COLLATE "C"')]
