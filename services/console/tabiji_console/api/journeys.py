"""Journeys: the list of them, and each one's map with live counts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from tabiji_console.api.live import tell_live
from tabiji_console.api.visit import Missing, Visit, Visiting
from tabiji_console.domain import figures, mapsvg, signs
from tabiji_console.domain.lift import Lift, lift
from tabiji_console.domain.road import Arm, Road, Stop, road
from tabiji_console.domain.source import lines_of
from tabiji_console.ports import Query as Asked

router = APIRouter()

Row = Mapping[str, Any]
Name = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9-]*$", max_length=100)]
State = Annotated[str, Query(max_length=100)]
VIEWS = ("journey_funnel", "journey_flow", "message_outcomes")
WAITING_SHOWN = 6
MOST_WAITING = 200


@router.get("/journeys")
async def listing(visit: Visiting) -> Response:
    """Every journey of the shop, with how many people are where and how many reached the goal."""
    services = visit.services
    found, standing, funnel = await asyncio.gather(
        services.ask("journey", "/v1/journeys", {"workspace": visit.workspace}),
        visit.maybe(services.ask("journey", "/v1/conservation")),
        visit.maybe(services.ask("analytics", "/v1/views/journey_funnel", {"workspace": visit.workspace})),
    )
    rows = {} if isinstance(standing, Missing) else _by_journey(standing["journeys"], visit.workspace)
    goals = {} if isinstance(funnel, Missing) else _goals(funnel["rows"])
    return visit.page("journeys.html", "journeys", journeys=found["journeys"], standing=rows, goals=goals)


@router.get("/journeys/{journey}")
async def one(
    visit: Visiting,
    journey: Name,
    state: State = "",
    version: int | None = None,
    all: bool = False,  # noqa: A002, FBT001, FBT002 - a query parameter
) -> Response:
    """A journey's map, its figures by step, one state's people, and the document it was made from."""
    services, workspace = visit.services, visit.workspace
    found, standing, *views = await asyncio.gather(
        services.ask("journey", f"/v1/journeys/{quote(journey)}", {"workspace": workspace, "version": version}),
        visit.maybe(services.ask("journey", "/v1/conservation")),
        *(visit.maybe(services.ask("analytics", f"/v1/views/{name}", {"workspace": workspace})) for name in VIEWS),
    )
    away = next((view for view in views if isinstance(view, Missing)), None)
    drawn = road(found, found["shown"], *([] if isinstance(view, Missing) else view["rows"] for view in views))
    chosen, query = drawn.stop(state), f"&version={version}" if version is not None else ""
    stays, waiting = await asyncio.gather(
        _stays(visit, journey, found["shown"]),
        _waiting(visit, journey, found["shown"], chosen, MOST_WAITING if all else WAITING_SHOWN),
    )
    kept = None if isinstance(standing, Missing) else _by_journey(standing["journeys"], workspace).get(journey)
    return visit.page(
        "journey.html",
        "journeys",
        **_drawn(visit, drawn, state, query),
        journey=found,
        away=away,
        kept=kept,
        chosen=chosen,
        waiting=waiting,
        most_waiting=MOST_WAITING,
        stays=stays,
        now=figures.instant(found["now"]),
        within=_within(visit, found["goal"]),
        file=next((row["file"] for row in found["versions"] if row["version"] == found["shown"]), ""),
        source=lines_of(found["source"], state),
        stream=f"/journeys/{quote(journey)}/live?version={found['shown']}",
    )


def _drawn(visit: Visit, drawn: Road, state: str, query: str) -> dict[str, Any]:
    """The map, what its states are called, and the comparison with the holdout."""
    picture = signs.picture(drawn, visit.lang, visit.say("journeys.road"), chosen=state, query=query)
    compared = lift(drawn.treated.converted, drawn.treated.people, drawn.holdout.converted, drawn.holdout.people)
    return {
        "road": drawn,
        "query": query,
        "maps": [mapsvg.draw(picture), mapsvg.draw(picture, upright=True)] if drawn.stops else [],
        "title_of": lambda stop: signs.title_in(drawn, stop, visit.lang),
        "icon_of": signs.icon_of,
        "note_of": lambda stop: signs.note_of(stop, visit.lang),
        "lift": compared,
        "comparable": bool(drawn.treated.people and drawn.holdout.people),
        "span": _span_of(compared),
    }


async def _waiting(visit: Visit, journey: str, version: int, chosen: Stop | None, most: int) -> Any:
    """Who waits in the state that is looked at; ``None`` where nobody does."""
    if chosen is None or not chosen.waiting:
        return None
    asked: Asked = {"workspace": visit.workspace, "version": version, "limit": most}
    path = f"/v1/journeys/{quote(journey)}/states/{quote(chosen.name)}"
    return await visit.maybe(visit.services.ask("journey", path, asked))


async def _stays(visit: Visit, journey: str, version: int) -> dict[str, timedelta]:
    """By state, the median time that people stood in it; nothing where analytics is away."""
    asked: Asked = {"workspace": visit.workspace, "journey": journey, "version": version}
    told = await visit.maybe(visit.services.ask("analytics", "/v1/stays", asked))
    rows = [] if isinstance(told, Missing) else told["states"]
    return {row["state"]: timedelta(seconds=row["median_seconds"]) for row in rows}


@router.get("/journeys/{journey}/live")
async def live(visit: Visiting, journey: Name, version: int) -> Response:
    """New counts as they come, and who moved, as server-sent events."""
    return await tell_live(visit, f"journey {journey} {version}", _Moving(journey, version))


class _Moving:
    """A version's counts as a message, and the ways that somebody took since it was asked for last."""

    def __init__(self, journey: str, version: int) -> None:
        self._asked = journey, version
        self._ways: Mapping[str, int] | None = None

    async def __call__(self, visit: Visit) -> Row:
        """The message."""
        now = await _counts(visit, *self._asked)
        before, self._ways = self._ways, now["ways"]
        return _message(visit, {**now, "moves": [] if before is None else _moves(before, now["ways"])})


