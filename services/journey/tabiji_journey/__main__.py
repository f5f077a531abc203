"""The journey service: builds everything, in order."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from tabiji_common import dead_letters, parked
from tabiji_common.commands import Replay
from tabiji_common.logs import logger
from tabiji_common.postgres import is_transient
from tabiji_common.secret import check_secret, require_secret
from tabiji_common.service import Service
from tabiji_common.topics import JOURNEY_COMMANDS
from tabiji_journey import metrics
from tabiji_journey.adapters.clockwork import StoredClockwork
from tabiji_journey.adapters.customers import StoredCustomers
from tabiji_journey.adapters.journeys import PublishedJourneys
from tabiji_journey.adapters.publish import Publisher
from tabiji_journey.adapters.views import Views
from tabiji_journey.api import make_app
from tabiji_journey.domain.loader import Shop
from tabiji_journey.pipeline import INPUTS, JourneyPipeline
from tabiji_journey.settings import JourneySettings

log = logger(__name__)

MIGRATIONS = Path(__file__).parents[1] / "migrations"
SCHEMA = MIGRATIONS.parent / "journey.schema.json"
MEASURE_EVERY = 15.0  # seconds of machine time between two looks at who waits


async def build(service: Service) -> None:
    """Adapters, shipped journeys, pipeline, API and the gauges."""
    settings = service.settings
    assert isinstance(settings, JourneySettings)  # noqa: S101 - main() made them
    shop = Shop(timezone=settings.timezone)
    folder = settings.journeys_folder
    templates = folder if await asyncio.to_thread(folder.is_dir) else None
    await check_secret(service.pool, settings.workspace_secret)
    publisher, views = Publisher(service.pool, shop, templates), Views(service.pool)
    if settings.publish_shipped:
        await publisher.publish_shipped(settings.workspace, folder, service.clock.now())
    kept_for = timedelta(days=settings.anonymous_days)
    customers = StoredCustomers(settings.anonymous_events, kept_for, secret=settings.workspace_secret)
    pipeline = JourneyPipeline(PublishedJourneys(shop), customers, StoredClockwork(), timers=settings.timer_customers)
    service.stateful(pipeline, INPUTS, inbox=True)
    schema = await asyncio.to_thread(SCHEMA.read_bytes)
    app = make_app(
        publisher, views, service.producer, service.clock, settings.workspace, schema, settings.workspace_secret
    )
    parked.add_list(app, service.pool)
    once = {topic.name for topic in INPUTS}
    desk = dead_letters.Desk(service.pool, service.producer.append, service.clock, JOURNEY_COMMANDS, Replay, once)
    dead_letters.add_routes(app, desk)
    service.http(app)

    async def measure() -> None:
        while True:
            try:
                metrics.show(await views.conservation(service.clock.now()))
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("not_measured", error=type(error).__name__)
            await asyncio.sleep(MEASURE_EVERY)

    service.background(measure)


def main() -> None:
    """Run until SIGTERM."""
    settings = JourneySettings()
    require_secret(settings.workspace_secret)
    Service("journey", settings).migrations(MIGRATIONS).run(build)


if __name__ == "__main__":
    main()
