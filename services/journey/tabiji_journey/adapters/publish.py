"""Publishing journeys: a document becomes the next version, which never changes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from tabiji_common.failpoints import Failpoint
from tabiji_common.postgres import Connection
from tabiji_journey.domain.document import read
from tabiji_journey.domain.loader import Shop, load

IN_PUBLISH = Failpoint("journey.publish.before_commit", "a definition's version is written, not committed")
AFTER_PUBLISH = Failpoint("journey.publish.after", "a definition's version is committed, nobody is told")

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('journey ' || $1, 0))"
_NEWEST = """
SELECT version, source FROM journey_version WHERE workspace = $1 AND journey = $2 ORDER BY version DESC LIMIT 1
"""
_INSERT = """
INSERT INTO journey_version (workspace, journey, version, published_at, file, source, definition)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_POINT = """
INSERT INTO journey_state (workspace, journey, version, since) VALUES ($1, $2, $3, $4)
ON CONFLICT (workspace, journey) DO UPDATE SET version = excluded.version
"""
_PAUSE = """
UPDATE journey_state SET paused = $3, since = $4 WHERE workspace = $1 AND journey = $2 RETURNING journey
"""


@dataclass(frozen=True, slots=True)
class Published:
    """A journey's newest version; ``new`` is false where the document was that already."""

    journey: str
    version: int
    new: bool


class Publisher:
    """Writes definitions; ``templates`` is the folder that holds ``<journey>/<template>``, checked where given."""

    def __init__(self, pool: asyncpg.Pool[Any], shop: Shop, templates: Path | None = None) -> None:
        self._pool = pool
        self._shop = shop
        self._templates = templates

    async def publish(self, workspace: str, source: str, file: str, now: datetime) -> Published:
        """Make ``source`` the newest version of its journey. Raises ``DefinitionError`` with every broken rule."""
        [published] = await self._publish(workspace, [(file, source)], now)
        return published

    async def publish_shipped(self, workspace: str, folder: Path, now: datetime) -> list[Published]:
        """Publish the journeys of ``folder``, all or none, into a workspace that has none.

        Raises ``DefinitionError``.
        """
        if await self._pool.fetchval("SELECT EXISTS (SELECT FROM journey_state WHERE workspace = $1)", workspace):
            return []
        documents = await asyncio.to_thread(_read_all, folder)
        return await self._publish(workspace, documents, now)

    async def _publish(self, workspace: str, documents: Sequence[tuple[str, str]], now: datetime) -> list[Published]:
        """One transaction: who finds one of a folder's journeys finds all."""
        loaded = [
            (load(source, file=file, shop=self._shop, templates=self._templates).id, file, source)
            for file, source in documents
        ]
        async with self._pool.acquire() as connection, connection.transaction():
            published = [await _write(connection, workspace, *one, now) for one in sorted(loaded)]
            await IN_PUBLISH()
        await AFTER_PUBLISH()
        return published

    async def pause(self, workspace: str, journey: str, reason: str | None, now: datetime) -> bool:
        """Hold the journey's timers and entries for ``reason``, or let it run (``None``); false where there is none."""
        return await self._pool.fetchval(_PAUSE, workspace, journey, reason, now) is not None


async def _write(
    connection: Connection, workspace: str, journey: str, file: str, source: str, now: datetime
) -> Published:
    await connection.execute(_LOCK, f"{workspace} {journey}")
    newest = await connection.fetchrow(_NEWEST, workspace, journey)
    if newest is not None and newest["source"] == source:
        return Published(journey, newest["version"], new=False)
    version = newest["version"] + 1 if newest is not None else 1
    parsed = read(source, file).value
    await connection.execute(_INSERT, workspace, journey, version, now, file, source, parsed)
    await connection.execute(_POINT, workspace, journey, version, now)
    return Published(journey, version, new=True)


def _read_all(folder: Path) -> list[tuple[str, str]]:
    return [(path.name, path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml"))]
