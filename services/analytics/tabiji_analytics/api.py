"""Views, a day, a customer's facts, and POST /v1/recompute: what the views hold, and whether it is true."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
from fastapi import FastAPI, Response

from tabiji_analytics.adapters.days import Days
from tabiji_analytics.adapters.recompute import recompute
from tabiji_analytics.adapters.stays import Stays
from tabiji_analytics.adapters.views import Row, Views
from tabiji_analytics.domain.catalog import VIEWS, View
from tabiji_analytics.settings import AnalyticsSettings
from tabiji_common.clock import Clock
from tabiji_common.identity import closed_id
from tabiji_common.web import Refused, install_errors

MOST_DISTANT = date(1900, 1, 1), date(2199, 12, 31)


def create_app(settings: AnalyticsSettings, views: Views, patient: asyncpg.Pool[Any], clock: Clock) -> FastAPI:
    """The HTTP API; ``patient`` is a pool without the short timeouts."""
    app = FastAPI(title="Tabiji analytics", version="1", description=__doc__, docs_url=None, redoc_url=None)
    install_errors(app)
    one_at_a_time = asyncio.Lock()
    people = Days(patient)
    _add_day(app, settings, people, clock)
    _add_stays(app, settings, Stays(patient))

    @app.get("/v1/customers/{workspace}/{customer:path}/facts")
    async def facts(workspace: str, customer: str) -> Response:
        """A customer's orders, refunds, campaign visits and reactions to messages, the newest 300 of each."""
        _check_text(workspace + customer)
        customer = closed_id(customer, settings.workspace_secret, workspace)
        told = await people.facts(workspace, customer)
        return _json({"workspace": workspace, "customer": customer, **told})

    @app.get("/v1/views")
    async def listing() -> Response:
        """Every view with its columns."""
        return _json({"views": [_described(view) for view in VIEWS.values()]})

    @app.get("/v1/views/{name}")
    async def view(
        name: str,
        tz: str = "",
        currency: str = "",
        workspace: str = "",
        format: Literal["json", "csv"] = "json",  # noqa: A002 - the parameter's name
    ) -> Response:
        """Rows of a view: months of ``tz`` (else the workspace's zone), of ``currency`` (else each, never added up)."""
        asked = VIEWS.get(name)
        if asked is None:
            raise Refused(404, f"must be one of {', '.join(VIEWS)}", "name")
        zone = _zone(tz or settings.timezone)
        whose = workspace or settings.workspace
        _check_text(whose)
        try:
            rows = await views.rows(asked, whose, zone, currency.upper() or None)
        except asyncpg.InvalidParameterValueError as error:  # Python knows more zones than it may
            raise Refused(400, "must be a zone that the database knows", "tz") from error
        if format == "csv":
            return Response(_csv(asked, rows), media_type="text/csv; charset=utf-8")
        document = {"view": name, "workspace": whose, "zone": zone if asked.zoned else None, "columns": asked.columns}
        return _json({**document, "rows": rows})

    @app.get("/v1/drift")
    @app.post("/v1/recompute")
    async def drift() -> Response:
        """Recompute every view from facts now, and list the cells that differ; ``drift`` 0 is what is promised."""
        async with one_at_a_time:
            return _json((await recompute(patient)).plain())

    return app


def _add_day(app: FastAPI, settings: AnalyticsSettings, days: Days, clock: Clock) -> None:
    @app.get("/v1/day")
    async def day(tz: str = "", day: date | None = None, workspace: str = "") -> Response:
        """What happened on a ``day`` of ``tz`` (else today in the workspace's zone): orders, messages, moves."""
        zone = ZoneInfo(_zone(tz or settings.timezone))
        whose = workspace or settings.workspace
        _check_text(whose)
        now = clock.now()
        which = day or now.astimezone(zone).date()
        if not MOST_DISTANT[0] <= which <= MOST_DISTANT[1]:
            raise Refused(400, "must be a day of this age", "day")
        since, until = (datetime.combine(which + timedelta(days=n), time(), zone) for n in (0, 1))
        told = await days.between(whose, since, until)
        return _json({"workspace": whose, "zone": zone.key, "day": which, "since": since, "now": now, **told})


def _add_stays(app: FastAPI, settings: AnalyticsSettings, stays: Stays) -> None:
    @app.get("/v1/stays")
    async def median_stays(journey: str, version: int, workspace: str = "") -> Response:
        """How long people stood in each state of a journey's version: medians of those who left it, by a sample."""
        whose = workspace or settings.workspace
        _check_text(whose + journey)
        if not 0 < version < 2**31:
            raise Refused(400, "must be a version that there can be", "version")
        told = await stays.medians(whose, journey, version)
        return _json({"workspace": whose, "journey": journey, "version": version, **told})


def _check_text(workspace: str) -> None:
    if "\0" in workspace:
        raise Refused(400, "must be text without NUL", "workspace")


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError) as error:
        raise Refused(400, "must be a zone of the IANA database, such as Asia/Tokyo", "tz") from error


def _described(view: View) -> dict[str, Any]:
    return {
        "name": view.name,
        "shows": view.shows,
        "columns": view.columns,
        "zoned": view.zoned,
        "currency": view.money,
    }


def _json(document: Any) -> Response:
    return Response(msgspec.json.encode(document), media_type="application/json")


def _csv(view: View, rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, view.columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
