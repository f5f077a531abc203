"""LTV and retention: cohorts, curves, and the road from a first to a second order; the figures of `tabiji view`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from fastapi.responses import Response

from tabiji_console.api.visit import Missing, Visit, Visiting
from tabiji_console.domain import curves, figures
from tabiji_console.domain.cohorts import Cohorts, Mean, cohorts, ladder, lines_of_cohorts, lines_of_media, media
from tabiji_console.domain.words import named

router = APIRouter()

Row = Mapping[str, Any]
Zone = Annotated[str, Query(max_length=64, pattern=r"^[A-Za-z0-9_+/-]*$")]
Currency = Annotated[str, Query(max_length=3, pattern="^[A-Za-z]*$")]
View = Literal["ltv_by_cohort", "retention_monthly", "repeat_purchase", "ltv_by_medium"]
DRIFT = re.compile(r'^tabiji_analytics_drift_cells\{view="\w+"\} (\S+)$', re.MULTILINE)
MEDIA_TICKS = (0, 30, 90, 180, 365)


@router.get("/ltv")
async def page(visit: Visiting, tz: Zone = "", currency: Currency = "") -> Response:
    """Everything of one currency (of several the one with the most customers) and one zone's months."""
    zone = tz or visit.zone
    ask, asked = visit.services.ask, {"workspace": visit.workspace}
    journeys, rows, repeat, by_medium, drift = await asyncio.gather(
        visit.maybe(ask("journey", "/v1/journeys", asked)),
        ask("analytics", "/v1/views/ltv_by_cohort", {**asked, "tz": zone}),
        ask("analytics", "/v1/views/repeat_purchase", asked),
        ask("analytics", "/v1/views/ltv_by_medium", asked),
        visit.maybe(visit.services.read("analytics_admin", "/metrics")),
    )
    found = _currencies(repeat["rows"])
    chosen = currency.upper() if currency.upper() in found else next(iter(found), "")
    mine = [[row for row in view["rows"] if row["currency"] == chosen] for view in (rows, repeat, by_medium)]
    table = cohorts(mine[0], _this_month(journeys, mine[0], zone))
    return visit.page(
        "ltv.html",
        "ltv",
        table=table,
        ladder=ladder(mine[1]),
        curves=_of_cohorts(visit, table, chosen),
        media=_of_media(visit, mine[2], chosen),
        by_medium=media(mine[2]),
        currency=chosen,
        currencies=found,
        tz=zone,
        zones=list(dict.fromkeys((visit.zone, "UTC", zone))),
        drift=_drift(drift),
        next_month=table.mean(1, lambda cell: cell.retention),
        ltv=_means_of_ltv(table),
        first=table.mean(0, lambda cell: cell.ltv_minor).value,
        csv=f"tz={zone}&currency={chosen}",
    )


@router.get("/ltv/{view}.csv")
async def table(visit: Visiting, view: View, tz: Zone = "", currency: Currency = "") -> Response:
    """A view as analytics writes it."""
    asked = {"workspace": visit.workspace, "tz": tz or visit.zone, "currency": currency or None, "format": "csv"}
    text = await visit.services.read("analytics", f"/v1/views/{view}", asked)
    name = "-".join(filter(None, (view, currency.lower(), (tz or visit.zone).replace("/", "-"))))
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


def _currencies(rows: Sequence[Row]) -> dict[str, int]:
    """Customers by currency, the most first."""
    found = {row["currency"]: row["customers"] for row in rows if row["metric"] == "customers"}
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def _this_month(journeys: Any, rows: Sequence[Row], zone: str) -> str:
    """The month that it is in ``zone``, by the services' clock; where they do not say, the last one in the data."""
    if not isinstance(journeys, Missing) and "now" in journeys:
        return f"{figures.instant(journeys['now']).astimezone(ZoneInfo(zone)):%Y-%m}"
    return max((_plus(row["cohort_month"], row["month_index"]) for row in rows), default="0001-01")


def _plus(month: str, more: int) -> str:
    year, _, part = month.partition("-")
    count = int(year) * 12 + int(part) - 1 + more
    return f"{count // 12:04d}-{count % 12 + 1:02d}"


def _drift(told: str | Missing) -> int | None:
    """Cells that differed when analytics last compared; ``None`` where it has not, or does not say."""
    if isinstance(told, Missing):
        return None
    cells = DRIFT.findall(told)
    return int(sum(map(float, cells))) if cells else None


def _means_of_ltv(table: Cohorts) -> list[tuple[int, Mean]]:
    """After 3 and 12 months; after the last one that there is, where that is sooner."""
    last = max((cell.index for cohort in table.rows for cell in cohort.over), default=0)
    months = dict.fromkeys(min(month, last) for month in (3, 12))
    return [(month, table.mean(month, lambda cell: cell.ltv_minor)) for month in months if month]


def _of_cohorts(visit: Visit, table: Cohorts, currency: str) -> Any:
    lines = lines_of_cohorts(table)
    if not lines:
        return ""
    last = max(line.points[-1][0] for line in lines)
    step = next(step for step in (1, 2, 3, 6, 12, 24) if last / step <= 7)
    ticks = [(float(n), visit.say("ltv.axis.months", n=n)) for n in range(0, int(last) + 1, step)]
    return curves.draw(
        lines,
        visit.say("ltv.curves.label"),
        ticks,
        lambda minor: figures.money(minor, currency, 0),
        lambda month: visit.say("ltv.axis.months", n=int(month)),
        exact=lambda minor: figures.money(minor, currency),
    )


def _of_media(visit: Visit, rows: Sequence[Row], currency: str) -> Any:
    lines = lines_of_media(rows)
    if not lines:
        return ""

    def days(at: float) -> str:
        return visit.say("ltv.axis.days", n=int(at)) if at else visit.say("ltv.axis.first")

    return curves.draw(
        [type(line)(named(visit.lang, "medium", line.name), line.points, line.rank) for line in lines],
        visit.say("ltv.media.label"),
        [(float(day), days(day)) for day in MEDIA_TICKS if day != 30],
        lambda minor: figures.money(minor, currency, 0),
        days,
        exact=lambda minor: figures.money(minor, currency),
    )
