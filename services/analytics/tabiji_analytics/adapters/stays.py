"""How long people stand in the states of a journey: medians of a sample, whose cost does not grow with the facts."""

from __future__ import annotations

from typing import Any

import asyncpg

Row = dict[str, Any]

PAGES = 600  # that are read at most: of 8 kB, some 20,000 moves

_SIZE = "SELECT pg_relation_size('transition_fact') / current_setting('block_size')::bigint"
_STAYS = """
SELECT l.from_state AS state, count(*) AS people, percentile_cont(0.5) WITHIN GROUP (
  ORDER BY extract(epoch FROM l.occurred_at - c.occurred_at)::float8) AS median_seconds
FROM transition_fact l TABLESAMPLE SYSTEM ($4) REPEATABLE (1)
CROSS JOIN LATERAL (
  SELECT occurred_at FROM transition_fact c WHERE c.enrollment = l.enrollment AND c.seq = l.seq - 1 LIMIT 1) c
WHERE l.workspace = $1 AND l.journey = $2 AND l.version = $3 AND l.from_state IS NOT NULL
GROUP BY l.from_state ORDER BY l.from_state
"""


class Stays:
    """Questions about the time between coming to a state and leaving it."""

    def __init__(self, pool: asyncpg.Pool[Any], pages: int = PAGES) -> None:
        self._pool = pool
        self._pages = pages

    async def medians(self, workspace: str, journey: str, version: int) -> Row:
        """By state: how many of those who left it were looked at, and the median of their stays in seconds.

        ``sample`` is the share of all moves that was read: 1 until they fill more than so many pages. Whole pages are
        drawn, the same ones again until new ones come. Who still stands in a state is in no median.
        """
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            share = min(1.0, self._pages / max(await connection.fetchval(_SIZE), 1))
            rows = await connection.fetch(_STAYS, workspace, journey, version, 100 * share)
        return {"sample": share, "states": [dict(row) for row in rows]}
