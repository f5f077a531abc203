"""Every API's door: an operator key, ``Authorization: Bearer …``, of the scope that a request needs.

Looking needs ``read``, changing needs ``operate``, and each change is written down before it happens. A key that was
asked about in the last seconds is not asked about again, so a revoked one works for that long at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
from fastapi import FastAPI, Request
from starlette.routing import Match, Route
from starlette.types import Message, Receive, Send
from starlette.types import Scope as Asked

from tabiji_common import operators, viewer
from tabiji_common.clock import Clock
from tabiji_common.failpoints import Failpoint
from tabiji_common.identity import closed_id
from tabiji_common.logs import logger
from tabiji_common.operators import Operator, Scope
from tabiji_common.postgres import is_transient
from tabiji_common.web import refusal

log = logger(__name__)
WRITTEN = Failpoint("runtime.act.written", "an operator's change is written down, and has not begun")

REMEMBERED_SECONDS = 5.0
PATIENCE_SECONDS = 3.0
LONGEST_PATH = 500
_MOST_REMEMBERED = 1000
_LOOKING = {"GET", "HEAD", "OPTIONS"}
_OPEN = viewer.OPEN | {"/openapi.json"}
_WHO, _DETAIL = "tabiji.operator", "tabiji.detail"
SECURITY = {"operator": {"type": "http", "scheme": "bearer", "description": "An operator key"}}

Needs = Callable[[str, str], Scope | None]
Connect = Callable[[], Awaitable["asyncpg.Pool[Any]"]]


class Away(Exception):
    """The database that knows the keys does not answer."""


def needs(method: str, path: str) -> Scope | None:
    """The scope that a request needs unless its service says otherwise; ``None`` where none: the documents."""
    if path in _OPEN:
        return None
    return "read" if method in _LOOKING else "operate"


def anybody(_method: str, _path: str) -> Scope | None:
    """No key at the door: for a service that asks for one itself, and does what it does under that."""
    return None


def who(request: Request, said: str | None = None) -> str:
    """Whose decision it is: what the caller ``said``, or else the name of its key."""
    return said or str(request.scope.get(_WHO, "operator"))


def tell(request: Request, detail: str) -> None:
    """What exactly is changed, for the list of acts; nothing personal, and no secret."""
    request.scope[_DETAIL] = detail


def describe(app: FastAPI, needs: Needs) -> None:
    """Make the app's OpenAPI document name the operator key at every route that needs one."""
    plain = app.openapi

    def told() -> dict[str, Any]:
        document = plain()
        document.setdefault("components", {}).setdefault("securitySchemes", {}).update(SECURITY)
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if needs(method.upper(), path):
                    operation.setdefault("security", [{"operator": []}])
        return document

    app.openapi = told  # type: ignore[method-assign]


class Keys:
    """The keys of the installation, as one process knows them. It connects once somebody shows a key."""

    def __init__(self, connect: Connect, clock: Clock) -> None:
        self._connect, self.clock = connect, clock
        self._pool: asyncpg.Pool[Any] | None = None
        self._known: dict[bytes, tuple[float, Operator]] = {}
        self._asking, self._away_until = asyncio.Lock(), 0.0

    async def find(self, key: str) -> Operator | None:
        """Whose ``key`` it is; one question at a time, so that guessing costs the database little. Raises ``Away``."""
        digest = operators.key_hash(key)
        if known := self._remembered(digest):
            return known
        async with self._asking:
            asked = self.clock.elapsed()
            if known := self._remembered(digest):
                return known
            if asked < self._away_until:
                raise Away
            found: Operator | None = await self._ask(lambda pool: operators.find(pool, digest))
            self._known.pop(digest, None)
            if found is not None and len(self._known) < _MOST_REMEMBERED:
                self._known[digest] = asked, found
            return found

    async def begin(self, who: str, service: str, what: str) -> int:
        """Write down what is about to be changed. Raises ``Away``."""
        act: int = await self._ask(lambda pool: operators.begin_act(pool, who, service, what, self.clock.wall()))
        await WRITTEN()
        return act

    async def end(self, act: int, status: int, detail: str) -> None:
        """Write down how it ended; where that cannot be, it stays without an end."""
        try:
            await self._ask(lambda pool: operators.end_act(pool, act, status, detail))
        except Away:
            log.warning("act_without_end", act=act, status=status)

    async def close(self) -> None:
        """Let go of the connection."""
        if self._pool is not None:
            await asyncio.wait_for(self._pool.close(), 5)

    def _remembered(self, digest: bytes) -> Operator | None:
        asked, found = self._known.get(digest, (0.0, None))
        return found if found and self.clock.elapsed() - asked < REMEMBERED_SECONDS else None

    async def _ask(self, question: Callable[[Any], Awaitable[Any]]) -> Any:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                if self._pool is None:
                    self._pool = await self._connect()
                return await question(self._pool)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
            if not is_transient(error):  # a wrong password, say: nobody gets in until somebody mends it
                log.warning("operator_keys_unreadable", error=repr(error))
            self._away_until = self.clock.elapsed() + 1  # those who wait are told at once
            raise Away from error


