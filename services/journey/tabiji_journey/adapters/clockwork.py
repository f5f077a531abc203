"""How timers and held sends stand: asked outside of turns, or once after a takeover."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from tabiji_common.postgres import Connection
from tabiji_journey.ports import Standing

_STANDING = """
SELECT min(first.due_at) AS next_due, count(*) FILTER (WHERE first.due_at <= $2) AS due
FROM unnest($1::int[]) AS mine(p)
CROSS JOIN unnest($3::int[]) AS running(number)
CROSS JOIN LATERAL (
  SELECT t.due_at FROM timer t
  WHERE t.p = mine.p AND t.journey = running.number AND NOT t.held
    AND NOT EXISTS (SELECT FROM parked WHERE parked.key = t.customer)
  ORDER BY t.due_at LIMIT 1
) AS first
"""
_STANDING_READABLE = _STANDING.replace(
    "ORDER BY t.due_at",
    """AND NOT EXISTS (SELECT FROM enrollment e JOIN unnest($4::int[], $5::int[]) AS off(number, version)
      ON off.number = t.journey AND off.version = e.version WHERE e.id = t.enrollment)
  ORDER BY t.due_at""",
)


class StoredClockwork:
    """See ``ports.Clockwork``."""

    async def standing(
        self,
        connection: Connection,
        owned: Iterable[int],
        now: datetime,
        running: Iterable[int],
        unreadable: Collection[tuple[int, int]] = (),
    ) -> Standing:
        """The earliest timer that may fire; ``due`` counts numbers and journeys with any that is due."""
        asked = [list(owned), now, list(running)]
        if unreadable:
            row = await connection.fetchrow(_STANDING_READABLE, *asked, *map(list, zip(*unreadable, strict=True)))
        else:
            row = await connection.fetchrow(_STANDING, *asked)
        return Standing(row["next_due"], row["due"]) if row else Standing(None, 0)

    async def held_sends(self, connection: Connection, owned: Iterable[int]) -> dict[str, tuple[str, int]]:
        """By message key (customer key, p): sends in the outbox that wait for their barrier."""
        rows = await connection.fetch("SELECT id, key, p FROM outbox WHERE held AND p = ANY($1::int[])", list(owned))
        return {row["id"]: (row["key"], row["p"]) for row in rows}

    async def parked(self, connection: Connection, keys: Iterable[str]) -> frozenset[str]:
        """Those of these customers that are parked."""
        rows = await connection.fetch("SELECT key FROM parked WHERE key = ANY($1::text[])", list(keys))
        return frozenset(row["key"] for row in rows)
