"""Operator keys and write keys on the real database and a real ingest: shown once, found by their hash, shut out."""

import asyncio
import io
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from rich.console import Console

from tabiji_cli import keyring
from tabiji_common import operators
from tabiji_common.postgres import connect_pool
from tests.integration.ingest.harness import House, eventually, house
from tests.operator import BEARER, let_in, let_in_now

AT = datetime(2026, 4, 1, tzinfo=UTC)
EVENT = {"userId": "u-1", "event": "Looked Around"}


async def test_a_key_is_kept_as_a_hash_and_one_name_has_one_key(database: str) -> None:
    async with await connect_pool(database, "installation", size=2) as pool:
        assert await operators.find(pool, operators.key_hash("one")) is None, "before the tables are there"
        await asyncio.gather(operators.prepare(pool), operators.prepare(pool))
        await operators.let_in(pool, "one", "hanako", "read", AT)
        await operators.let_in(pool, "one", "hanako", "read", AT)
        assert await operators.find(pool, operators.key_hash("one")) == operators.Operator("hanako", "read")
        await operators.let_in(pool, "two", "hanako", "admin", AT + timedelta(days=1))
        assert await operators.find(pool, operators.key_hash("one")) is None
        assert [(row["scope"], row["revoked_at"] is None) for row in await operators.listed(pool)] == [
            ("read", False),
            ("admin", True),
        ]
        assert await operators.revoke(pool, "hanako", AT + timedelta(days=2))
        assert not await operators.revoke(pool, "hanako", AT + timedelta(days=2))
        await operators.let_in(pool, "two", "hanako", "admin", AT + timedelta(days=3))
        assert await operators.find(pool, operators.key_hash("two")) is None, "revoked is for good"
        for bad in ("", "a b", "x" * 64, "\0"):
            with pytest.raises(ValueError, match="is named by"):
                await operators.let_in(pool, "three", bad, "read", AT)
    connection = await asyncpg.connect(database)
    kept = await connection.fetch("SELECT to_jsonb(k)::text AS row FROM installation.operator_key k")
    await connection.close()
    assert not [row for row in kept if '"one"' in row["row"] or '"two"' in row["row"]]


@pytest.fixture
def ingest(kafka: Any, database: str, topic_prefix: str, tmp_path: Path) -> Any:
    let_in_now(database)
    asyncio.run(let_in(database, "reads", "reader", "read"))
    with house(kafka, database, topic_prefix, tmp_path) as made:
        yield made


