"""Builds ingest, in order, and runs it."""

from __future__ import annotations

from pathlib import Path

from tabiji_common.secret import check_secret, require_secret
from tabiji_common.service import Service
from tabiji_ingest.adapters.kafka import KafkaLog
from tabiji_ingest.adapters.postgres import WriteKeyTable
from tabiji_ingest.adapters.postgres_desk import WriteKeyDesk
from tabiji_ingest.api import create_app
from tabiji_ingest.api.desk import needs
from tabiji_ingest.pipeline import Accept
from tabiji_ingest.settings import IngestSettings

MIGRATIONS = Path(__file__).parent.parent / "migrations"


def main() -> None:
    """Run ingest until it is told to stop."""
    settings = IngestSettings()
    require_secret(settings.workspace_secret)

    async def build(service: Service) -> None:
        await check_secret(service.pool, settings.workspace_secret)
        keys = WriteKeyTable(service.pool, service.clock, refresh_seconds=settings.write_key_refresh_seconds)
        await keys.load()
        service.background(keys.refresh)
        accept = Accept(KafkaLog(service.producer), keys, service.clock, settings)
        service.http(create_app(accept, WriteKeyDesk(service.pool, service.clock)), needs)

    Service("ingest", settings).migrations(MIGRATIONS).run(build)


if __name__ == "__main__":
    main()
