"""Rows of views: rolled-up ones from the SQL views, those of any other zone from facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from tabiji_analytics.adapters.from_facts import fetch
from tabiji_analytics.domain.catalog import View
from tabiji_common.postgres import Connection

Row = dict[str, Any]


async def rolled_zones(connection: Connection) -> list[str]:
    """The zones whose months are rolled up."""
    return [row[0] for row in await connection.fetch("SELECT zone FROM rolled_zone ORDER BY zone")]


async def from_rollups(connection: Connection, view: View) -> list[Row]:
    """All rows of a view."""
    return _rows(view, await connection.fetch(f"SELECT {', '.join(view.columns)} FROM {view.name}"))  # noqa: S608 - catalog


async def from_facts(
    connection: Connection, view: View, zones: Sequence[str], workspace: str | None = None
) -> list[Row]:
    """The rows that the view should have, computed from facts."""
    return _rows(view, await fetch(connection, view.name, zones, workspace))


class Views:
    """What the HTTP API and the command line read; ``patient`` is a pool without the short timeouts."""

    def __init__(self, pool: asyncpg.Pool[Any], patient: asyncpg.Pool[Any]) -> None:
        self._pool = pool
        self._patient = patient

    async def rows(self, view: View, workspace: str, zone: str, currency: str | None = None) -> list[Row]:
        """Sorted rows of one workspace and zone; of all currencies unless one is named."""
        rows = await self._rolled(view, workspace, zone)
        if rows is None:
            async with self._patient.acquire() as connection:
                rows = sorted(await from_facts(connection, view, [zone], workspace), key=_by(view))
        return [row for row in rows if currency is None or not view.money or row["currency"] == currency]

    async def _rolled(self, view: View, workspace: str, zone: str) -> list[Row] | None:
        async with self._pool.acquire() as connection:
            if view.zoned and zone not in await rolled_zones(connection):
                return None
            return _rows(view, await connection.fetch(_select(view), workspace, *([zone] if view.zoned else [])))


def _select(view: View) -> str:
    return (
        f"SELECT {', '.join(view.columns)} FROM {view.name} WHERE workspace = $1"  # noqa: S608 - names from the catalog
        f"{' AND zone = $2' if view.zoned else ''} ORDER BY {', '.join(view.order)}"
    )


def _by(view: View) -> Any:
    return lambda row: tuple(row[column] for column in view.order)


def _rows(view: View, found: Sequence[Any]) -> list[Row]:
    return [{column: row[column] for column in view.columns} for row in found]
