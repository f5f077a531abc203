"""Health: every service's lag, ownership, clock and restore state, who is parked, and what was let go."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import Response

from tabiji_console.api import letters
from tabiji_console.api.gauging import gauges_of
from tabiji_console.api.live import tell_live
from tabiji_console.api.visit import Form, Missing, Visit, Visiting
from tabiji_console.domain import figures, health
from tabiji_console.domain.gauges import Gauges
from tabiji_console.ports import Declined
from tabiji_console.settings import SERVICES, STATEFUL

router = APIRouter()

DONE = frozenset({"asked", "released", "accepted"})


@router.get("/health")
async def page(visit: Visiting, done: str = "") -> Response:
    """Every service, then the people who stand still."""
    states, parked, sends, standing, (dead, silent) = await asyncio.gather(
        asyncio.gather(*(_state(visit, service) for service in SERVICES)),
        asyncio.gather(*(visit.maybe(visit.services.ask(service, "/v1/parked")) for service in STATEFUL)),
        visit.maybe(visit.services.ask("dispatch", "/v1/restore")),
        visit.maybe(visit.services.ask("journey", "/v1/conservation")),
        letters.groups(visit),
    )
    return visit.page(
        "health.html",
        "health",
        states=states,
        parked=[
            {**row, "service": service}
            for service, told in zip(STATEFUL, parked, strict=True)
            if not isinstance(told, Missing)
            for row in told["parked"]
        ],
        unheard=[told.service for told in parked if isinstance(told, Missing)],
        letters=dead,
        letters_unheard=silent,
        sends={} if isinstance(sends, Missing) else sends,
        stuck=None if isinstance(standing, Missing) else health.standing(standing, visit.workspace),
        clock=_clock(visit, states),
        done=done if done in DONE else "",
    )


@router.get("/live/health")
async def live(visit: Visiting) -> Response:
    """How far each service is behind, as it changes."""
    return await tell_live(visit, "health", _figures)


async def _figures(visit: Visit) -> dict[str, Any]:
    states = await asyncio.gather(*(_state(visit, service) for service in SERVICES))
    ids: dict[str, str] = {}
    for state in states:
        ids[f"{state.service}.lag"] = figures.number(state.lag)
        ids[f"{state.service}.rejected"] = figures.number(state.rejected)
        ids[f"{state.service}.due"] = figures.number(state.due)
        ids[f"{state.service}.accepted"] = figures.number(state.accepted)
    return {"ids": ids | {"clock": _clock(visit, states)}}


def _clock(visit: Visit, states: Sequence[health.State]) -> str:
    """What time it is for the first service that answers; empty where none does."""
    now = next((state.now for state in states if state.now), "")
    return figures.clock(figures.instant(now), visit.zone) if now else ""


async def _state(visit: Visit, service: str) -> health.State:
    """One service, from its admin port; one that is away is a state too."""
    admin = f"{service}_admin"
    idle, ready, gauges, restore = await asyncio.gather(
        visit.maybe(visit.services.ask(admin, "/idle")),
        visit.maybe(_or_none(visit, admin, "/readyz")),
        visit.maybe(gauges_of(visit, service)),
        visit.maybe(_or_none(visit, admin, "/restore")),
    )
    told = [None if isinstance(one, Missing) else one for one in (idle, ready, restore)]
    return health.state(service, told[0], told[1], told[2], gauges if isinstance(gauges, Gauges) else Gauges())


async def _or_none(visit: Visit, service: str, path: str) -> Any:
    try:
        return await visit.services.ask(service, path)
    except Declined:
        return None


@router.post("/health/unpark")
async def unpark(visit: Visiting, form: Form) -> Response:
    """Let a parked customer go on, its kept records first."""
    service = form.get("service", "")
    if service in STATEFUL:
        path = "/".join(quote(form.get(part, ""), safe="") for part in ("workspace", "customer"))
        await visit.services.tell(service, "POST", f"/v1/customers/{path}/unpark", {})
    return visit.back("/health?done=asked#parked")


@router.post("/health/release")
async def release(visit: Visiting, form: Form) -> Response:
    """Take a restored database or a leapt clock as it is: asked twice, since what was held then goes on."""
    what, service = form.get("what", ""), form.get("service", "")
    if form.get("sure") != "yes":
        return visit.page(
            "sure.html", "health", what="restore", fields=dict(form), to="/health/release", back="/health"
        )
    if what == "sends":
        await visit.services.tell("dispatch", "POST", "/v1/restore/release", {})
    elif service in STATEFUL and what in {"restore", "clock"}:
        path = "/restore/release" if what == "restore" else "/clock/accept"
        await visit.services.tell(f"{service}_admin", "POST", path, {})
    return visit.back("/health?done=released")
