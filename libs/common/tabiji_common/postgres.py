"""PostgreSQL: pools whose sessions cannot block a successor, migrations, and which errors mean ``Retry``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import msgspec
from alembic import command
from alembic.config import Config

Connection: TypeAlias = "asyncpg.Connection[Any] | asyncpg.pool.PoolConnectionProxy[Any]"

# All below the Kafka session timeout (6 s): a process stopped inside a transaction must not block its successor.
SESSION = {
    "idle_in_transaction_session_timeout": "5s",
    "statement_timeout": "5s",
    "lock_timeout": "4s",
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "timezone": "UTC",
    "jit": "off",
    "random_page_cost": "1.1",  # pages come from memory or flash: else a turn's thousand keys read whole tables
}


async def connect_pool(
    dsn: str, schema: str, *, size: int = 4, patient: bool = False, least: int = 1
) -> asyncpg.Pool[Any]:
    """A pool of ``least`` to ``size`` connections whose search path is ``schema``.

    ``patient`` leaves out the short timeouts (recomputation, migrations). ``jsonb`` values are read and written as
    Python objects.
    """
    session = {"search_path": schema, "timezone": "UTC"} if patient else {**SESSION, "search_path": schema}
    return await asyncpg.create_pool(
        dsn,
        min_size=least,
        max_size=size,
        timeout=5,
        command_timeout=None if patient else 8,
        server_settings={**session, "application_name": f"tabiji-{schema}"},
        init=_codecs,
        reset=_keep,
    )


async def _keep(connection: Connection) -> None:
    """Between two users of a connection there is nothing to reset, for nobody here changes a session.

    Open transactions are rolled back without it. asyncpg would send four statements each time, once a turn and more.
    """


async def _codecs(connection: Connection) -> None:
    def encode(value: Any) -> bytes:
        return b"\x01" + msgspec.json.encode(value)

    def decode(value: bytes) -> Any:
        return msgspec.json.decode(value[1:])

    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=encode, decoder=decode, format="binary")


async def end_stopped(connection: Connection) -> int:
    """End this service's sessions that wait for the rest of a COPY; how many.

    No limit of a session ends such a one, and the process that should send the rest may be stopped. One that lives does
    its turn again.
    """
    ended: int = await connection.fetchval(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = current_user"
        " AND datname = current_database() AND application_name = current_setting('application_name')"
        " AND pid <> pg_backend_pid() AND state = 'active' AND wait_event = 'ClientRead'"
    )
    return ended


def migrate(dsn: str, schema: str, scripts: Path) -> None:
    """Bring ``schema`` to its newest migration (alembic, one schema and one version table per service).

    Blocking; run it before the event loop starts, or in a thread.
    """
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.attributes["dsn"] = dsn
    config.attributes["schema"] = schema
    command.upgrade(config, "head")


# SQLSTATE classes: 08 connection, 40 rollback, 53 resources, 57 operator, 25P03 idle in transaction, 55P03 lock
# timeout.
_RETRY = ("08", "40", "53", "57", "25P", "55P")
_DATA = ("22", "23")


def is_transient(error: BaseException) -> bool:
    """Whether the same batch may succeed later: the infrastructure failed, not the data."""
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return True  # a migration changed a table under a prepared statement
    if isinstance(error, asyncpg.PostgresError):
        return (getattr(error, "sqlstate", None) or "").startswith(_RETRY)
    # InternalClientError: the server ended the session while the client was busy with it
    return isinstance(error, (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError))


def is_data_error(error: BaseException) -> bool:
    """Whether a value was refused (SQLSTATE classes 22 and 23): one customer's record is to blame."""
    return isinstance(error, asyncpg.PostgresError) and (getattr(error, "sqlstate", None) or "").startswith(_DATA)
