"""Moves of enrollments in PostgreSQL, set-based."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tabiji_analytics.adapters.columns import columns, rows_of
from tabiji_analytics.domain import funnel
from tabiji_analytics.domain.facts import Moved, Who
from tabiji_analytics.domain.funnel import FunnelCell
from tabiji_common.postgres import Connection

_OF = """
SELECT DISTINCT ON (enrollment, journey, version, what, from_state, to_state, reason, holdout, arms)
       key, occurred_at, enrollment, journey, version, what, from_state, to_state, reason, holdout, arms
FROM transition_fact WHERE enrollment = ANY($1::text[])
"""
_ADD = """
INSERT INTO transition_fact (workspace, customer, key, occurred_at, enrollment, journey, version, what, from_state,
                             to_state, reason, holdout, arms, seq)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::bytea[], $4::timestamptz[], $5::text[], $6::text[], $7::int[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::bool[], $13::text[], $14::int[]
) ON CONFLICT DO NOTHING RETURNING key
"""


class PostgresMoves:
    """``ports.MoveBook``."""

    async def cells(self, tx: Connection, enrollments: Collection[str]) -> set[tuple[str, FunnelCell]]:
        """The cells that these enrollments are counted in already."""
        rows = [Moved(*row) for row in await tx.fetch(_OF, list(enrollments))]
        return {(moved.enrollment, cell) for moved in rows for cell in funnel.cells(moved)}

    async def add(self, tx: Connection, moves: Sequence[tuple[Who, Moved]]) -> set[bytes]:
        """Insert; the keys of those that were new."""
        return {row[0] for row in await tx.fetch(_ADD, *columns(rows_of(moves), 14))}
