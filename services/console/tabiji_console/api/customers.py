"""One customer: found by the shop's id or an e-mail address, with one line of time and why each message went or not."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from html import escape
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response

from tabiji_console.api.visit import Map, Missing, Visit, Visiting
from tabiji_console.domain import signs
from tabiji_console.domain.road import road
from tabiji_console.domain.timeline import line
from tabiji_console.ports import Away, Declined
from tabiji_console.ports import Query as Asked

router = APIRouter()

Row = Mapping[str, Any]

MOST_MESSAGES = 200
MOMENTS_SHOWN = 60
FRAME = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
Id = Annotated[str, Query(alias="id", max_length=256)]


@router.get("/customers")
async def search(visit: Visiting, customer: Id = "", all: bool = False) -> Response:  # noqa: A002, FBT001, FBT002 - a query parameter
    """The field to search in, and the customer that was searched for."""
    asked = customer.strip()
    told = await _told(visit, asked) if asked else None
    shown = None if all else MOMENTS_SHOWN
    return visit.page("customers.html", "customers", asked=asked, told=told, most=shown)


@router.get("/deliveries/{key}/preview")
async def preview(visit: Visiting, key: str) -> Response:
    """A message as it reads, in a frame that runs nothing, loads nothing and leads nowhere."""
    told = await visit.services.ask("dispatch", f"/v1/deliveries/{quote(key, safe='')}/preview")
    text = told["problem"] and visit.say("customers.preview.problem", rule=told["problem"])
    html = told["html"] or (
        f'<!doctype html><html lang="{visit.lang}"><meta charset="utf-8"><title>{escape(told["subject"])}</title>'
        f'<pre style="font:14px/1.7 sans-serif;white-space:pre-wrap;margin:16px">{escape(text or told["text"])}</pre>'
    )
    return HTMLResponse(html, headers={"Content-Security-Policy": FRAME, "X-Frame-Options": "SAMEORIGIN"})


def _key(one: Row) -> tuple[str, int]:
    return one["journey"], one["version"]


async def _maps(visit: Visit, wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], Map]:
    """The maps of these versions of journeys; those that cannot be told are left out."""
    found = await asyncio.gather(*(_map(visit, journey, version) for journey, version in wanted))
    return {key: one for key, one in zip(wanted, found, strict=True) if one is not None}


async def _map(visit: Visit, journey: str, version: int) -> Map | None:
    """A version never changes, so each is asked for once."""
    maps, key = visit.house.maps, (visit.workspace, journey, version)
    if key not in maps:
        asked: Asked = {"workspace": visit.workspace, "version": version}
        try:
            told = await visit.services.ask("journey", f"/v1/journeys/{quote(journey, safe='')}", asked)
        except (Away, Declined):
            return None
        maps[key] = Map(told["name"] or journey, road(told, version, (), (), ()))
    return maps[key]


async def _told(visit: Visit, asked: str) -> dict[str, Any]:
    """What the services tell of a customer; one that is away leaves its part out."""
    services, workspace = visit.services, visit.workspace
    path = f"/v1/customers/{quote(workspace, safe='')}/{quote(asked, safe='')}"
    query: Asked = {"workspace": workspace, "customer": asked, "limit": MOST_MESSAGES}
    found = await asyncio.gather(
        visit.maybe(services.ask("journey", f"{path}/enrollments")),
        visit.maybe(services.ask("journey", f"{path}/events")),
        visit.maybe(services.ask("analytics", f"{path}/facts")),
        visit.maybe(services.ask("dispatch", "/v1/deliveries", query)),
        visit.maybe(services.ask("dispatch", f"{path}/contact")),
    )
    away = sorted({one.service for one in found if isinstance(one, Missing)})
    standing, events, facts, messages, contact = ({} if isinstance(one, Missing) else one for one in found)
    enrollments = standing.get("enrollments", [])
    maps = await _maps(visit, {(one["journey"], one["version"]) for one in enrollments})
    moments = line(events.get("events", []), facts, enrollments, messages or [], contact)
    return {
        "away": away,
        "customer": next((one["customer"] for one in (standing, facts, contact) if one), asked),
        "merged_into": events.get("merged_into") or contact.get("merged_into") or "",
        "forgotten": events.get("forgotten", 0),
        "enrollments": enrollments,
        "title_of": lambda one: maps[key].title if (key := _key(one)) in maps else one["journey"],
        "state_of": lambda one, state: signs.state_in(
            maps[key].road if (key := _key(one)) in maps else None, state, visit.lang
        ),
        "messages": messages or [],
        "contact": contact,
        "moments": moments,
        "known": bool(moments or contact.get("known")),
    }
