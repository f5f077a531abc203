"""Moves of enrollments in PostgreSQL, set-based."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tabiji_common.postgres import Connection

from tabiji_analytics.adapters.columns import columns
from tabiji_analytics.domain import funnel
from tabiji_analytics.domain.facts import Moved, Who
from tabiji_analytics.domain.funnel import FunnelCell

_OF = """
SELECT DISTINCT ON (enrollment, journey, version, what, from_state, to_state, reason, holdout, arms)
       key, occurred_at, enrollment, journey, version, what, from_state, to_state, reason, holdout, arms
FROM transition_fact WHERE enrollment = ANY($1::text[])
"""
_ADD = """
INSERT INTO transition_fact (key, workspace, customer, occurred_at, enrollment, journey, version, what, from_state, to_state,
                             reason, holdout, arms)
SELECT * FROM unnest(
    $1::bytea[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::int[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::bool[], $13::text[]
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
        rows = [
            (m.key, *who, m.occurred_at, m.enrollment, m.journey, m.version, m.what, m.from_state, m.to_state)
            + (m.reason, m.holdout, m.arms)
            for who, m in sorted(moves, key=lambda pair: pair[1].key)
        ]
        return {row[0] for row in await tx.fetch(_ADD, *columns(rows, 13))}
