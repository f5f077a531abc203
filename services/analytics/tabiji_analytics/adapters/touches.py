"""Touches in PostgreSQL, set-based."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tabiji_analytics.adapters.columns import columns, rows_of, whose
from tabiji_analytics.domain.contribution import Touch
from tabiji_analytics.domain.facts import Touched, Who
from tabiji_common.postgres import Connection

_FIRST = """
SELECT w.workspace, w.customer, t.occurred_at, t.key, t.medium
FROM unnest($1::text[], $2::text[]) AS w(workspace, customer), LATERAL (
    SELECT f.occurred_at, f.key, f.medium FROM touch_fact f
    WHERE f.workspace = w.workspace AND f.customer = w.customer ORDER BY f.occurred_at, f.key LIMIT 1
) t
"""
_ADD = """
INSERT INTO touch_fact (workspace, customer, key, occurred_at, medium)
SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::timestamptz[], $5::text[])
ON CONFLICT DO NOTHING RETURNING key
"""
_TAKE = """
DELETE FROM touch_fact t USING unnest($1::text[], $2::text[]) AS w(workspace, customer)
WHERE t.workspace = w.workspace AND t.customer = w.customer
RETURNING t.workspace, t.customer, t.key, t.occurred_at, t.medium
"""


class PostgresTouches:
    """``ports.TouchBook``."""

    async def first(self, tx: Connection, whos: Collection[Who]) -> dict[Who, Touch]:
        """The earliest touch of each of these customers."""
        return {(row[0], row[1]): (row[2], row[3], row[4]) for row in await tx.fetch(_FIRST, *whose(whos))}

    async def add(self, tx: Connection, touches: Sequence[tuple[Who, Touched]]) -> set[bytes]:
        """Insert; the keys of those that were new."""
        return {row[0] for row in await tx.fetch(_ADD, *columns(rows_of(touches), 5))}

    async def take(self, tx: Connection, whos: Collection[Who]) -> dict[Who, list[Touched]]:
        """Delete and return all touches of these customers."""
        found: dict[Who, list[Touched]] = {}
        for workspace, customer, key, occurred_at, medium in await tx.fetch(_TAKE, *whose(whos)):
            found.setdefault((workspace, customer), []).append(Touched(key, occurred_at, medium))
        return found
