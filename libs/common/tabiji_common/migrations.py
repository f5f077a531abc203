"""What every service's alembic ``env.py`` runs: one schema, one version table in it, over asyncpg."""

from __future__ import annotations

import asyncio
from typing import Any

import sqlalchemy as sa
from alembic.runtime.environment import EnvironmentContext
from sqlalchemy.ext.asyncio import create_async_engine


def run(context: EnvironmentContext | Any) -> None:
    """Migrate the schema that ``tabiji_common.postgres.migrate`` was asked for; one process at a time, others wait."""
    attributes = context.config.attributes
    asyncio.run(_run(context, str(attributes["dsn"]), str(attributes["schema"])))


async def _run(context: EnvironmentContext, dsn: str, schema: str) -> None:
    url = dsn.replace("postgresql://", "postgresql+asyncpg://", 1)
    engine = create_async_engine(url, connect_args={"server_settings": {"search_path": schema}})

    def migrate(connection: sa.Connection) -> None:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"tabiji-{schema}"})
        connection.execute(sa.schema.CreateSchema(schema, if_not_exists=True))
        context.configure(connection=connection, version_table_schema=schema)
        with context.begin_transaction():
            context.run_migrations()

    try:
        async with engine.begin() as connection:
            await connection.run_sync(migrate)
    finally:
        await engine.dispose()
