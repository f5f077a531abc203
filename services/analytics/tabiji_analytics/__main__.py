"""analytics projects: facts and rollups out of every event, transition and outcome."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncpg

from tabiji_analytics.adapters import books
from tabiji_analytics.adapters.recompute import recompute
from tabiji_analytics.adapters.views import Views
from tabiji_analytics.adapters.zones import settle
from tabiji_analytics.api import create_app
from tabiji_analytics.pipeline import INPUTS, Projection
from tabiji_analytics.settings import AnalyticsSettings
from tabiji_common import dead_letters, parked
from tabiji_common.commands import ReplayAnalytics, UnparkAnalytics
from tabiji_common.logs import logger
from tabiji_common.postgres import connect_pool, is_transient
from tabiji_common.service import Service
from tabiji_common.topics import ANALYTICS_COMMANDS

MIGRATIONS = Path(__file__).parents[1] / "migrations"
log = logger(__name__)


def main() -> None:
    """Run the service until SIGTERM."""
    settings = AnalyticsSettings()

    async def build(service: Service) -> None:
        patient = await connect_pool(settings.postgres_dsn, service.name, size=2, patient=True)
        await settle(patient, settings.zones)
        service.stateful(Projection(books()), INPUTS)
        app = create_app(settings, Views(service.pool, patient), patient, service.clock)
        parked.add_routes(
            app,
            service.pool,
            service.producer.append,
            service.clock,
            ANALYTICS_COMMANDS,
            UnparkAnalytics,
            settings.workspace_secret,
        )
        desk = dead_letters.Desk(
            service.pool, service.producer.append, service.clock, ANALYTICS_COMMANDS, ReplayAnalytics, ()
        )
        dead_letters.add_routes(app, desk)
        service.http(app)

        async def watch() -> None:
            while True:
                await asyncio.sleep(settings.analytics_recompute_seconds or 3600)
                if settings.analytics_recompute_seconds:
                    await _check(patient)

        service.background(watch)

    Service("analytics", settings).migrations(MIGRATIONS).run(build)


async def _check(patient: asyncpg.Pool[Any]) -> None:
    try:
        drift = await recompute(patient)
    except Exception as error:
        if not is_transient(error):
            raise
        log.warning("recomputation_put_off", error=type(error).__name__)
        return
    if drift.cells:
        log.error("views_drifted", cells=drift.cells, views=drift.differ)


if __name__ == "__main__":
    main()
