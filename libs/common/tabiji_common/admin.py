"""The admin port of every process: ``/livez /readyz /metrics /idle``, ``/restore``, ``/clock/accept`` or ``/tick``.

The first four are open to whoever reaches the port, as probes and scrapers have no keys; the others take an operator's.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from tabiji_common import failpoints, guard
from tabiji_common.clock import SteppedClock
from tabiji_common.errors import Retry
from tabiji_common.kafka import idle
from tabiji_common.kafka import restore as kept
from tabiji_common.operators import Scope
from tabiji_common.topics import format_time, parse_time
from tabiji_common.web import Refused, install_errors

if TYPE_CHECKING:
    from tabiji_common.service import Service


OPEN = {"/livez", "/readyz", "/metrics", "/idle"}
_TESTS_ONLY = "/failpoints"  # the route is there with TABIJI_TEST_HOOKS only
UNWRITTEN = frozenset({"/tick", "/hold"})  # steps of a simulation are no decisions


def needs(method: str, path: str) -> Scope | None:
    """The scope of operator key that a route of the admin port takes; ``None`` for those that are open."""
    return None if path in OPEN or path == _TESTS_ONLY else guard.needs(method, path)


def version_of(service: str, build: str = "") -> str:
    """A service's version as it is installed, with what it was built from: ``0.1.0+4f2c1e9``; empty where unknown."""
    try:
        return "+".join(filter(None, (version(f"tabiji-{service}"), build)))
    except PackageNotFoundError:
        return build


async def ask_time_master(clock: SteppedClock, url: str) -> None:
    """Set the clock to the time-master's tick; without an answer time stands still until it gives one."""
    if not url:
        return
    async with httpx.AsyncClient(timeout=2) as client:
        for _ in range(20):
            try:
                answer = await client.get(f"{url}/time")
                master = answer.json()
                clock.step(parse_time(master["now"]))
                clock.held = bool(master.get("held"))
            except (httpx.HTTPError, ValueError, KeyError):
                await asyncio.sleep(0.25)
            else:
                return


def admin_app(service: Service) -> FastAPI:
    """The admin routes of one process."""
    app = FastAPI(title=f"Tabiji {service.name}: admin", docs_url=None, redoc_url=None)
    install_errors(app)
    if service.settings.test_hooks:
        _add_test_hooks(app)

    @app.get("/livez")
    async def livez() -> JSONResponse:
        loop = service.loop
        if loop is None or not loop.owned:
            return JSONResponse({"status": "ok"})
        try:
            behind = await idle.lag(loop)
        except Retry:
            return JSONResponse({"status": "ok", "log": "unreachable"})
        stalled = idle.stalled(loop, behind)
        return JSONResponse(
            {"status": "stalled" if stalled else "ok", "lag": behind},
            status_code=503 if stalled else 200,
        )

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        loop = service.loop
        ready = service.ready and (loop is None or bool(loop.owned) or not loop.parts.membership.assigned())
        durability = (
            "single-broker" if service.settings.replication == 1 else f"replicated-{service.settings.replication}"
        )
        body = {"status": "ready" if ready else "starting", "durability": durability}
        return JSONResponse(body, status_code=200 if ready else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/idle")
    async def idle_() -> dict[str, Any]:
        state: dict[str, Any] = {
            "service": service.name,
            "version": version_of(service.name, service.settings.build),
            "now": format_time(service.clock.now()),
            "simulated": service.clock.simulated,
            "owned": list(range(service.settings.partitions)),
            "partitions": service.settings.partitions,
        }
        quiet = {
            "lag": 0,
            "unpublished": 0,
            "busy": False,
            "work": 0,
            "due": 0,
            "machine": 0,
            "next_due": None,
            "parked": 0,
        }
        return state | (quiet if service.loop is None else await idle.snapshot(service.loop))

    _add_clock_routes(app, service)
    _add_restore_routes(app, service)
    return app


def _add_restore_routes(app: FastAPI, service: Service) -> None:
    @app.get("/restore")
    async def restore() -> dict[str, Any]:
        """Why timers stand still; empty while they do not."""
        return {"why": service.loop.ownership.restore.why if service.loop else ""}

    @app.post("/restore/release")
    async def release(request: Request) -> dict[str, Any]:
        """An operator takes the database as it is now: the timers of all processes of this group go on."""
        loop = service.loop
        if loop is None:
            raise Refused(422, "this process keeps no state")
        by = guard.who(request)
        async with loop.parts.pool.acquire() as connection, connection.transaction():
            released = await kept.release(connection, loop.group, by)
        service.wake()
        return {"released": released}


def _add_clock_routes(app: FastAPI, service: Service) -> None:
    @app.post("/hold")
    async def hold() -> dict[str, Any]:
        """Apply nothing until the next tick."""
        if not isinstance(service.clock, SteppedClock):
            raise Refused(409, "this process runs on the live clock")
        service.clock.held = True
        return {"held": True}

    @app.post("/clock/accept")
    async def accept() -> dict[str, Any]:
        """An operator says that the clock is right although it has leapt: timers go on, up to now."""
        if service.loop is None or not service.loop.timers.guard.accept():
            raise Refused(409, "the clock has not leapt")
        service.wake()
        return {"now": format_time(service.clock.now())}

    @app.post("/tick")
    async def tick(request: Request) -> dict[str, Any]:
        if not isinstance(service.clock, SteppedClock):
            raise Refused(409, "this process runs on the live clock")
        service.clock.step(_instant(await request.json()))
        service.wake()
        return {"now": format_time(service.clock.now())}


def _instant(body: Any) -> datetime:
    try:
        return parse_time(body["now"])
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(400, "must be an RFC 3339 instant", "now") from error


def _add_test_hooks(app: FastAPI) -> None:
    @app.get("/failpoints")
    async def listing() -> dict[str, str]:
        return failpoints.REGISTRY

    @app.put("/failpoints")
    async def arm(request: Request) -> dict[str, str]:
        failpoints.arm((await request.body()).decode())
        return failpoints.REGISTRY
