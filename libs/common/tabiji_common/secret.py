"""The workspace secret: ingest verifies what dispatch has signed, so every service has the same one, and keeps it.

The database knows its fingerprint, in a schema of its own. A service that starts with another secret is refused: every
unsubscribe link that is out would be dead, guests would get other ids, and neither addresses that are left alone nor
erased customers would be recognised.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import asyncpg

from tabiji_common.errors import Misconfigured

SETTING = "TABIJI_WORKSPACE_SECRET"
_MAKE = """
CREATE SCHEMA IF NOT EXISTS installation;
CREATE TABLE IF NOT EXISTS installation.workspace_secret (
    id int PRIMARY KEY DEFAULT 1 CHECK (id = 1), fingerprint bytea NOT NULL
)
"""
_KNOWN = """
INSERT INTO installation.workspace_secret (fingerprint) VALUES ($1)
ON CONFLICT (id) DO UPDATE SET fingerprint = workspace_secret.fingerprint RETURNING fingerprint
"""


def require_secret(secret: str) -> None:
    """Raise ``Misconfigured`` where it is empty."""
    if not secret:
        raise Misconfigured(f"{SETTING} is empty: links could be forged and guests' ids guessed")


async def check_secret(pool: asyncpg.Pool[Any], secret: str) -> None:
    """Remember the secret's fingerprint at the first start; raise ``Misconfigured`` where it is another one."""
    mine = hmac.new(secret.encode(), b"fingerprint", hashlib.sha256).digest()[:16]
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('tabiji-installation'))")
        await connection.execute(_MAKE)
        known = await connection.fetchval(_KNOWN, mine)
    if not hmac.compare_digest(known, mine):
        raise Misconfigured(
            f"{SETTING} is not the one that this database was set up with (by another service): links that are out"
            " would be dead; to change it all the same, delete the row of installation.workspace_secret"
        )