class Guard:
    """ASGI: lets a request through to ``app`` where its key may do what it asks. Nothing is buffered."""

    def __init__(
        self,
        app: FastAPI,
        keys: Keys,
        service: str,
        *,
        needs: Needs = needs,
        secret: str = "",
        unwritten: frozenset[str] = frozenset(),
    ) -> None:
        """``secret`` closes the personal ids in paths; changes of the paths ``unwritten`` are not written down."""
        self.app, self.keys, self.service = app, keys, service
        self._needs, self._secret, self._unwritten = needs, secret, unwritten

    async def __call__(self, asked: Asked, receive: Receive, send: Send) -> None:
        if asked["type"] != "http":
            if asked["type"] == "lifespan":
                await self.app(asked, receive, send)
            return  # no API of ours speaks anything but HTTP
        need = self._needs(asked["method"], asked["path"])
        if need is None:
            await self.app(asked, receive, send)
            return
        try:
            operator = await self.keys.find(key) if (key := _bearer(asked)) else None
            answer = _refused(operator, need)
            if answer is None and operator is not None:
                asked[_WHO] = operator.name
                await self._let_through(operator, asked, receive, send)
                return
        except Away:
            answer = refusal(503, "the database that knows the keys does not answer", retry_after=1)
        if answer is not None:
            await answer(asked, receive, send)

    async def _let_through(self, operator: Operator, asked: Asked, receive: Receive, send: Send) -> None:
        change = "" if asked["method"] in _LOOKING or asked["path"] in self._unwritten else self._change(asked)
        if not change:
            await self.app(asked, receive, send)
            return
        act = await self.keys.begin(operator.name, self.service, change)

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self.keys.end(act, message["status"], asked.get(_DETAIL, ""))
            await send(message)

        await self.app(asked, receive, told)

    def _change(self, asked: Asked) -> str:
        """Method and path, a customer in it as its records name it; empty where no route takes the request."""
        for route in self.app.router.routes:
            match, child = route.matches(asked)
            if match is Match.FULL and isinstance(route, Route):
                named = dict(child["path_params"])
                if "customer" in named:
                    named["customer"] = closed_id(named["customer"], self._secret, named["workspace"])
                path = route.path_format.format(**named).replace("\0", "")
                return f"{asked['method']} {path[:LONGEST_PATH]}"
        return ""


def _refused(operator: Operator | None, need: Scope) -> Any:
    """The answer to who may not; ``None`` for who may."""
    if operator is None:
        answer = refusal(401, "must be Bearer with an operator key", "Authorization")
        answer.headers["WWW-Authenticate"] = 'Bearer realm="operator key"'
        return answer
    if not operator.may(need):
        answer = refusal(403, f"needs a key of scope {need}; this one has {operator.scope}", "Authorization")
        answer.headers["WWW-Authenticate"] = f'Bearer error="insufficient_scope", scope="{need}"'  # RFC 6750, 3.1
        return answer
    return None


def _bearer(asked: Asked) -> str:
    """The key that a request shows; empty for none."""
    given = next((value for name, value in asked["headers"] if name == b"authorization"), b"")
    scheme, _, key = given.decode("latin-1").strip().partition(" ")
    key = key.strip()
    return key if scheme.lower() == "bearer" and 0 < len(key) <= operators.LONGEST_KEY else ""
