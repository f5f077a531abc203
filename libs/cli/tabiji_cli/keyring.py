"""``tabiji keys``: operator keys and write keys, straight in the database; whoever has that is the administrator.

Services follow within seconds. What is done here is in the same list of acts as what is done over HTTP.
"""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, get_args

import asyncpg
from rich.console import Group
from rich.table import Table
from rich.text import Text

from tabiji_cli import keys
from tabiji_cli.palette import FAINT
from tabiji_common import operators
from tabiji_common.clock import LiveClock
from tabiji_common.errors import TabijiError
from tabiji_common.operators import Scope
from tabiji_common.postgres import connect_pool
from tabiji_common.settings import Settings
from tabiji_ingest.adapters.postgres_desk import WriteKeyDesk

DSN_SETTING = "TABIJI_POSTGRES_DSN"
SCOPES = (*get_args(Scope), "live", "backfill")
CLOCK = LiveClock()


class KeysFailed(TabijiError):
    """What was asked for cannot be done; the message says why."""


def dsn() -> str:
    """The database that is set, else the one of the last ``tabiji up``, else the default."""
    found = keys.known()
    kept = found.addresses.get("postgres") if found else None
    return os.environ.get(DSN_SETTING) or kept or Settings().postgres_dsn


def create(name: str, scope: str, workspace: str) -> str:
    """A new key, of an operator or for a shop's events, as the scope says. It is shown this once."""
    if scope not in SCOPES:
        raise KeysFailed(f"a scope is one of {', '.join(SCOPES)}")
    return asyncio.run(_create(name, scope, workspace))


def revoke(which: str) -> str:
    """Revoke an operator key by its name, or a write key by its id; what was revoked."""
    return asyncio.run(_revoke(which))


def rotate(which: str, grace: timedelta) -> dict[str, Any]:
    """A new write key in place of the one with this id, which works until ``grace`` is over."""
    return asyncio.run(_rotate(which, grace))


def shown() -> Group:
    """All keys that there ever were, without the keys themselves."""
    mine, shops = asyncio.run(_listed())
    return Group(
        _table(("operator key", "scope", "made", "revoked"), mine),
        "",
        _table(("write key", "name", "workspace", "scope", "made", "works until"), shops),
    )


def audit(limit: int) -> Table:
    """Who changed what, the newest first."""
    rows = asyncio.run(_audit(limit))
    cells = [(_at(r["at"]), r["who"], r["service"], f"{r['what']}  {r['detail']}", _ended(r["status"])) for r in rows]
    return _table(("at", "who", "service", "what", "answer"), cells)


async def _create(name: str, scope: str, workspace: str) -> str:
    async with _database() as pool, _act(pool, f"create key {name} ({scope})"):
        if scope in ("live", "backfill"):
            return str((await WriteKeyDesk(pool, CLOCK).create(workspace, scope, name))["key"])
        found = await operators.listed(pool)
        if any(row["name"] == name and row["revoked_at"] is None for row in found):
            raise KeysFailed(f"there is an operator key called {name}: revoke it first, or choose another name")
        key = operators.new_key()
        await operators.let_in(pool, key, name, scope, CLOCK.wall())  # type: ignore[arg-type]
        return key


async def _revoke(which: str) -> str:
    async with _database() as pool:
        named = [row for row in await operators.listed(pool) if row["name"] == which and row["revoked_at"] is None]
        async with _act(pool, f"revoke key {which}"):
            if named:
                await operators.revoke(pool, which, CLOCK.wall())
                return f"operator key {which}"
            if await WriteKeyDesk(pool, CLOCK).revoke(which):
                return f"write key {which}"
            raise KeysFailed(f"no open operator key has the name {which}, and no open write key the id")


async def _rotate(which: str, grace: timedelta) -> dict[str, Any]:
    async with _database() as pool, _act(pool, f"rotate write key {which}"):
        made = await WriteKeyDesk(pool, CLOCK).rotate(which, grace)
        if made is None:
            found = next((row for row in await operators.listed(pool) if row["name"] == which), None)
            raise KeysFailed(_not_rotated(which, found["scope"] if found else None))
        return made


def _not_rotated(which: str, scope: str | None) -> str:
    """Why there is no open write key of that id, and what to do."""
    if scope is None:
        return f"no open write key has the id {which}; tabiji keys list shows them"
    return (
        f"{which} is an operator key, and only write keys are rotated. Make another (tabiji keys create NEW-NAME"
        f" --scope {scope}), use that one, then shut this one out (tabiji keys revoke {which})"
    )


async def _listed() -> tuple[Sequence[Sequence[str]], Sequence[Sequence[str]]]:
    async with _database() as pool:
        mine = [
            (r["name"], r["scope"], _at(r["created_at"]), _at(r["revoked_at"])) for r in await operators.listed(pool)
        ]
        try:
            rows = await WriteKeyDesk(pool, CLOCK).listed()
        except asyncpg.UndefinedTableError:
            rows = []
        shops = [
            (r["id"], r["name"], r["workspace"], r["scope"], _at(r["created_at"]), _at(r["revoked_at"])) for r in rows
        ]
        return mine, shops


async def _audit(limit: int) -> Sequence[dict[str, Any]]:
    async with _database() as pool:
        return await operators.acts(pool, limit)


@asynccontextmanager
async def _database() -> AsyncIterator[asyncpg.Pool[Any]]:
    """The installation's database; errors are told so that a person can act on them."""
    where = dsn()
    try:
        async with await connect_pool(where, "ingest", size=1) as pool:
            await operators.prepare(pool)
            yield pool
    except asyncpg.UndefinedTableError as error:
        raise KeysFailed("ingest has not made its tables in this database yet; start it first") from error
    except ValueError as error:
        raise KeysFailed(str(error)) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        told = f"{type(error).__name__}: {error}"
        raise KeysFailed(f"the database {where.rpartition('@')[2]} ({DSN_SETTING}) says no: {told}") from error


@asynccontextmanager
async def _act(pool: asyncpg.Pool[Any], what: str) -> AsyncIterator[None]:
    """Write down what the block does, before it does."""
    act = await operators.begin_act(pool, f"cli:{getpass.getuser()}", "cli", what, CLOCK.wall())
    try:
        yield
    except Exception:
        await operators.end_act(pool, act, 422)
        raise
    await operators.end_act(pool, act, 200)


def _at(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M}Z" if instant else ""


def _ended(status: int | None) -> str:
    """The answer, or that there is none: the process died, and it may have been done."""
    return "unknown" if status is None else str(status)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style=FAINT)
    for head in heads:
        table.add_column(head)
    for row in rows:
        table.add_row(*map(Text, row))
    return table
