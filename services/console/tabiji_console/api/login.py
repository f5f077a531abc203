"""In and out: an operator's key goes into a sealed cookie once a service has taken it."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from tabiji_console import metrics
from tabiji_console.adapters.seal import new_visitor
from tabiji_console.api.visit import SESSION, VISITOR, YEAR, Form, Visit, Visiting
from tabiji_console.domain.nav import within
from tabiji_console.ports import Away, LoginNeeded, NotAllowed

router = APIRouter()


@router.get("/login")
async def ask(visit: Visiting, to: str = "/") -> Response:
    """The page that asks for a key."""
    return visit.page("login.html", "", to=within(to), wrong="")


@router.post("/login")
async def enter(visit: Visiting, form: Form) -> Response:
    """Try the key on a service; seal it where it is taken. The visitor gets a new id: forms drawn before are void."""
    key, to = form.get("key", "").strip(), within(form.get("to", "/"))
    if not key:
        return _again(visit, to, "login.empty")
    if not (key.isascii() and key.isprintable() and len(key) <= 512):
        return _again(visit, to, "login.wrong")
    try:
        await visit.house.desk.under(key).ask("journey", "/v1/journeys", {"workspace": visit.workspace})
    except LoginNeeded:
        return _again(visit, to, "login.wrong")
    except NotAllowed:
        pass  # known, and it may not read: each page says so
    except Away as away:
        metrics.LOGINS.labels("away").inc()
        raise away from None
    metrics.LOGINS.labels("in").inc()
    answer = visit.back(to)
    visit.remember(answer, SESSION, visit.house.seal.close(key), visit.house.seal.seconds)
    visit.remember(answer, VISITOR, new_visitor(), YEAR)
    return answer


@router.post("/logout")
async def leave(visit: Visiting) -> Response:
    """Forget the key."""
    answer = visit.back("/login")
    visit.remember(answer, SESSION, "", 0)
    visit.remember(answer, VISITOR, new_visitor(), YEAR)
    return answer


def _again(visit: Visit, to: str, wrong: str) -> Response:
    metrics.LOGINS.labels("refused").inc()
    return visit.page("login.html", "", status=401, to=to, wrong=wrong)
