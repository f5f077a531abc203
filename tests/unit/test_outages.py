"""One outage, one answer: whichever service is asked, 503 with ``Retry-After``, the field and the rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from tabiji_analytics.adapters.views import Views as AnalyticsViews
from tabiji_analytics.api import create_app
from tabiji_analytics.settings import AnalyticsSettings
from tabiji_common import parked
from tabiji_common.clock import SteppedClock
from tabiji_common.commands import UnparkAnalytics, UnparkDispatch
from tabiji_common.errors import Retry
from tabiji_common.topics import ANALYTICS_COMMANDS, DISPATCH_COMMANDS, Record
from tabiji_dispatch.adapters.postgres_customers import PostgresCustomers
from tabiji_dispatch.adapters.postgres_desk import PostgresDesk
from tabiji_dispatch.adapters.restore import RestoreWatch
from tabiji_dispatch.api import build_app
from tabiji_journey.adapters.publish import Publisher
from tabiji_journey.adapters.views import Views
from tabiji_journey.api import make_app
from tabiji_journey.domain.loader import Shop

CLOCK = SteppedClock()


class Gone:
    """A pool whose database refuses connections, or ends them."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def fetch(self, *_: Any) -> Any:
        raise self.error

    def acquire(self) -> Any:
        return self

    async def __aenter__(self) -> Any:
        raise self.error

    async def __aexit__(self, *_: object) -> None:
        raise NotImplementedError


class Silent:
    """A log that acknowledges nothing."""

    async def append(self, _: Sequence[Record[Any]]) -> None:
        raise Retry("no ack")


def journey(pool: Any) -> FastAPI:
    app = make_app(Publisher(pool, Shop()), Views(pool), Silent(), CLOCK, "w")
    parked.add_list(app, pool)
    return app


def dispatch(pool: Any) -> FastAPI:
    unused: Any = None
    customers = PostgresCustomers(pool, "s", unused)
    app = build_app(
        PostgresDesk(pool, "s"), RestoreWatch(pool, CLOCK, 1), Silent().append, CLOCK, lambda: None, customers
    )
    parked.add_routes(app, pool, Silent().append, CLOCK, DISPATCH_COMMANDS, UnparkDispatch)
    return app


def analytics(pool: Any) -> FastAPI:
    app = create_app(AnalyticsSettings(), AnalyticsViews(pool, pool), pool, CLOCK)
    parked.add_routes(app, pool, Silent().append, CLOCK, ANALYTICS_COMMANDS, UnparkAnalytics)
    return app


APPS = [
    (journey, ["/v1/journeys", "/v1/conservation", "/v1/parked"]),
    (dispatch, ["/v1/deliveries", "/v1/switches", "/v1/parked"]),
    (analytics, ["/v1/views/ltv_by_cohort", "/v1/drift", "/v1/parked"]),
]


async def answer_of(app: FastAPI, method: str, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return await client.request(method, path)


def away(answer: httpx.Response, rule: str) -> None:
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json() == {"error": {"field": "", "rule": rule}}


@pytest.mark.parametrize("error", [ConnectionRefusedError(), asyncpg.AdminShutdownError("bye"), TimeoutError()])
@pytest.mark.parametrize(("make", "paths"), APPS)
async def test_a_database_that_is_away(make: Any, paths: list[str], error: Exception) -> None:
    for path in paths:
        away(await answer_of(make(Gone(error)), "GET", path), "the database does not answer")


@pytest.mark.parametrize("make", [make for make, _ in APPS])
async def test_a_log_that_is_away(make: Any) -> None:
    answer = await answer_of(make(Gone(OSError())), "POST", "/v1/customers/w/ann/unpark")
    away(answer, "the log did not take it; ask again, with the same Idempotency-Key")


@pytest.mark.parametrize(("make", "paths"), APPS)
async def test_a_bug_in_a_query_is_no_outage(make: Any, paths: list[str]) -> None:
    answer = await answer_of(make(Gone(asyncpg.UndefinedColumnError("oops"))), "GET", paths[0])
    assert answer.status_code == 500
