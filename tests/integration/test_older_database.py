"""A database that an older version made gets the tables that came later."""

import asyncio

import asyncpg

from tabiji_cli.migrate import scripts
from tabiji_common.postgres import migrate

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
