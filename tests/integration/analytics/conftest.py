"""One analytics schema for the suite, empty at the start of each test."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator

import pytest

from tabiji_analytics.adapters.tables import metadata
from tabiji_analytics.adapters.zones import settle
from tabiji_cli.stack.postgres import PostgresServer
from tabiji_common.postgres import migrate
from tests.integration.analytics.yard import MIGRATIONS, Yard, pools


@pytest.fixture(scope="session")
def schema(postgres: PostgresServer) -> Iterator[str]:
    """The dsn of a database with the service's schema in it."""
    name = f"analytics_{secrets.token_hex(6)}"
    dsn = postgres.create_database(name)
    migrate(dsn, "analytics", MIGRATIONS)
    yield dsn
    postgres.drop_database(name)


@pytest.fixture
async def yard(schema: str) -> AsyncIterator[Yard]:
    pool, patient = await pools(schema)
    await patient.execute(f"TRUNCATE {', '.join(metadata.tables)}")
    await settle(patient, ["Asia/Tokyo", "UTC"])
    yield Yard(pool, patient)
    await pool.close()
    await patient.close()
