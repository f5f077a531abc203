"""Write keys in PostgreSQL, held in memory: a database that is down stops no key that has been seen."""

from __future__ import annotations

import asyncio
import secrets
from datetime import datetime
from typing import Any

import asyncpg

from tabiji_common.clock import Clock, LiveClock
from tabiji_common.errors import Retry
from tabiji_common.logs import logger
from tabiji_common.postgres import Connection, is_transient
from tabiji_common.topics import Mode
from tabiji_ingest.domain.access import Bucket, WriteKey, check_name, check_workspace, key_hash
from tabiji_ingest.domain.refusal import Kind, Refusal
from tabiji_ingest.metrics import KEYS

log = logger(__name__)

_ALL = "SELECT hash, workspace, scope FROM write_key WHERE (revoked_at IS NULL OR revoked_at > $1)"
_ONE = _ALL + " AND hash = $2"
_INSERT = """
INSERT INTO write_key (hash, workspace, scope, created_at, name) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (hash) DO NOTHING
"""


class WriteKeyTable:
    """``WriteKeys`` over the table ``write_key``.

    A key is looked up by its hash, in memory. One that is not there is asked of the database at once, so that a new
    key works at once: once for all who ask at that moment, and at most twenty times a second for all keys, so that
    guessing costs the database little. Who cannot be told is told to come back: a wrong "no" would lose events.
    """

    def __init__(self, pool: asyncpg.Pool[Any], clock: Clock, *, refresh_seconds: float = 10.0) -> None:
        self.pool, self.clock, self.refresh_seconds = pool, clock, refresh_seconds
        self._keys: dict[bytes, WriteKey] = {}
        self._questions = Bucket(rate=20, burst=40, tokens=40, seen=clock.elapsed())
        self._asking: dict[bytes, asyncio.Task[WriteKey | None]] = {}

    async def load(self) -> None:
        """Read all keys; revoked ones are gone after it."""
        self._keys = {row["hash"]: _key(row) for row in await self.pool.fetch(_ALL, self.clock.wall())}
        KEYS.set(len(self._keys))

    async def find(self, key: str) -> WriteKey | None:
        """What ``key`` opens, ``None`` where it opens nothing.

        Raises ``Retry`` where the key is not known here and the database cannot be asked, ``Refusal`` where it is asked
        too often.
        """
        digest = key_hash(key)
        found = self._keys.get(digest)
        if found is not None:
            return found
        asking = self._asking.get(digest)
        if asking is None:
            if self._questions.take(self.clock.elapsed()):
                raise Refusal("", "too many unknown write keys are asked for", Kind.RATE, retry_after=1)
            asking = self._asking[digest] = asyncio.create_task(self._ask(digest))
            asking.add_done_callback(lambda _: self._asking.pop(digest))
        return await asyncio.shield(asking)

    async def refresh(self) -> None:
        """Keep the keys in memory up to date, for ever."""
        while True:
            await asyncio.sleep(self.refresh_seconds)
            try:
                await self.load()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                if not is_transient(error):
                    raise
                log.warning("write_keys_not_refreshed", error=type(error).__name__)

    async def _ask(self, digest: bytes) -> WriteKey | None:
        try:
            row = await self.pool.fetchrow(_ONE, self.clock.wall(), digest)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            if is_transient(error):
                raise Retry("write keys cannot be read") from error
            raise
        if row is None:
            return None
        found = self._keys[digest] = _key(row)
        KEYS.set(len(self._keys))
        return found


def _key(row: Any) -> WriteKey:
    return WriteKey(row["hash"], row["workspace"], Mode(row["scope"]))


async def create_key(pool: asyncpg.Pool[Any] | Connection, workspace: str, scope: str = "live", name: str = "") -> str:
    """A new write key of ``workspace``; it is shown this once, the table keeps its hash.

    ``scope`` is ``live`` or ``backfill`` (history: starts no journey, sends nothing). Raises ``ValueError``.
    """
    key = f"tabiji_{scope}_{secrets.token_urlsafe(24)}"
    await register_key(pool, key, workspace, scope, name=name)
    return key


async def register_key(
    pool: asyncpg.Pool[Any] | Connection,
    key: str,
    workspace: str,
    scope: str = "live",
    *,
    name: str = "",
    at: datetime | None = None,
) -> None:
    """Let ``key``, made elsewhere, open ``workspace``; one that is there stays as it is. Raises ``ValueError``."""
    check_workspace(workspace)
    if scope not in {Mode.LIVE, Mode.BACKFILL}:
        raise ValueError("a write key's scope is live or backfill")
    await pool.execute(_INSERT, key_hash(key), workspace, scope, at or LiveClock().wall(), check_name(name))
