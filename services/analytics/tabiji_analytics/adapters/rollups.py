"""Rollup cells in PostgreSQL: one sorted upsert a table and turn."""

from __future__ import annotations

from functools import cache
from zoneinfo import ZoneInfo

from tabiji_analytics.adapters.columns import columns
from tabiji_analytics.adapters.tables import array_type, key_columns, value_columns
from tabiji_analytics.domain.deltas import CellDeltas
from tabiji_common.postgres import Connection

_ZONES = "SELECT zone FROM rolled_zone ORDER BY zone"


@cache
def _upsert(rollup: str) -> str:
    keys, values = ["workspace", "p", *key_columns(rollup)], value_columns(rollup)
    arrays = ", ".join(f"${n}::{array_type(rollup, name)}" for n, name in enumerate([*keys, *values], 1))
    sums = ", ".join(f"{name} = c.{name} + excluded.{name}" for name in values)
    # All names come from adapters/tables.py.
    return (
        f"INSERT INTO {rollup} AS c ({', '.join([*keys, *values])}) SELECT * FROM unnest({arrays})"  # noqa: S608
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {sums}"
    )


class PostgresRollups:
    """``ports.Rollups``."""

    async def zones(self, tx: Connection) -> list[ZoneInfo]:
        """The zones that months are kept for; reading them holds off a change until the transaction ends."""
        return [ZoneInfo(row[0]) for row in await tx.fetch(_ZONES)]

    async def add(self, tx: Connection, rollup: str, deltas: CellDeltas) -> None:
        """Add to cells; deltas of nothing but zeros are left out."""
        rows = [(*key, *values) for key, values in sorted(deltas.items()) if any(values)]
        if rows:
            await tx.execute(_upsert(rollup), *columns(rows, 0))
