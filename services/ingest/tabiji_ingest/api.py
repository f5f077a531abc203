"""HTTP <-> the pipeline: routes, statuses and answers; bodies are never parsed here."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Any, get_args

import msgspec
from fastapi import FastAPI
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from tabiji_common.links import Link, verify
from tabiji_common.logs import logger
from tabiji_common.web import install_errors
from tabiji_ingest.domain import pages, reactions
from tabiji_ingest.domain.bots import is_machine
from tabiji_ingest.domain.call import CallKind
from tabiji_ingest.domain.refusal import Kind, Refusal
from tabiji_ingest.metrics import BAD_LINKS, LINKS, MISSED, REFUSED, REQUEST_SECONDS, REQUESTS
from tabiji_ingest.pipeline import Accept, Answer, Ask, Route

log = logger(__name__)

STATUS = {
    Kind.AUTH: 401,
    Kind.SCOPE: 403,
    Kind.SLOW: 408,
    Kind.LARGE: 413,
    Kind.RATE: 429,
    Kind.BUSY: 503,
    Kind.UNAVAILABLE: 503,
}
"""The status of a refused request; every other kind is 400."""

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
STEPPED_LINK_SECONDS = 30.0
_UNSEEN = {"Cache-Control": "no-store, private", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(accept: Accept) -> FastAPI:
    """The app of ingest: Segment-compatible routes with and without ``/v1``, CloudEvents, and links of messages."""
    app = FastAPI(title="Tabiji ingest", description=__doc__ or "")
    install_errors(app)
    for kind in (*get_args(CallKind), "batch"):
        endpoint = _taking(accept, kind)
        app.add_api_route(f"/v1/{kind}", endpoint, methods=["POST"], summary=f"Segment's {kind}", openapi_extra=_BODY)
        app.add_api_route(f"/{kind}", endpoint, methods=["POST"], include_in_schema=False)
    app.add_api_route(
        "/v1/events",
        _taking(accept, "events"),
        methods=["POST"],
        summary="CloudEvents 1.0, structured, one or a list",
        openapi_extra=_BODY,
    )
    links = Links(accept)
    gets: tuple[tuple[str, Callable[..., Awaitable[Response]], str], ...] = (
        ("/o/{token}", links.pixel, "Open pixel of a message"),
        ("/c/{token}", links.click, "Link of a message"),
        ("/u/{token}", links.ask, "Page that asks before unsubscribing"),
    )
    for path, answer, summary in gets:
        app.add_api_route(path, answer, methods=["GET", "HEAD"], summary=summary)
    app.add_api_route("/u/{token}", links.unsubscribe, methods=["POST"], summary="Unsubscribe (RFC 8058)")
    return app


_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
    "responses": {
        str(status): {"description": text}
        for status, text in {
            200: "every event not listed under rejected is durable",
            400: "nothing was taken; the field and the rule are named",
            401: "no such write key",
            403: "the write key does not allow this mode",
            413: "too large",
            429: "too many requests; see Retry-After",
            503: "not known to be written: send it again with the same ids; see Retry-After",
        }.items()
    },
}


def _taking(accept: Accept, route: Route) -> Endpoint:
    seconds = REQUEST_SECONDS.labels(route)

    async def take(request: Request) -> Response:
        began = accept.clock.elapsed()
        try:
            response = _answered(await accept.accept(_ask(request, route)), batch=route in {"batch", "events"})
        except Refusal as refusal:
            response = refused(refusal)
        except ClientDisconnect:
            response = Response(status_code=400)
        seconds.observe(accept.clock.elapsed() - began)
        REQUESTS.labels(route, str(response.status_code)).inc()
        return response

    take.__name__ = route
    return take


def _ask(request: Request, route: Route) -> Ask:
    length = request.headers.get("content-length", "")
    return Ask(
        route,
        request.headers.get("authorization"),
        request.query_params.get("mode"),
        int(length) if length.isdecimal() else None,
        request.stream(),
    )


def _answered(answer: Answer, *, batch: bool) -> Response:
    rejected = [{"index": index, "field": refusal.field, "rule": refusal.rule} for index, refusal in answer.rejected]
    if not answer.accepted:
        index, first = answer.rejected[0]
        log.info("events_refused", kind=first.kind.value, rule=first.rule, rejected=len(rejected))
        field = f"{index}.{first.field}".rstrip(".") if batch else first.field
        return _json({"error": {"field": field, "rule": first.rule}, "rejected": rejected}, 400)
    if rejected:
        first = answer.rejected[0][1]
        log.info("events_refused", kind=first.kind.value, rule=first.rule, rejected=len(rejected))
    told: dict[str, Any] = {"success": True, "accepted": answer.accepted, "rejected": rejected}
    if answer.made:
        told["made"] = [{"index": index, "messageId": id_} for index, id_ in answer.made]
    return _json(told, 200)


def refused(refusal: Refusal) -> Response:
    """The answer to a request that was not taken as a whole."""
    REFUSED.labels(refusal.kind.value).inc()
    log.info("request_refused", kind=refusal.kind.value, rule=refusal.rule)
    response = _json({"error": {"field": refusal.field, "rule": refusal.rule}}, STATUS.get(refusal.kind, 400))
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    if refusal.kind is Kind.AUTH:
        response.headers["WWW-Authenticate"] = 'Basic realm="write key"'
    return response


def _json(value: Any, status: int) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


class Links:
    """The links of messages. A token is the whole permission: it says whose it is and where it leads."""

    def __init__(self, accept: Accept) -> None:
        self.accept = accept
        self.secret = accept.settings.workspace_secret

    async def pixel(self, request: Request, token: str) -> Response:
        if found := self._verified("o", token):
            await self._note(request, "o", token, found)
        return Response(PIXEL, media_type="image/gif", headers=_UNSEEN)

    async def click(self, request: Request, token: str) -> Response:
        found = self._verified("c", token)
        if found is None or not reactions.leads_somewhere(found):
            return _page(pages.UNKNOWN, 404)
        await self._note(request, "c", token, found)
        return RedirectResponse(found.url, 302, headers=_UNSEEN)

    async def ask(self, token: str) -> Response:
        return _page(pages.ASK, 200) if self._verified("u", token) else _page(pages.UNKNOWN, 404)

    async def unsubscribe(self, token: str) -> Response:
        """RFC 8058 one-click, or the button of the page: either way a POST is a person's wish."""
        found = self._verified("u", token)
        if found is None:
            return _page(pages.UNKNOWN, 404)
        try:
            await self.accept.append([reactions.unsubscribed(found, token, self.accept.clock.now())])
        except Refusal:
            return _page(pages.LATER, 503, {"Retry-After": "1"})
        LINKS.labels("u", "person").inc()
        return _page(pages.DONE, 200)

    def _verified(self, kind: str, token: str) -> Link | None:
        found = verify(self.secret, kind, token)
        if found is None:
            BAD_LINKS.labels(kind).inc()
        return found

    async def _note(self, request: Request, kind: str, token: str, found: Link) -> None:
        """Write an open or click; without Kafka it is missed and counted, and the answer goes out all the same."""
        settings, agent = self.accept.settings, request.headers.get("user-agent", "")
        machine = is_machine(
            agent, request.headers, method=request.method, count_image_proxies=settings.count_image_proxies
        )
        make = reactions.opened if kind == "o" else reactions.clicked
        record = make(found, token, self.accept.clock.now(), machine=machine)
        # a simulated run must not depend on speed, and nobody waits in front of a screen
        seconds = STEPPED_LINK_SECONDS if self.accept.clock.simulated else settings.link_ack_seconds
        try:
            await self.accept.append([record], seconds)
        except Refusal:
            MISSED.labels(kind).inc()
        else:
            LINKS.labels(kind, "machine" if machine else "person").inc()


def _page(page: bytes, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(page, status, media_type="text/html", headers={**_UNSEEN, **(headers or {})})
