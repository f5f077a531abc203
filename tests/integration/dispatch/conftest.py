"""Dispatch's schema in a fresh database, a mail server, and benches on them."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import uvloop

from tabiji_cli.stack.postgres import PostgresServer
from tabiji_common.clock import LiveClock
from tabiji_common.postgres import connect_pool, migrate
from tabiji_dispatch.__main__ import MIGRATIONS
from tabiji_dispatch.adapters.smtp import SmtpProvider
from tabiji_dispatch.domain.carrier import Carrier
from tabiji_dispatch.domain.outcomes import Unkeyed
from tabiji_dispatch.ports import Provider
from tabiji_dispatch.settings import ProviderSettings
from tests.integration.dispatch.bench import Bench
from tests.integration.dispatch.sink import Sink


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Any]:
    """Services run on uvloop, whose transports buffer in their own way: the cuts are tried on both."""
    other = {"asyncio": asyncio.new_event_loop} if item.path.name == "test_smtp_cuts.py" else {}
    return {"uvloop": uvloop.new_event_loop} | other


@pytest.fixture(scope="session")
def migrated(postgres: PostgresServer) -> str:
    """One database for the suite; every test finds its tables empty."""
    dsn = postgres.create_database(f"dispatch_{secrets.token_hex(4)}")
    migrate(dsn, "dispatch", MIGRATIONS)
    return dsn


@pytest.fixture
async def pool(migrated: str) -> AsyncIterator[Any]:
    made = await connect_pool(migrated, "dispatch", size=6)
    tables = await made.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'dispatch'")
    names = ", ".join(row[0] for row in tables if row[0] != "alembic_version" and not row[0].startswith("inbox"))
    await made.execute(f"TRUNCATE {names}")
    await made.execute("INSERT INTO installation (id) VALUES (1)")
    yield made
    await made.close()


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with Sink() as server:
        yield server


@pytest.fixture
def smtp(sink: Sink) -> dict[str, tuple[Carrier, Provider]]:
    settings = ProviderSettings(
        name="smtp", channels=["email"], port=sink.port, sender="旅路の店 <no-reply@example.com>"
    )
    carrier = Carrier("smtp", frozenset({"email"}), Unkeyed(), Unkeyed(), slots=8)
    return {"smtp": (carrier, SmtpProvider(settings, LiveClock()))}


@pytest.fixture
async def bench(pool: Any, smtp: dict[str, tuple[Carrier, Provider]]) -> AsyncIterator[Bench]:
    async with Bench(pool, smtp) as made:
        yield made
