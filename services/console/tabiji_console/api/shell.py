"""What every page stands in: static files, language and theme, and how a service's no is shown."""

from __future__ import annotations

from typing import cast
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from tabiji_console.adapters.pages import STATIC, StaticPages
from tabiji_console.api.guard import HEADERS
from tabiji_console.api.visit import LANG, THEME, THEMES, YEAR, Forged, Form, Visiting, visit_of
from tabiji_console.domain.words import LANGUAGES
from tabiji_console.ports import Away, Declined, LoginNeeded, NotAllowed


def install(app: FastAPI) -> None:
    """Routes of the shell, and the pages for what goes wrong."""
    app.mount("/static", StaticPages(directory=STATIC))

    @app.post("/look")
    async def look(visit: Visiting, form: Form) -> Response:
        """Remember language and theme."""
        answer = visit.back(form.get("to", "/"))
        for cookie, known in ((LANG, LANGUAGES), (THEME, THEMES)):
            if (value := form.get(cookie, "")) in known:
                visit.remember(answer, cookie, value, YEAR)
        return answer

    _install_noes(app)


def _install_noes(app: FastAPI) -> None:
    async def away(request: Request, error: Exception) -> Response:
        service = cast(Away, error).service
        visit = visit_of(request)
        return visit.page("error.html", "", 503, kind="away", values={"service": service.removesuffix("_admin")})

    async def login(request: Request, _: Exception) -> Response:
        visit = visit_of(request)
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        to = path if request.method == "GET" else "/"
        return visit.back(f"/login?to={quote(to, safe='')}")

    async def denied(request: Request, error: Exception) -> Response:
        return visit_of(request).page("error.html", "", 403, kind="denied", rule=cast(NotAllowed, error).rule)

    async def declined(request: Request, error: Exception) -> Response:
        refused = cast(Declined, error)
        kind = "missing" if refused.status == 404 else "declined"
        return visit_of(request).page("error.html", "", refused.status, kind=kind, rule=refused.rule)

    async def forged(request: Request, _: Exception) -> Response:
        return visit_of(request).page("error.html", "", 403, kind="forged")

    async def missing(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 422
        return visit_of(request).page("error.html", "", status, kind="missing")

    async def broken(request: Request, _: Exception) -> Response:
        """A defect of ours: the framework logs it after this answer, which no middleware has seen."""
        answer = visit_of(request).page("error.html", "", 500, kind="broken")
        answer.headers.update(HEADERS)
        return answer

    app.add_exception_handler(Exception, broken)
    app.add_exception_handler(Away, away)
    app.add_exception_handler(LoginNeeded, login)
    app.add_exception_handler(NotAllowed, denied)
    app.add_exception_handler(Declined, declined)
    app.add_exception_handler(Forged, forged)
    app.add_exception_handler(HTTPException, missing)
    app.add_exception_handler(RequestValidationError, missing)
