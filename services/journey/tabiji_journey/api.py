"""HTTP: journeys and their versions, a customer's enrollments with the reasons, commands, and who is lost."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse

from tabiji_common import commands, parked
from tabiji_common.clock import Clock
from tabiji_common.guard import tell, who
from tabiji_common.identity import closed_id
from tabiji_common.topics import JOURNEY_COMMANDS, customer_key
from tabiji_common.web import Refused, install_errors
from tabiji_journey.adapters.publish import Publisher
from tabiji_journey.adapters.views import Views
from tabiji_journey.domain.loader import DefinitionError
from tabiji_journey.ports import Commands

LONGEST_DOCUMENT = 256 * 1024
Limit = Annotated[int, Query(ge=1, le=1000)]
_NEXT: dict[str, type[commands.JourneyCommand]] = {
    "exit": commands.Exit,
    "enroll": commands.Enroll,
    "pause": commands.Pause,
    "unpark": commands.Unpark,
}


def make_app(
    publisher: Publisher,
    views: Views,
    producer: Commands,
    clock: Clock,
    workspace: str,
    schema: bytes = b"{}",
    secret: str = "",
) -> FastAPI:
    """The service's HTTP API; ``workspace`` is the one meant where a request names none.

    ``schema`` is the JSON Schema of a journey document, ``secret`` the key of ids that are personal: a customer is
    named as the shop knows it.
    """
    app = FastAPI(
        title="Tabiji journey",
        version="1",
        description="What journeys are, and where customers stand in them",
        docs_url=None,
        redoc_url=None,
    )
    install_errors(app)
    _journey_routes(app, publisher, views, clock, workspace)
    _customer_routes(app, views, producer, clock, secret)

    @app.get("/v1/journey.schema.json")
    async def journey_schema() -> Response:
        """The JSON Schema of a journey document."""
        return Response(schema, media_type="application/schema+json")

    @app.get("/v1/conservation")
    async def conservation() -> Response:
        """Entered = waiting + finished + exited, by journey; ``lost`` is who is missing or waits without a timer."""
        rows = await views.conservation(clock.now())
        lost = sum(abs(row["balance"]) + row["stuck"] for row in rows)
        return _json({"lost": lost, "journeys": rows})

    return app


def _journey_routes(app: FastAPI, publisher: Publisher, views: Views, clock: Clock, default: str) -> None:
    @app.get("/v1/journeys")
    async def list_journeys(workspace: str = default) -> Response:
        """The journeys of a workspace."""
        return _json({"workspace": workspace, "now": clock.now(), "journeys": await views.journeys(workspace)})

    @app.post("/v1/journeys", status_code=201)
    async def publish(request: Request, workspace: str = default, file: str = "journey.yaml") -> Response:
        """Publish YAML or JSON: 201 with the new version, 200 where nothing changed, 422 with every broken rule."""
        source = await _text(request)
        try:
            done = await publisher.publish(workspace, source, file, clock.now())
        except DefinitionError as error:
            return _broken(error)
        body = {"workspace": workspace, "journey": done.journey, "version": done.version, "new": done.new}
        tell(request, f"{workspace}/{done.journey} version {done.version}")
        return _json(body, 201 if done.new else 200)

    @app.get("/v1/journeys/{journey}")
    async def one_journey(journey: str, workspace: str = default, version: int | None = None) -> Response:
        """A journey: versions, how many people stand where, and a version's document and states (else the newest's)."""
        found = await views.journey(workspace, journey, version)
        if found is None:
            raise Refused(404, f"no journey {journey!r} in workspace {workspace!r}", "journey")
        return _json({"workspace": workspace, "now": clock.now(), **found})

    @app.get("/v1/journeys/{journey}/states/{state}")
    async def one_state(
        journey: str, state: str, workspace: str = default, version: int | None = None, limit: Limit = 20
    ) -> Response:
        """Who waits in a state, those first whose timer is due first."""
        rows = await views.waiting_in(workspace, journey, state, version, limit)
        return _json({"workspace": workspace, "journey": journey, "state": state, "now": clock.now(), "waiting": rows})

    @app.post("/v1/journeys/{journey}/pause")
    async def pause(
        journey: str,
        request: Request,
        workspace: str = default,
        on: bool = True,  # noqa: FBT001, FBT002 - a query parameter
        reason: str = "",
    ) -> Response:
        """Hold a journey's timers and entries (``on``), or let it run; messages have a switch of their own."""
        why = who(request, reason) if on else None
        if not await publisher.pause(workspace, journey, why, clock.now()):
            raise Refused(404, f"no journey {journey!r} in workspace {workspace!r}", "journey")
        tell(request, f"{workspace} {'on' if on else 'off'}")
        return _json({"workspace": workspace, "journey": journey, "paused": on})


def _customer_routes(app: FastAPI, views: Views, producer: Commands, clock: Clock, secret: str) -> None:
    @app.get("/v1/customers/{workspace}/{customer:path}/enrollments")
    async def enrollments(workspace: str, customer: str) -> Response:
        """Where a customer stands in every journey, and how it came there."""
        customer = closed_id(customer, secret, workspace)
        rows = await views.enrollments(customer_key(workspace, customer))
        return _json({"workspace": workspace, "customer": customer, "enrollments": rows})

    @app.get("/v1/customers/{workspace}/{customer:path}/events")
    async def events(workspace: str, customer: str) -> Response:
        """The latest event of each kind, cart and order that a journey looks back at."""
        customer = closed_id(customer, secret, workspace)
        found = await views.events(customer_key(workspace, customer))
        return _json({"workspace": workspace, "customer": customer, **found})

    @app.post("/v1/customers/{workspace}/{customer:path}/{verb}", status_code=202)
    async def command(workspace: str, customer: str, verb: str, request: Request) -> Response:
        """Ask for exit, enroll, pause or unpark: 202 once it is in the log, in order with the customer's events.

        Two requests with one ``Idempotency-Key`` are one command.
        """
        if verb not in _NEXT:
            raise Refused(404, f"must be one of {', '.join(_NEXT)}", "verb")
        body = _command(verb, workspace, closed_id(customer, secret, workspace), await request.body())
        return _json({"id": await parked.ask(request, producer.append, clock, JOURNEY_COMMANDS, verb, body)}, 202)


def _command(verb: str, workspace: str, customer: str, raw: bytes) -> commands.JourneyCommand:
    try:
        asked: dict[str, Any] = msgspec.json.decode(raw or b"{}", type=dict[str, Any])
        fields = {**asked, "workspace": workspace, "customer": customer}
        return msgspec.convert(fields, _NEXT[verb])
    except msgspec.MsgspecError as error:
        raise Refused(422, str(error), "body") from error


async def _text(request: Request) -> str:
    raw = await request.body()
    if len(raw) > LONGEST_DOCUMENT:
        raise Refused(413, f"a document has at most {LONGEST_DOCUMENT} bytes", "body")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Refused(422, "must be UTF-8", "body") from error


def _broken(error: DefinitionError) -> Response:
    problems = [{"file": p.file, "line": p.line, "field": p.path, "rule": p.rule} for p in error.problems]
    first = problems[0] if problems else {"field": "", "rule": str(error)}
    return JSONResponse(
        {"error": {"field": first["field"], "rule": first["rule"], "problems": problems}}, status_code=422
    )


def _json(body: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
