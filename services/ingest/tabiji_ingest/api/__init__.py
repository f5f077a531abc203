"""HTTP <-> the pipeline: routes, statuses and answers; bodies are never parsed here."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, get_args

import msgspec
from fastapi import FastAPI
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from tabiji_common.links import Link, verify
from tabiji_common.logs import logger
from tabiji_common.web import install_errors
from tabiji_ingest.adapters.postgres_desk import WriteKeyDesk
from tabiji_ingest.api.desk import add_desk
from tabiji_ingest.domain import openapi, pages, reactions
from tabiji_ingest.domain.bots import is_machine
from tabiji_ingest.domain.call import CallKind
from tabiji_ingest.domain.protocols import LISTS, Route
from tabiji_ingest.domain.refusal import Kind, Refusal
from tabiji_ingest.metrics import BAD_LINKS, LINKS, MISSED, REFUSED, REQUEST_SECONDS, REQUESTS
from tabiji_ingest.pipeline import Accept, Answer, Ask, Keyed

log = logger(__name__)

STATUS = {
    Kind.AUTH: 401,
    Kind.SCOPE: 403,
    Kind.SLOW: 408,
    Kind.LARGE: 413,
    Kind.MEDIA: 415,
    Kind.RATE: 429,
    Kind.BUSY: 503,
    Kind.UNAVAILABLE: 503,
}
"""The status of a refused request; every other kind is 400."""

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
STEPPED_LINK_SECONDS = 30.0
_UNSEEN = {"Cache-Control": "no-store, private", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}

Endpoint = Callable[[Request], Awaitable[Response]]


_POSTHOG = ("/batch/", "/capture/", "/capture", "/i/v0/e/", "/i/v0/e", "/e/", "/e")


class _App(FastAPI):
    """An app whose OpenAPI document knows how write keys are given."""

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        document.setdefault("components", {}).setdefault("securitySchemes", {}).update(openapi.SECURITY)
        return document


def create_app(accept: Accept, desk: WriteKeyDesk | None = None) -> FastAPI:
    """The app of ingest: the routes of Segment's, CloudEvents', PostHog's and Dittofeed's clients, links, and those
    for operators where there is a ``desk``.
    """
    app = _App(title="Tabiji ingest", description=__doc__ or "", docs_url=None, redoc_url=None)
    install_errors(app)
    for path, route, keyed, summary in _routes():
        app.add_api_route(
            path,
            _taking(accept, route, keyed),
            methods=["POST"],
            summary=summary,
            include_in_schema=bool(summary),
            openapi_extra=openapi.operation(route, keyed),
        )
    _add_links(app, Links(accept))
    if desk is not None:
        add_desk(app, desk)
    return app


def _routes() -> Iterator[tuple[str, Route, Keyed, str]]:
    """(path, route, where the write key is, summary); second names of a route have no summary and are not listed."""
    kinds: tuple[Route, ...] = (*get_args(CallKind), "batch")
    for kind in kinds:
        yield f"/v1/{kind}", kind, "basic", f"Segment's {kind}"
        yield f"/{kind}", kind, "basic", ""
        yield f"/api/public/apps/{kind}", kind, "verbatim", "Dittofeed's batch" if kind == "batch" else ""
    yield "/v1/events", "events", "basic", "CloudEvents 1.0: structured (one or a list), batch and binary mode"
    for path in _POSTHOG:
        yield path, "posthog", "body", "PostHog's batch or single event" if path in _POSTHOG[:2] else ""


def _add_links(app: FastAPI, links: Links) -> None:
    gets: tuple[tuple[str, Callable[..., Awaitable[Response]], str, dict[int | str, Any]], ...] = (
        ("/o/{token}", links.pixel, "Open pixel of a message", openapi.page(200, kind="image/gif")),
        ("/c/{token}", links.click, "Link of a message", openapi.page(302, 404)),
        ("/u/{token}", links.ask, "Page that asks before unsubscribing", openapi.page(200, 404)),
    )
    for path, answer, summary, told in gets:
        for method in ("GET", "HEAD"):
            app.add_api_route(
                path,
                answer,
                methods=[method],
                summary=summary,
                responses=told,
                response_class=Response,
                include_in_schema=method == "GET",
            )
    app.add_api_route(
        "/u/{token}",
        links.unsubscribe,
        methods=["POST"],
        summary="Unsubscribe (RFC 8058)",
        responses=openapi.page(200, 404, 503),
        response_class=Response,
    )


def _taking(accept: Accept, route: Route, keyed: Keyed) -> Endpoint:
    seconds = REQUEST_SECONDS.labels(route)

    async def take(request: Request) -> Response:
        began = accept.clock.elapsed()
        try:
            response = _answered(await accept.accept(_ask(request, route, keyed)), batch=route in LISTS)
        except Refusal as refusal:
            response = refused(refusal)
        except ClientDisconnect:
            response = Response(status_code=400)
        seconds.observe(accept.clock.elapsed() - began)
        REQUESTS.labels(route, str(response.status_code)).inc()
        return response

    take.__name__ = route
    return take


def _ask(request: Request, route: Route, keyed: Keyed) -> Ask:
    length = request.headers.get("content-length", "")
    return Ask(
        route,
        keyed,
        request.headers,
        request.query_params.get("mode"),
        int(length) if length.isdecimal() and len(length) < 20 else None,
        request.stream(),
    )


def _answered(answer: Answer, *, batch: bool) -> Response:
    rejected = [{"index": index, "field": refusal.field, "rule": refusal.rule} for index, refusal in answer.rejected]
    if answer.rejected and not answer.accepted:
        index, first = answer.rejected[0]
        log.info("events_refused", kind=first.kind.value, rule=first.rule, rejected=len(rejected))
        field = f"{index}.{first.field}".rstrip(".") if batch else first.field
        return _json({**_told(field, first), "rejected": rejected}, 400)
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
    response = _json(_told(refusal.field, refusal), STATUS.get(refusal.kind, 400))
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    if refusal.kind in {Kind.SLOW, Kind.LARGE}:
        response.headers["Connection"] = "close"  # the rest of the body is not waited for
    if refusal.kind is Kind.AUTH:
        response.headers["WWW-Authenticate"] = 'Basic realm="write key"'
    return response


def _told(field: str, refusal: Refusal) -> dict[str, Any]:
    """RudderStack's Python client reads ``code`` and ``message``; without them it repeats what can never be taken."""
    rule = refusal.rule
    return {"error": {"field": field, "rule": rule}, "code": refusal.kind, "message": f"{field} {rule}".strip()}


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
