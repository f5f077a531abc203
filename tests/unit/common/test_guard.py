"""The door of every API: which key opens what, what is asked of the database, what is written down."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI, Request

from tabiji_common import admin, guard, operators
from tabiji_common.clock import LiveClock
from tabiji_common.guard import REMEMBERED_SECONDS, Guard, Keys
from tabiji_common.web import Refused, install_errors

OWNERS = {f"key-{scope}": (f"{scope}er", scope) for scope in operators.SCOPES}


class Clock(LiveClock):
    """Machine time as a test sets it."""

    seconds = 100.0

    def elapsed(self) -> float:
        return self.seconds


class Rows:
    """The tables of keys and acts, in memory; ``error`` is what every question meets."""

    def __init__(self) -> None:
        self.owners = {operators.key_hash(key): owner for key, owner in OWNERS.items()}
        self.acts: list[list[Any]] = []
        self.asked = 0
        self.error: Exception | None = None

    async def fetchrow(self, _query: str, digest: bytes) -> dict[str, str] | None:
        self.asked += 1
        await asyncio.sleep(0)
        self._fail()
        name, scope = self.owners.get(digest, ("", ""))
        return {"name": name, "scope": scope} if name else None

    async def fetchval(self, _query: str, _at: Any, *what: str) -> int:
        self._fail()
        self.acts.append([*what, "", None])
        return len(self.acts) - 1

    async def execute(self, _query: str, act: int, status: int, detail: str) -> None:
        self._fail()
        self.acts[act][-2:] = [detail, status]

    def _fail(self) -> None:
        if self.error:
            raise self.error


class Door:
    """A guarded app, and what is behind it."""

    def __init__(self, needs: guard.Needs = guard.needs) -> None:
        self.rows, self.clock = Rows(), Clock()

        async def connect() -> Any:
            return self.rows

        guarded = Guard(_app(), Keys(connect, self.clock), "toy", needs=needs, secret="s")
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(guarded), base_url="http://toy")

    async def ask(self, method: str, path: str, key: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return await self.http.request(method, path, headers=headers)


def _app() -> FastAPI:
    app = FastAPI()
    install_errors(app)

    @app.get("/v1/things")
    async def things() -> dict[str, int]:
        return {"things": 1}

    @app.put("/v1/things")
    async def change(request: Request) -> dict[str, str]:
        guard.tell(request, "on")
        return {"by": guard.who(request)}

    @app.delete("/v1/things")
    async def refuse() -> None:
        raise Refused(409, "not now")

    @app.post("/v1/customers/{workspace}/{customer:path}/unpark", status_code=202)
    async def unpark(workspace: str, customer: str) -> dict[str, str]:
        return {"customer": customer}

    return app


@pytest.mark.parametrize(
    ("method", "key", "status"),
    [
        ("GET", None, 401),
        ("GET", "guessed", 401),
        ("GET", "key-read", 200),
        ("PUT", "key-read", 403),
        ("PUT", "key-operate", 200),
        ("GET", "key-admin", 200),
        ("PUT", "key-admin", 200),
        ("PUT", None, 401),
    ],
)
async def test_a_key_opens_what_its_scope_says(method: str, key: str | None, status: int) -> None:
    assert (await Door().ask(method, "/v1/things", key)).status_code == status


async def test_a_refusal_says_what_is_missing() -> None:
    door = Door()
    unknown, small = await door.ask("GET", "/v1/things"), await door.ask("PUT", "/v1/things", "key-read")
    assert unknown.json()["error"]["field"] == small.json()["error"]["field"] == "Authorization"
    assert unknown.headers["WWW-Authenticate"].startswith("Bearer")
    assert small.json()["error"]["rule"] == "needs a key of scope operate; this one has read"
    assert 'scope="operate"' in small.headers["WWW-Authenticate"]


@pytest.mark.parametrize("header", ["Basic a2V5LXJlYWQ6", "key-read", "Bearer", "Bearer  ", f"Bearer {'x' * 513}"])
async def test_nothing_but_bearer_is_a_key(header: str) -> None:
    door = Door()
    answer = await door.http.get("/v1/things", headers={"Authorization": header})
    assert (answer.status_code, door.rows.asked) == (401, 0)


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
async def test_the_documents_are_open(path: str) -> None:
    assert (await Door().ask("GET", path)).status_code == 200


@pytest.mark.parametrize("path", ["/nothing", "//v1/things", "/docs/", "/v1/things/"])
async def test_who_has_no_key_is_not_told_what_there_is(path: str) -> None:
    assert (await Door().ask("GET", path)).status_code == 401


async def test_a_key_is_asked_about_once_in_a_while_and_a_revoked_one_is_shut_out_then() -> None:
    door = Door()
    answers = await asyncio.gather(*(door.ask("GET", "/v1/things", "key-read") for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert door.rows.asked == 1
    door.rows.owners.clear()
    door.clock.seconds += REMEMBERED_SECONDS - 0.1
    assert (await door.ask("GET", "/v1/things", "key-read")).status_code == 200
    door.clock.seconds += 0.2
    assert (await door.ask("GET", "/v1/things", "key-read")).status_code == 401


@pytest.mark.parametrize(
    "error", [OSError(), TimeoutError(), asyncpg.CannotConnectNowError(), asyncpg.InvalidPasswordError()]
)
async def test_a_database_that_is_away_is_503_and_not_a_wrong_key(error: Exception) -> None:
    door = Door()
    door.rows.error = error
    answer = await door.ask("GET", "/v1/things", "key-read")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    await door.ask("GET", "/v1/things", "key-read")
    assert door.rows.asked == 1, "those who wait are told at once"
    door.rows.error = None
    door.clock.seconds += 2
    assert (await door.ask("GET", "/v1/things", "key-read")).status_code == 200


async def test_an_installation_without_keys_lets_nobody_in() -> None:
    door = Door()
    door.rows.error = asyncpg.UndefinedTableError()
    assert (await door.ask("GET", "/v1/things", "key-read")).status_code == 401


async def test_a_change_is_written_down_with_whose_it_is_and_what_became_of_it() -> None:
    door = Door()
    assert (await door.ask("PUT", "/v1/things", "key-operate")).json() == {"by": "operateer"}
    await door.ask("DELETE", "/v1/things", "key-admin")
    await door.ask("GET", "/v1/things", "key-admin")
    await door.ask("POST", "/v1/nothing", "key-admin")
    assert door.rows.acts == [
        ["operateer", "toy", "PUT /v1/things", "on", 200],
        ["adminer", "toy", "DELETE /v1/things", "", 409],
    ]


async def test_what_is_written_down_names_nobody_by_a_mail_address() -> None:
    door = Door()
    answer = await door.ask("POST", "/v1/customers/w/Hanako@Example.com/unpark", "key-operate")
    assert answer.json() == {"customer": "Hanako@Example.com"}
    [[_, _, what, _, _]] = door.rows.acts
    assert what.startswith("POST /v1/customers/w/mail_")
    assert "anako" not in what


async def test_without_a_place_to_write_it_down_nothing_is_changed() -> None:
    door = Door()
    assert (await door.ask("GET", "/v1/things", "key-operate")).status_code == 200
    door.rows.error = OSError()
    assert (await door.ask("PUT", "/v1/things", "key-operate")).status_code == 503
    assert door.rows.acts == []


@pytest.mark.parametrize(
    ("method", "path", "need"),
    [
        ("GET", "/livez", None),
        ("GET", "/readyz", None),
        ("GET", "/metrics", None),
        ("GET", "/idle", None),
        ("GET", "/restore", "read"),
        ("POST", "/restore/release", "operate"),
        ("POST", "/clock/accept", "operate"),
        ("POST", "/tick", "operate"),
        ("POST", "/hold", "operate"),
    ],
)
def test_of_the_admin_port_only_what_probes_ask_is_open(method: str, path: str, need: str | None) -> None:
    assert admin.needs(method, path) == need


def test_the_document_says_which_routes_take_an_operator_key() -> None:
    app = _app()
    guard.describe(app, lambda method, _path: None if method == "GET" else "operate")
    document = app.openapi()
    assert document["components"]["securitySchemes"]["operator"]["scheme"] == "bearer"
    assert "security" not in document["paths"]["/v1/things"]["get"]
    assert document["paths"]["/v1/things"]["put"]["security"] == [{"operator": []}]