async def _counts(visit: Visit, journey: str, version: int) -> dict[str, Any]:
    """Who waits where, and who reached the goal."""
    services, asked = visit.services, {"workspace": visit.workspace}
    found, *views = await asyncio.gather(
        services.ask("journey", f"/v1/journeys/{quote(journey)}", {**asked, "version": version}),
        *(services.ask("analytics", f"/v1/views/{name}", asked) for name in VIEWS),
    )
    drawn = road(found, version, *(view["rows"] for view in views))
    ways = {f"{way.source}>{way.target}": way.people for way in drawn.ways}
    ways |= {f"{stop.name}>goal": stop.converted for stop in drawn.stops}
    return {"road": drawn, "now": found["now"], "counts": found["counts"], "ways": ways}


def _moves(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    return [way for way, people in after.items() if people > before.get(way, 0)]


def _message(visit: Visit, known: Row) -> Row:
    """The figures of a page by the ids that they have in it."""
    drawn: Road = known["road"]
    ids = {f"waiting.{stop.name}": figures.number(stop.waiting) for stop in drawn.stops}
    ids |= {
        f"count.{stop.name}": figures.number(stop.sent if stop.kind == "send" else stop.reached) for stop in drawn.stops
    }
    ids |= {f"goal.{stop.name}": figures.number(stop.converted) for stop in drawn.stops}
    people = drawn.treated.people + drawn.holdout.people
    by = {status: _sum(known["counts"], status) for status in ("waiting", "finished", "exited")}
    ids |= {f"all.{status}": figures.number(count) for status, count in by.items()}
    ids |= {"all.entered": figures.number(sum(by.values())), "entered": figures.number(people)}
    ids |= {"goal": figures.number(drawn.converted)}
    ids["clock"] = figures.clock(figures.instant(known["now"]), visit.zone)
    return {"ids": ids, "moves": known["moves"]}


def _within(visit: Visit, goal: Row | None) -> str:
    return figures.span(timedelta(seconds=goal["within"]), visit.lang) if goal else ""


def _sum(counts: Sequence[Row], status: str) -> int:
    return sum(row["enrollments"] for row in counts if row["status"] == status)


def _span_of(compared: Lift) -> tuple[float, float, float, float]:
    """Where zero, both ends and the middle of the interval are on a line from 0 to 100."""
    low, high = min(compared.low, 0.0), max(compared.high, 0.0)
    wide = (high - low) or 1.0
    zero, begin, end, middle = (
        6 + 88 * (at - low) / wide for at in (0.0, compared.low, compared.high, compared.difference)
    )
    return zero, begin, end, middle


def _by_journey(rows: Sequence[Row], workspace: str) -> dict[str, dict[str, Any]]:
    return {
        row["journey"]: {**row, "left": sum(row["exited"].values()), "lost": abs(row["balance"]) + row["stuck"]}
        for row in rows
        if row["workspace"] == workspace
    }


def _goals(rows: Sequence[Row]) -> dict[str, Arm]:
    """By journey, all versions and both arms together: who entered, and who reached the goal."""
    found: dict[str, Arm] = {}
    for row in rows:
        arm = found.get(row["journey"], Arm(0, 0))
        entered = row["enrollments"] if row["step"] == "entered" else 0
        converted = row["enrollments"] if row["step"] == "converted" else 0
        found[row["journey"]] = Arm(arm.people + entered, arm.converted + converted)
    return found
