"""Which ids are users', in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection

from tabiji_common.postgres import Connection
from tabiji_common.users import Users

_USERS = "SELECT key FROM user_id WHERE key = ANY($1::text[])"
_ADD = "INSERT INTO user_id (key) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING"
_DROP = "DELETE FROM user_id WHERE key = ANY($1::text[])"


class PostgresIds:
    """``ports.Ids``."""

    async def users(self, tx: Connection, keys: Collection[str]) -> set[str]:
        """Those of these customer keys that are users'."""
        return {row[0] for row in await tx.fetch(_USERS, sorted(keys))}

    async def remember(self, tx: Connection, users: Users) -> None:
        """Keep what was found out about ids."""
        if users.gone:
            await tx.execute(_DROP, sorted(users.gone))
        if users.new:
            await tx.execute(_ADD, sorted(users.new))