def desk(ingest: House, method: str, path: str, key: str = "", **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"} if key else BEARER
    return httpx.request(method, f"{ingest.url}{path}", headers=headers, timeout=15, **more)


def takes(ingest: House, key: str) -> Callable[[], int]:
    return lambda: ingest.post("/v1/track", EVENT, key=key).status_code


def test_write_keys_are_made_rotated_and_revoked_over_http(ingest: House) -> None:
    assert httpx.get(f"{ingest.url}/v1/keys").status_code == 401
    assert desk(ingest, "GET", "/v1/keys", "reads").status_code == 403
    assert desk(ingest, "GET", "/v1/audit", "reads").status_code == 200
    assert ingest.post("/v1/track", EVENT, key="reads").status_code == 401, "an operator key is no write key"

    made = desk(ingest, "POST", "/v1/keys", json={"workspace": "demo", "name": "web shop"})
    assert made.status_code == 201
    first = made.json()
    assert takes(ingest, first["key"])() == 200
    [shown] = [row for row in desk(ingest, "GET", "/v1/keys?workspace=demo").json() if row["name"] == "web shop"]
    assert (shown["id"], shown["scope"], shown["open"]) == (first["id"], "live", True)
    assert "key" not in shown
    assert "hash" not in shown

    begun = time.monotonic()
    second = desk(ingest, "POST", f"/v1/keys/{first['id']}/rotate", json={"grace_seconds": 3}).json()
    assert takes(ingest, second["key"])() == 200
    if time.monotonic() - begun < 2:
        assert takes(ingest, first["key"])() == 200, "within its grace"
    assert eventually(lambda: takes(ingest, first["key"])() == 401, 60)
    assert takes(ingest, second["key"])() == 200
    assert desk(ingest, "POST", f"/v1/keys/{first['id']}/rotate", json={}).status_code == 404

    assert desk(ingest, "DELETE", f"/v1/keys/{second['id']}").status_code == 200
    assert eventually(lambda: takes(ingest, second["key"])() == 401, 60)
    assert desk(ingest, "DELETE", f"/v1/keys/{second['id']}").status_code == 404

    acts = [(act["who"], act["what"], act["status"]) for act in desk(ingest, "GET", "/v1/audit").json()]
    assert acts[::-1] == [
        ("suite", "POST /v1/keys", 201),
        ("suite", f"POST /v1/keys/{first['id']}/rotate", 201),
        ("suite", f"POST /v1/keys/{first['id']}/rotate", 404),
        ("suite", f"DELETE /v1/keys/{second['id']}", 200),
        ("suite", f"DELETE /v1/keys/{second['id']}", 404),
    ]
    for secret in (first["key"], second["key"]):
        assert secret not in str(acts)
        assert secret not in ingest.log.read_text()


def test_a_write_key_for_nothing_is_refused_and_a_revoked_operator_key_stops_within_seconds(ingest: House) -> None:
    bodies = {"": {"workspace": "Not One"}, "body.scope": {"workspace": "w", "scope": "read"}, "body.workspace": {}}
    for field, body in bodies.items():
        answer = desk(ingest, "POST", "/v1/keys", json=body)
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
    assert desk(ingest, "GET", "/v1/audit", "reads").status_code == 200

    async def revoke() -> None:
        async with await connect_pool(ingest.settings.postgres_dsn, "installation", size=1) as pool:
            await operators.revoke(pool, "reader", AT)

    asyncio.run(revoke())
    assert eventually(lambda: desk(ingest, "GET", "/v1/audit", "reads").status_code == 401, 60)


def test_keys_of_both_kinds_are_made_rotated_and_revoked_on_the_command_line(
    ingest: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TABIJI_POSTGRES_DSN", ingest.settings.postgres_dsn)
    mine = keyring.create("hanako", "admin", "demo")
    assert desk(ingest, "GET", "/v1/keys", mine).status_code == 200
    with pytest.raises(keyring.KeysFailed, match="revoke it first"):
        keyring.create("hanako", "read", "demo")
    with pytest.raises(keyring.KeysFailed, match=r"Make another .* --scope admin.*tabiji keys revoke hanako"):
        keyring.rotate("hanako", timedelta(0))
    with pytest.raises(keyring.KeysFailed, match="is one of read, operate"):
        keyring.create("taro", "everything", "demo")
    first = keyring.create("web shop", "live", "demo")
    assert takes(ingest, first)() == 200
    [shown] = [row for row in desk(ingest, "GET", "/v1/keys", mine).json() if row["name"] == "web shop"]
    made = keyring.rotate(shown["id"], timedelta(0))
    assert takes(ingest, made["key"])() == 200
    assert eventually(lambda: takes(ingest, first)() == 401, 60)
    with pytest.raises(keyring.KeysFailed, match="no open write key"):
        keyring.rotate(shown["id"], timedelta(0))
    assert keyring.revoke(made["id"]) == f"write key {made['id']}"
    assert keyring.revoke("hanako") == "operator key hanako"
    with pytest.raises(keyring.KeysFailed, match="no open operator key"):
        keyring.revoke("hanako")
    assert eventually(lambda: desk(ingest, "GET", "/v1/keys", mine).status_code == 401, 60)
    told = Console(width=200, record=True, file=io.StringIO())
    told.print(keyring.shown(), keyring.audit(50))
    text = told.export_text()
    for part in ("hanako", "web shop", "create key hanako (admin)", f"rotate write key {shown['id']}", "422", "cli:"):
        assert part in text
    assert not [key for key in (mine, first, made["key"]) if key in text]
