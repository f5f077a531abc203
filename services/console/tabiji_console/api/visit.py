"""One request to the console: whose it is, in which language, and how an answer to it is drawn."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment

from tabiji_console import metrics
from tabiji_console.adapters.seal import Seal, new_visitor
from tabiji_console.api.stream import Stream
from tabiji_console.domain import words
from tabiji_console.domain.nav import PLACES, within
from tabiji_console.domain.road import Road
from tabiji_console.ports import Away, Desk, Services
from tabiji_console.settings import ConsoleSettings

SESSION, VISITOR, LANG, THEME = "tabiji_session", "tabiji_visitor", "tabiji_lang", "tabiji_theme"
THEMES = ("auto", "light", "dark")
YEAR = 365 * 86400
LONGEST_FORM = 64 * 1024
T = TypeVar("T")


class Forged(Exception):
    """A form that no page of this visitor's has drawn."""


@dataclass(frozen=True)
class Map:
    """What a version of a journey is called, and its states: they never change once it is published."""

    title: str
    road: Road


@dataclass(frozen=True)
class House:
    """What the whole process shares."""

    settings: ConsoleSettings
    desk: Desk
    seal: Seal
    pages: Environment
    streams: dict[str, Stream[Visit]] = field(default_factory=dict)
    maps: dict[tuple[str, str, int], Map] = field(default_factory=dict)


@dataclass(frozen=True)
class Missing:
    """In the place of what a service that is away would have told; a template shows it as such (``ui.away``)."""

    service: str

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True)
class Visit:
    """Who asks, and the services under that operator's key."""

    request: Request
    house: House
    lang: words.Lang
    theme: str
    key: str
    visitor: str

    @property
    def services(self) -> Services:
        """The services, asked with this operator's key."""
        return self.house.desk.under(self.key)

    @property
    def workspace(self) -> str:
        """The shop that is looked at."""
        return self.house.settings.workspace

    @property
    def zone(self) -> str:
        """The shop's zone."""
        return self.house.settings.timezone

    @property
    def partial(self) -> bool:
        """Whether htmx asks for a part to swap."""
        return self.request.headers.get("HX-Request") == "true"

    def say(self, key: str, **values: object) -> str:
        """Words of this visitor's language."""
        return words.said(self.lang, key, **values)

    async def maybe(self, asked: Awaitable[T]) -> T | Missing:
        """What is asked, or ``Missing`` where its service is away: one panel less, not the whole page."""
        try:
            return await asked
        except Away as away:
            return Missing(away.service)

    def page(self, template: str, place: str, status: int = 200, **shown: Any) -> Response:
        """Draw a page; ``place`` is the entry of the menu that it belongs to."""
        metrics.PAGES.labels(template.removesuffix(".html")).inc()
        settings = self.house.settings
        text = self.house.pages.get_template(template).render(
            visit=self,
            lang=self.lang,
            theme=self.theme,
            place=place,
            places=PLACES,
            t=self.say,
            named=lambda family, name: words.named(self.lang, family, name),
            csrf=self.house.seal.token(self.visitor),
            shop=settings.shop_name or settings.workspace,
            zone=settings.timezone,
            here=str(self.request.url.path) + (f"?{self.request.url.query}" if self.request.url.query else ""),
            **shown,
        )
        answer = HTMLResponse(text, status, headers={"Vary": "Cookie, Accept-Language, HX-Request"})
        self.remember(answer, VISITOR, self.visitor, YEAR)
        return answer

    def back(self, to: str) -> Response:
        """Send the browser on to a path of this site after a form."""
        path = within(to)
        answer: Response = Response(status_code=204, headers={"HX-Redirect": path})
        if not self.partial:
            answer = RedirectResponse(path, 303)
        self.remember(answer, VISITOR, self.visitor, YEAR)
        return answer

    def remember(self, answer: Response, name: str, value: str, seconds: int) -> None:
        """A cookie that no script reads and no other site sends."""
        secure = self.request.url.scheme == "https"
        answer.set_cookie(name, value, max_age=seconds, httponly=True, samesite="strict", secure=secure)


def install_house(app: FastAPI, house: House) -> None:
    """Let every request of ``app`` find the house."""
    app.state.house = house


def visit_of(request: Request) -> Visit:
    """The visit that a request makes; never refuses."""
    house: House = request.app.state.house
    cookies = request.cookies
    lang = cookies.get(LANG, "")
    theme = cookies.get(THEME, "")
    default = house.settings.console_language
    return Visit(
        request,
        house,
        next(
            (known for known in words.LANGUAGES if known == lang),
            words.preferred(request.headers.get("Accept-Language", ""), default),
        ),
        theme if theme in THEMES else "auto",
        house.seal.open(cookies.get(SESSION, "")),
        _visitor(request),
    )


def _visitor(request: Request) -> str:
    if not hasattr(request.state, "visitor"):
        request.state.visitor = request.cookies.get(VISITOR, "")[:64] or new_visitor()
    return str(request.state.visitor)


Visiting = Annotated[Visit, Depends(visit_of)]


async def form_of(request: Request) -> Mapping[str, str]:
    """The fields of a form; of several of one name the last."""
    body = bytearray()
    if not hasattr(request.state, "form"):
        async for chunk in request.stream():
            body += chunk
            if len(body) > LONGEST_FORM:
                raise Forged
        request.state.form = dict(parse_qsl(bytes(body).decode("utf-8", "replace"), keep_blank_values=True))
    found: Mapping[str, str] = request.state.form
    return found


async def checked(request: Request) -> None:
    """Raise ``Forged`` for whatever changes something and was not drawn for this visitor by this console."""
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    house: House = request.app.state.house
    form = await form_of(request)
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    known = house.seal.is_token(request.cookies.get(VISITOR, ""), form.get("csrf", ""))
    if not known or site not in {"same-origin", "none"}:
        metrics.FORGED.inc()
        raise Forged


Form = Annotated[Mapping[str, str], Depends(form_of)]
