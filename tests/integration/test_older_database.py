"""A database that an older version made gets the tables that came later."""

import asyncio
from datetime import UTC, datetime

import asyncpg

from tabiji_cli.migrate import scripts
from tabiji_common.postgres import migrate
from tabiji_journey.domain.model import Progress, Trigger, read_progress

BEFORE = {"journey": "0002", "dispatch": "0004", "analytics": "0003"}  # the last that had no dead letters as rows


async def older(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for schema, version in BEFORE.items():
            await connection.execute(f"DROP TABLE {schema}.dead_letter")
            await connection.execute(f"UPDATE {schema}.alembic_version SET version_num = '{version}'")
    finally:
        await connection.close()


async def there(dsn: str) -> set[str]:
    connection = await asyncpg.connect(dsn)
    try:
        found = await connection.fetch("SELECT schemaname FROM pg_indexes WHERE indexname = 'dead_letter_newest'")
        return {row["schemaname"] for row in found}
    finally:
        await connection.close()


def test_dead_letters_become_rows_in_a_database_of_before(database: str) -> None:
    for name in BEFORE:
        migrate(database, name, scripts()[name])
    asyncio.run(older(database))
    assert asyncio.run(there(database)) == set()
    for name in BEFORE:
        migrate(database, name, scripts()[name])
    assert asyncio.run(there(database)) == set(BEFORE)


UNPACKED = """
SET search_path TO journey;
UPDATE alembic_version SET version_num = '0004';
ALTER TABLE enrollment RENAME progress TO body;
ALTER TABLE enrollment ALTER body TYPE jsonb USING convert_from(body, 'UTF8')::jsonb;
CREATE INDEX enrollment_live ON enrollment (customer) WHERE live;
INSERT INTO enrollment VALUES ('e', 1, 'w:c', 'w', 'hello', 1, '', 'waiting', 'quiet', '', now(), NULL, true,
  '{"visit": 2, "seq": 3, "waited": true,
    "trigger": {"id": "m", "type": "order_completed", "occurred_at": "2026-01-02T03:04:05.678Z"}}')
"""


async def told(dsn: str, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        if ";" not in statement:
            return list(await connection.fetch(statement))
        await connection.execute(statement)
        return []
    finally:
        await connection.close()


def test_how_far_somebody_had_come_is_read_in_a_database_of_before(database: str) -> None:
    migrate(database, "journey", scripts()["journey"])
    asyncio.run(told(database, UNPACKED))
    migrate(database, "journey", scripts()["journey"])
    (row,) = asyncio.run(told(database, "SELECT state, live, progress FROM journey.enrollment"))
    trigger = Trigger("m", "order_completed", datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC))
    assert (row["state"], row["live"]) == ("quiet", True)
    assert read_progress(row["progress"]) == Progress(2, 3, trigger, waited=True)
    assert asyncio.run(told(database, "SELECT 1 FROM pg_indexes WHERE indexname = 'enrollment_live'")) == []
