"""Deliveries: what waits, what became of messages, what a person has to settle, and what holds sends back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import Response

from tabiji_console.api.gauging import gauges_of
from tabiji_console.api.live import tell_live
from tabiji_console.api.visit import Form, Missing, Visit, Visiting
from tabiji_console.domain import deliveries, figures
from tabiji_console.ports import Query

router = APIRouter()

MOST_UNKNOWN = 20
MOST_LISTED = 50
CHANNELS = ("email", "line", "sms")
OUTCOMES = ("sent", "failed", "resend")
HERE = "/deliveries"


@router.get("/deliveries")
async def page(visit: Visiting, done: str = "") -> Response:
    """Queue, outcomes, unknown messages, switches, brakes and the suppression list."""
    return await _page(visit, done=done)


async def _page(visit: Visit, *, done: str = "", wrong: str = "", said: Mapping[str, str] | None = None) -> Response:
    """``wrong`` names what a form that was sent lacks, ``said`` are its fields."""
    services, workspace = visit.services, {"workspace": visit.workspace}
    found: list[Any] = await asyncio.gather(
        visit.maybe(_queue(visit)),
        visit.maybe(services.ask("analytics", "/v1/views/message_outcomes", workspace)),
        visit.maybe(_unknown(visit)),
        visit.maybe(services.ask("dispatch", "/v1/switches")),
        visit.maybe(services.ask("dispatch", "/v1/brakes")),
        visit.maybe(services.ask("dispatch", "/v1/suppressions", {**workspace, "limit": MOST_LISTED})),
        visit.maybe(services.ask("dispatch", "/v1/quotas")),
        visit.maybe(services.ask("journey", "/v1/journeys", workspace)),
    )
    waiting, outcomes, unknown, switches, brakes, listed, quotas, journeys = found
    return visit.page(
        "deliveries.html",
        "deliveries",
        422 if wrong else 200,
        wrong=wrong,
        said=said or {},
        queue=waiting,
        clock="" if isinstance(waiting, Missing) else waiting["clock"],
        lanes=outcomes if isinstance(outcomes, Missing) else deliveries.lanes(outcomes["rows"]),
        unknown=unknown,
        most=MOST_UNKNOWN,
        switches=switches,
        brakes=brakes if isinstance(brakes, Missing) else deliveries.newest(brakes),
        listed=listed,
        quotas=quotas or [],
        journeys=journeys["journeys"] if journeys else [],
        channels=CHANNELS,
        done=done if done in deliveries.DONE else "",
    )


@router.get("/live/deliveries")
async def live(visit: Visiting) -> Response:
    """How many wait and how many nobody knows, as they change."""
    return await tell_live(visit, "deliveries", _figures)


async def _figures(visit: Visit) -> Mapping[str, Any]:
    queue = await _queue(visit)
    ids = {f"queue.{state}": figures.number(queue[state]) for state in deliveries.AHEAD}
    return {"ids": ids | {"unknown": figures.number(queue["unknown"]), "clock": queue["clock"]}}


async def _queue(visit: Visit) -> dict[str, Any]:
    """How many messages wait, how many nobody knows, and what time it is for dispatch."""
    gauges, idle = await asyncio.gather(gauges_of(visit, "dispatch"), visit.services.ask("dispatch_admin", "/idle"))
    waiting = gauges.by("tabiji_dispatch_waiting_messages", "state")
    return {
        **{state: int(waiting.get(state, 0)) for state in deliveries.AHEAD},
        "unknown": int(gauges.total("tabiji_dispatch_unknown_messages") or 0),
        "clock": figures.clock(figures.instant(idle["now"]), visit.zone),
    }


async def _unknown(visit: Visit) -> list[Any]:
    """What a person may settle, each with its attempts: the evidence."""
    query: Query = {"workspace": visit.workspace, "limit": MOST_UNKNOWN}
    rows = await visit.services.ask("dispatch", "/v1/unknown", query)
    paths = [f"/v1/deliveries/{quote(row['message_key'], safe='')}" for row in rows]
    return list(await asyncio.gather(*(visit.services.ask("dispatch", path) for path in paths)))


@router.post("/deliveries/settle")
async def settle(visit: Visiting, form: Form) -> Response:
    """Say what became of an unknown message. Sending again is asked about once more: it may arrive twice."""
    key, outcome = form.get("key", ""), form.get("outcome", "")
    if outcome == "resend" and form.get("sure") != "yes":
        return visit.page(
            "sure.html", "deliveries", what="resend", fields={"key": key, "outcome": outcome}, to="/deliveries/settle"
        )
    await visit.services.tell("dispatch", "POST", f"/v1/unknown/{quote(key, safe='')}", {"outcome": outcome})
    return visit.back(f"{HERE}?done=settled#unknown")


@router.post("/deliveries/switch")
async def switch(visit: Visiting, form: Form) -> Response:
    """Stop sends or let them go: asked twice, then written down under the operator's name."""
    asked = deliveries.switch_of(form, visit.workspace)
    if wrong := deliveries.wrong_with(asked, await _journeys(visit, asked)):
        return await _page(visit, wrong=wrong, said=form)
    if form.get("sure") != "yes":
        return visit.page(
            "sure.html", "deliveries", what="on" if asked["on"] else "off", fields=dict(form), to="/deliveries/switch"
        )
    await visit.services.tell("dispatch", "PUT", "/v1/switches", asked)
    return visit.back(f"{HERE}?done={'stopped' if asked['on'] else 'running'}#switches")


async def _journeys(visit: Visit, asked: Mapping[str, Any]) -> frozenset[str]:
    """Names of the shop's journeys where the switch is of one; none where journey is away."""
    if asked["scope"] != "journey":
        return frozenset()
    told = await visit.maybe(visit.services.ask("journey", "/v1/journeys", {"workspace": asked["workspace"]}))
    return frozenset() if isinstance(told, Missing) else frozenset(one["journey"] for one in told["journeys"])


@router.post("/deliveries/brake")
async def brake(visit: Visiting, form: Form) -> Response:
    """Let go of what a brake holds."""
    if form.get("sure") != "yes":
        return visit.page("sure.html", "deliveries", what="brake", fields=dict(form), to="/deliveries/brake")
    body = {name: form.get(name, "") for name in ("kind", "workspace", "name")}
    await visit.services.tell("dispatch", "POST", "/v1/brakes/release", body)
    return visit.back(f"{HERE}?done=released#brakes")


@router.post("/deliveries/suppress")
async def suppress(visit: Visiting, form: Form) -> Response:
    """Put an address on the suppression list, or take it off."""
    body = {
        "workspace": visit.workspace,
        "channel": form.get("channel", ""),
        "address": form.get("address", "").strip(),
    }
    if not body["address"]:
        return await _page(visit, wrong="address", said=form)
    if form.get("act") == "remove":
        told = await visit.services.tell("dispatch", "DELETE", "/v1/suppressions", body)
        done = "unlisted" if told and told["removed"] else "notlisted"
    else:
        scope = "marketing" if form.get("scope") == "marketing" else "all"
        await visit.services.tell("dispatch", "POST", "/v1/suppressions", {**body, "scope": scope})
        done = "listed"
    return visit.back(f"{HERE}?done={done}#suppression")
