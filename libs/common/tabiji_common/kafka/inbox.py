"""The inbox's upkeep: a partition for each day about to come, none for days beyond the window. Live clock only.

Identities of other days (imported history, clients whose clock is wrong) lie in the default partition and go by age
too. No clock drops anything by itself: age is counted from the newest day of which anything has come.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import asyncpg

from tabiji_common.clock_guard import Believed
from tabiji_common.failpoints import Failpoint
from tabiji_common.metrics import INBOX_MISSING
from tabiji_common.postgres import Connection

CREATED = Failpoint("runtime.inbox.created", "a day's partition is filled and attached, not committed")
DROPPED = Failpoint("runtime.inbox.dropped", "a day's partition is dropped and committed, older ones still stand")
KEPT = {"inbox": timedelta(days=45), "inbox_page_view": timedelta(days=7)}
DAYS = range(-1, 3)  # yesterday to the day after tomorrow
BATCH = 5000
DAY = timedelta(days=1)


async def keep_up(pool: asyncpg.Pool[Any], schema: str, believed: Believed) -> bool:
    """The hour's work, done by one of several processes; whether every day about to come has its partitions.

    Attaching a day reads the whole default partition, which may take longer than a statement is allowed to: then all
    days stay in there, nothing is lost, and ``tabiji_runtime_inbox_missing_partitions`` says so.
    """
    today = believed.now.date()
    try:
        await upkeep(pool, schema, today, drop=not believed.leapt)
    finally:
        missing = await show_missing(pool, schema, today)
    return missing == 0


async def show_missing(pool: asyncpg.Pool[Any], schema: str, today: date) -> int:
    """Set the gauge to how many partitions of the days about to come are not there."""
    wanted = {today + n * DAY for n in DAYS}
    async with pool.acquire() as connection:
        missing = sum([len(wanted - await _days(connection, table)) for table in KEPT])
    INBOX_MISSING.labels(schema).set(missing)
    return missing


async def upkeep(pool: asyncpg.Pool[Any], schema: str, today: date, *, drop: bool = True) -> bool:
    """Create what is missing, ``drop`` what is too old; ``False`` where another process is at it."""
    async with pool.acquire() as connection:
        lock = f"tabiji-{schema}-inbox"
        if not await connection.fetchval("SELECT pg_try_advisory_lock(hashtext($1))", lock):
            return False
        try:
            newest = await _newest(connection, today)
            for table, age in KEPT.items():
                there = await _days(connection, table)
                for n in DAYS:
                    if today + n * DAY not in there:
                        await _create(connection, table, today + n * DAY)
                if drop and newest:
                    await _drop(connection, table, there, newest - age)
        finally:
            await connection.execute("SELECT pg_advisory_unlock(hashtext($1))", lock)
    return True


def _name(table: str, day: date) -> str:
    return f"{table}_{day:%Y%m%d}"


async def _days(connection: Connection, table: str) -> set[date]:
    """The days that have a partition of their own."""
    rows = await connection.fetch(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = $1::text::regclass",
        table,
    )
    ends = [row["relname"].removeprefix(f"{table}_") for row in rows]
    return {date.fromisoformat(end) for end in ends if end.isdigit()}


async def _create(connection: Connection, table: str, day: date) -> None:
    """A partition for ``day``, with what the default one has of it; turns wait for a moment.

    They wait for the table itself: one that had chosen the default partition already would be refused by it.
    """
    name = _name(table, day)
    async with connection.transaction():
        await connection.execute(f"LOCK TABLE ONLY {table} IN SHARE ROW EXCLUSIVE MODE")
        await connection.execute(f"LOCK TABLE {table}_rest IN ACCESS EXCLUSIVE MODE")
        await connection.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)")
        await connection.execute(
            f"WITH moved AS (DELETE FROM {table}_rest WHERE day = $1 RETURNING *)"  # noqa: S608 - literals
            f" INSERT INTO {name} SELECT * FROM moved",
            day,
        )
        await connection.execute(
            f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{day}') TO ('{day + DAY}')"
        )
        await CREATED()


async def _newest(connection: Connection, today: date) -> date | None:
    """The newest day that anything is known of, but none after ``today``."""
    each = " UNION ALL ".join(f"SELECT max(day) AS day FROM {table} WHERE day <= $1" for table in KEPT)  # noqa: S608 - literals
    newest: date | None = await connection.fetchval(f"SELECT max(day) FROM ({each}) AS each", today)  # noqa: S608 - literals
    return newest


async def _drop(connection: Connection, table: str, there: set[date], first: date) -> None:
    """Everything of days before ``first``."""
    for day in sorted(day for day in there if day < first):
        await connection.execute(f"DROP TABLE {_name(table, day)}")
        await DROPPED()
    await _empty_rest(connection, table, first)


async def _empty_rest(connection: Connection, table: str, first: date) -> None:
    """Delete rows of days before ``first`` from the default partition, a batch at a time."""
    rest = f"{table}_rest"
    deleted = BATCH
    while deleted == BATCH:
        status = await connection.execute(
            f"DELETE FROM {rest} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {rest} WHERE day < $1 LIMIT {BATCH}))",  # noqa: S608 - literals
            first,
        )
        deleted = int(status.split()[-1])
