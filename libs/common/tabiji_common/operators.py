"""Operator keys: who may look (``read``), change (``operate``) and give keys (``admin``), and who changed what.

Each scope holds those before it. A key is shown once and kept as its SHA-256, in the schema ``installation``, where
every service finds it and none needs to know another.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

import asyncpg

Scope = Literal["read", "operate", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
LONGEST_KEY = 512
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}")

_MAKE = """
CREATE SCHEMA IF NOT EXISTS installation;
CREATE TABLE IF NOT EXISTS installation.operator_key (
    hash bytea PRIMARY KEY,
    name text NOT NULL,
    scope text NOT NULL CHECK (scope IN ('read', 'operate', 'admin')),
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE UNIQUE INDEX IF NOT EXISTS operator_key_name ON installation.operator_key (name) WHERE revoked_at IS NULL;
CREATE TABLE IF NOT EXISTS installation.audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    who text NOT NULL,
    service text NOT NULL,
    what text NOT NULL,
    detail text NOT NULL DEFAULT '',
    status int
)
"""
_FIND = "SELECT name, scope FROM installation.operator_key WHERE hash = $1 AND revoked_at IS NULL"
_INSERT = """
INSERT INTO installation.operator_key (hash, name, scope, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (hash) DO NOTHING
"""
_REVOKE = """
UPDATE installation.operator_key SET revoked_at = $2 WHERE name = $1 AND hash <> $3 AND revoked_at IS NULL
"""
_LIST = "SELECT name, scope, created_at, revoked_at FROM installation.operator_key ORDER BY created_at, name"
_BEGIN = "INSERT INTO installation.audit (at, who, service, what) VALUES ($1, $2, $3, $4) RETURNING id"
_END = "UPDATE installation.audit SET status = $2, detail = $3 WHERE id = $1"
_ACTS = """
SELECT id, at, who, service, what, detail, status FROM installation.audit
WHERE id < coalesce($2::bigint, 9223372036854775807) ORDER BY id DESC LIMIT $1
"""


@dataclass(frozen=True, slots=True)
class Operator:
    """Whose key it is, and its scope."""

    name: str
    scope: Scope

    def may(self, need: Scope) -> bool:
        """Whether its scope is ``need`` or holds it."""
        return SCOPES.index(self.scope) >= SCOPES.index(need)


def key_hash(key: str) -> bytes:
    """How a key is stored and looked up; keys are long and random, so a plain hash does."""
    return hashlib.sha256(key.encode()).digest()


def new_key() -> str:
    """A key that nobody has seen."""
    return f"tabiji_op_{secrets.token_urlsafe(32)}"


async def prepare(pool: asyncpg.Pool[Any]) -> None:
    """Make the tables where they are missing; harmless twice, and at the same time."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('tabiji-installation'))")
        await connection.execute(_MAKE)


async def find(pool: asyncpg.Pool[Any], digest: bytes) -> Operator | None:
    """Whose key has this hash; ``None`` for nobody's, a revoked one's, or an installation without keys."""
    try:
        row = await pool.fetchrow(_FIND, digest)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return None
    return Operator(row["name"], row["scope"]) if row else None


async def let_in(pool: asyncpg.Pool[Any], key: str, name: str, scope: Scope, at: datetime) -> None:
    """Let ``key`` in under ``name``, in place of the one that had the name; raises ``ValueError``."""
    if not _NAME.fullmatch(name):
        raise ValueError("a key is named by 1 to 63 of a-z, A-Z, 0-9, . _ @ and -")
    if scope not in SCOPES:
        raise ValueError(f"a key's scope is one of {', '.join(SCOPES)}")
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_REVOKE, name, at, key_hash(key))
        await connection.execute(_INSERT, key_hash(key), name, scope, at)


async def revoke(pool: asyncpg.Pool[Any], name: str, at: datetime) -> bool:
    """Shut out the key called ``name``, for good; services follow within seconds. False where there is none."""
    return bool(await pool.execute(_REVOKE, name, at, b"") == "UPDATE 1")


async def listed(pool: asyncpg.Pool[Any]) -> Sequence[dict[str, Any]]:
    """Every key there ever was: name, scope, created_at, revoked_at."""
    return [dict(row) for row in await pool.fetch(_LIST)]


async def begin_act(pool: asyncpg.Pool[Any], who: str, service: str, what: str, at: datetime) -> int:
    """Write down that somebody is about to change something; its number, for ``end_act``."""
    return int(await pool.fetchval(_BEGIN, at, who, service, what))


async def end_act(pool: asyncpg.Pool[Any], act: int, status: int, detail: str = "") -> None:
    """What the answer was: an HTTP status. An act without one may have happened: its process died."""
    await pool.execute(_END, act, status, detail)


async def acts(pool: asyncpg.Pool[Any], limit: int = 100, before: int | None = None) -> Sequence[dict[str, Any]]:
    """Who changed what, the newest first; ``before`` is the last ``id`` of the page ahead."""
    return [dict(row) for row in await pool.fetch(_ACTS, limit, before)]
