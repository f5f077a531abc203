"""Builds dispatch: store, providers, couriers, pipeline, API."""

from __future__ import annotations

import asyncio
import os
import secrets
from datetime import timedelta
from pathlib import Path

from tabiji_common import dead_letters, parked
from tabiji_common.commands import ReplayDispatch, UnparkDispatch
from tabiji_common.logs import logger
from tabiji_common.secret import check_secret, require_secret
from tabiji_common.service import Service
from tabiji_common.topics import CUSTOMERS, DISPATCH_COMMANDS, ENGAGEMENTS
from tabiji_dispatch.adapters.couriers import CourierPool
from tabiji_dispatch.adapters.postgres_announcements import PostgresAnnouncements
from tabiji_dispatch.adapters.postgres_brakes import PostgresBrakes
from tabiji_dispatch.adapters.postgres_claims import PostgresClaims
from tabiji_dispatch.adapters.postgres_contacts import PostgresContacts
from tabiji_dispatch.adapters.postgres_customers import Looks, PostgresCustomers
from tabiji_dispatch.adapters.postgres_desk import PostgresDesk
from tabiji_dispatch.adapters.postgres_detours import PostgresDetours
from tabiji_dispatch.adapters.postgres_intake import PostgresIntake
from tabiji_dispatch.adapters.postgres_quotas import PostgresQuotas
from tabiji_dispatch.adapters.postgres_truth import PostgresTruth
from tabiji_dispatch.adapters.providers import carrier_of, provider_of
from tabiji_dispatch.adapters.restore import RestoreWatch
from tabiji_dispatch.adapters.settler import Settler
from tabiji_dispatch.adapters.templates import TemplateFolder
from tabiji_dispatch.api import build_app
from tabiji_dispatch.domain.claim import Rules
from tabiji_dispatch.domain.pick import Terms
from tabiji_dispatch.domain.quiet import QuietHours
from tabiji_dispatch.domain.render import Shop
from tabiji_dispatch.pipeline import INPUTS, Dispatch, Store
from tabiji_dispatch.settings import DispatchSettings

MIGRATIONS = Path(__file__).parent.parent / "migrations"
ONCE = (CUSTOMERS, ENGAGEMENTS)  # a repeat may come with another time; a message is known by its key, for ever
DRAIN_SECONDS = 5.0
log = logger(__name__)


def terms_of(settings: DispatchSettings) -> Terms:
    """What the installation decides; ``who`` is drawn anew for every process."""
    quiet = QuietHours(settings.quiet_start, settings.quiet_end)
    shop = Shop(
        settings.shop_name,
        settings.shop_url,
        settings.public_url,
        settings.workspace_secret,
        settings.shop_address,
        settings.shop_contact,
    )
    return Terms(
        carriers={one.name: carrier_of(one) for one in settings.carriers()},
        rules=Rules(
            quiet,
            settings.timezone,
            settings.cap,
            timedelta(hours=settings.cap_hours),
            settings.brake_repeats,
            settings.brake_surge,
            settings.brake_floor,
        ),
        shop=shop,
        lease=settings.lease,
        who=f"{os.getpid()}-{secrets.token_hex(6)}",
    )


def routes_of(terms: Terms) -> dict[str, str]:
    """The provider of each channel: the first that carries it."""
    carriers = reversed(list(terms.carriers.values()))
    return {channel: carrier.name for carrier in carriers for channel in carrier.channels}


async def build(service: Service) -> None:
    """Put the parts together and hand them to the runtime."""
    settings = service.settings
    assert isinstance(settings, DispatchSettings)  # noqa: S101 - main gives it
    if unsaid := settings.unsaid():
        log.warning("marketing_mail_unsaid", settings=unsaid)
    pool, clock, secret = service.pool, service.clock, settings.workspace_secret
    await check_secret(pool, secret)
    terms = terms_of(settings)
    claims, contacts, truth = PostgresClaims(secret), PostgresContacts(secret), PostgresTruth(pool)
    store = Store(
        PostgresIntake(),
        contacts,
        claims,
        truth,
        PostgresAnnouncements(),
        PostgresQuotas(),
        PostgresDetours(routes_of(terms), terms.carriers),
        PostgresBrakes(),
    )
    lanes = {one.name: (terms.carriers[one.name], provider_of(one, clock)) for one in settings.carriers()}
    couriers = CourierPool(lanes, clock, service.wake)
    templates = TemplateFolder(settings.templates)
    pipeline = Dispatch(store, couriers, templates, terms, clock)
    settler = Settler(truth, terms.carriers, clock, secret)
    couriers.deliver_to(settler.add)
    settler.tell(couriers.settled, pipeline.settled, service.wake)
    restore = RestoreWatch(pool, clock, settings.heartbeat)
    await restore.examine()

    async def settle() -> None:
        task = asyncio.create_task(settler.run())
        try:
            await asyncio.shield(task)
        finally:
            await couriers.drain(DRAIN_SECONDS)
            task.cancel()

    service.stateful(pipeline, INPUTS, inbox=ONCE)
    service.background(settle)
    service.background(restore.run)
    customers = PostgresCustomers(pool, secret, Looks(templates, terms.shop))
    app = build_app(PostgresDesk(pool, secret), restore, service.producer.append, clock, service.wake, customers)
    parked.add_routes(app, pool, service.producer.append, clock, DISPATCH_COMMANDS, UnparkDispatch, secret)
    once = {topic.name for topic in ONCE}
    desk = dead_letters.Desk(pool, service.producer.append, clock, DISPATCH_COMMANDS, ReplayDispatch, once)
    dead_letters.add_routes(app, desk)
    service.http(app)


def main() -> None:
    """Run the service until SIGTERM."""
    settings = DispatchSettings()
    require_secret(settings.workspace_secret)
    Service("dispatch", settings).migrations(MIGRATIONS).run(build)


if __name__ == "__main__":
    main()
