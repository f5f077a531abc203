"""Today: what happened, who waits, what was sent and why not, and the promises with their proof."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from tabiji_console.api.gauging import gauges_of
from tabiji_console.api.live import tell_live
from tabiji_console.api.visit import Missing, Visit, Visiting
from tabiji_console.domain import figures, today
from tabiji_console.domain.gauges import Gauges
from tabiji_console.ports import Query

router = APIRouter()

SLOWEST = 5.0  # a day's figures are sums over the day: ask for them that often at most
LOOK_BACK = 14  # days, of which each is one question
REASONS_SHOWN = 6
JOURNEYS_SHOWN = 8
Told = dict[str, Any]


@router.get("/")
async def page(visit: Visiting, day: date | None = None) -> Response:
    """The first page: today as it goes on, or what a day that is over came to."""
    told = await _told(visit, day)
    last = await _last(visit, told["day"]) if day is None and today.is_quiet(told["day"]) else None
    return visit.page("today.html", "today", **told, past=day is not None, last=last)


@router.get("/live/today")
async def live(visit: Visiting) -> Response:
    """The same figures, as they change."""
    return await tell_live(visit, "today", _figures, max(SLOWEST, visit.house.settings.console_live_seconds))


@router.get("/promises")
async def proof(visit: Visiting) -> Response:
    """What is promised, counted."""
    day, standing, gauges = await _promised(visit)
    return visit.page(
        "promises.html",
        "today",
        day=day,
        standing=standing,
        drift=gauges,
        promises=_promises(standing, gauges, day),
        views=_views(gauges) if isinstance(gauges, Gauges) else [],
    )


@router.post("/promises/drift")
async def compare(visit: Visiting) -> Response:
    """Recompute all views now; the figures of the proof are those of this comparison."""
    await visit.services.ask("analytics", "/v1/drift")
    return visit.back("/promises#drift")


async def _last(visit: Visit, day: Mapping[str, Any]) -> date | None:
    """The last day before a quiet one on which something happened; ``None`` where it is long ago."""
    begun = date.fromisoformat(day["day"])
    for days in range(1, LOOK_BACK + 1):
        found = await visit.maybe(_day(visit, begun - timedelta(days)))
        if isinstance(found, Missing):
            return None
        if not today.is_quiet(found):
            return begun - timedelta(days)
    return None


async def _day(visit: Visit, day: date | None) -> Any:
    query: Query = {"workspace": visit.workspace, "tz": visit.zone, "day": day.isoformat() if day else None}
    return await visit.services.ask("analytics", "/v1/day", query)


async def _promised(visit: Visit, day: date | None = None) -> tuple[Any, Any, Any]:
    services = visit.services
    told, standing, gauges = await asyncio.gather(
        visit.maybe(_day(visit, day)),
        visit.maybe(services.ask("journey", "/v1/conservation")),
        visit.maybe(gauges_of(visit, "analytics")),
    )
    return told, standing, gauges


def _promises(standing: Any, gauges: Any, day: Any) -> today.Promises:
    known = [None if isinstance(one, Missing) else one for one in (standing, gauges, day)]
    return today.promises(*known)


async def _told(visit: Visit, on: date | None = None) -> Told:
    """What the page shows of today, or of the day ``on``."""
    (day, standing, analytics), journeys, dispatch = await asyncio.gather(
        _promised(visit, on),
        visit.maybe(visit.services.ask("journey", "/v1/journeys", {"workspace": visit.workspace})),
        visit.maybe(gauges_of(visit, "dispatch")),
    )
    names = {} if isinstance(journeys, Missing) else {one["journey"]: one["name"] for one in journeys["journeys"]}
    return {
        "day": day,
        "standing": standing,
        "names": names,
        "ahead": today.ahead(dispatch) if isinstance(dispatch, Gauges) else {},
        "messages": day if isinstance(day, Missing) else today.messages(day["messages"]),
        "waiting": [] if isinstance(standing, Missing) else today.waiting(standing, visit.workspace),
        "entered": None if isinstance(day, Missing) else today.entered(day),
        "promises": _promises(standing, analytics, day),
        "checked": isinstance(analytics, Gauges),
        "reactions": {} if isinstance(day, Missing) else today.reactions(day),
        "journeys_shown": JOURNEYS_SHOWN,
        "reasons_shown": REASONS_SHOWN,
        "clock": "" if isinstance(day, Missing) else figures.clock(figures.instant(day["now"]), visit.zone),
    }


def _views(gauges: Gauges) -> list[tuple[str, int, int]]:
    differ = gauges.by("tabiji_analytics_drift_cells", "view")
    checked = gauges.by("tabiji_analytics_checked_cells", "view")
    return [(view, int(cells), int(differ.get(view, 0))) for view, cells in sorted(checked.items())]


async def _figures(visit: Visit) -> Mapping[str, Any]:
    return {"ids": await _ids(visit)}


async def _ids(visit: Visit) -> Mapping[str, str]:
    """The page's figures by the ids that they have in it."""
    told = await _told(visit)
    day, messages, promises = told["day"], told["messages"], told["promises"]
    ids = {"lost": figures.number(promises.lost), "drift": figures.number(promises.drift)}
    ids["doubled"] = figures.number(promises.doubled)
    ids |= {f"ahead.{state}": figures.number(count) for state, count in told["ahead"].items()}
    ids |= {f"waiting.{journey}": figures.number(count) for journey, count in told["waiting"]}
    if isinstance(day, Missing):
        return ids
    ids |= {f"reaction.{name}": figures.number(count) for name, count in told["reactions"].items()}
    ids |= {f"state.{state}": figures.number(count) for state, count in messages.by_state.items()}
    ids |= {f"why.{state}.{reason}": figures.number(count) for state, reason, count in messages.reasons}
    for row in day["orders"]:
        ids |= {
            f"{row['currency']}.{name}": figures.money(row[name], row["currency"])
            for name in ("sales_minor", "new_sales_minor", "existing_sales_minor")
        }
        ids[f"{row['currency']}.orders"] = figures.number(row["orders"])
    return ids | {"entered": figures.number(told["entered"]), "clock": told["clock"]}
