"""A 2xx means that Kafka has it; anything else says what to do."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from segment.analytics.client import Client

from tabiji_common.clock import LiveClock
from tabiji_common.links import Link, sign
from tabiji_common.postgres import connect_pool
from tabiji_ingest.adapters.postgres_desk import WriteKeyDesk
from tests.integration.ingest.harness import SECRET, House, eventually, named_house
from tests.unit.ingest.support import BACKFILL, fixture_files
from tests.unit.ingest.test_captures import SDKS

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/126.0"}


def page(n: int) -> dict[str, Any]:
    return {"type": "page", "userId": f"u-{n % 7}", "messageId": f"m-{n}", "name": "Home", "properties": {"n": n}}


@pytest.fixture(scope="module")
def captured_by(kafka: Any, postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One ingest for all captures."""
    with named_house(kafka, postgres, "captures", tmp_path_factory.mktemp("captures")) as made:
        yield made


def link(kind: str, url: str = "") -> str:
    return f"/{kind}/{sign(SECRET, Link(kind, 'demo', 'u-1', 'k-1', url=url))}"


@pytest.mark.parametrize("gzip", [False, True])
def test_segments_own_sdk_unmodified_delivers_every_event_once(ingest: House, gzip: bool) -> None:
    errors: list[Any] = []
    sdk = Client("TESTKEY", host=ingest.url, gzip=gzip, on_error=lambda error, items: errors.append((error, items)))
    ids = {sdk.identify("u-1", {"email": "taro@example.com", "name": "山田 太郎", "plan": "gold"})[1]["messageId"]}
    for n in range(300):
        order = {"order_id": f"o-{n}", "total": 1980, "currency": "JPY", "products": [{"product_id": "抹茶 ☕️"}]}
        ids.add(sdk.track(f"u-{n % 9}", "Order Completed", order)[1]["messageId"])
    sdk.alias("anon-1", "u-1")
    ids.add(sdk.page("u-1", "Docs", "Cart", {"url": "https://shop.example.com/cart"})[1]["messageId"])
    sdk.flush()
    sdk.join()
    assert errors == []
    kept = ingest.kept()
    own = [record.id for record in kept if record.type != "merged"]
    assert sorted(own) == sorted(ids)
    orders = [record for record in kept if record.type == "order_completed"]
    assert {record.value["amount_minor"] for record in orders} == {1980}
    assert {record.value["products"][0]["product_id"] for record in orders} == {"抹茶 ☕️"}
    for customer in range(9):
        mine = [int(record.value["order_id"][2:]) for record in orders if record.key == f"demo:u-{customer}"]
        assert mine == sorted(mine)
    assert sorted(record.key for record in kept if record.type == "merged") == ["demo:anon-1", "demo:u-1"]


@pytest.mark.parametrize("path", [file for sdk in SDKS for file in fixture_files(f"sdk_captures/{sdk}-*/*.raw")])
def test_every_captured_request_is_answered_200_byte_for_byte(captured_by: House, path: Path) -> None:
    with socket.create_connection(("127.0.0.1", captured_by.port), timeout=60) as wire:
        wire.sendall(path.read_bytes())
        assert wire.recv(65536).startswith(b"HTTP/1.1 200")


def test_history_is_marked_in_the_log(ingest: House) -> None:
    assert ingest.post("/v1/batch?mode=backfill", {"batch": [page(1)]}, key=BACKFILL).status_code == 200
    assert ingest.post("/v1/batch?mode=backfill", {"batch": [page(2)]}).status_code == 403
    assert [record.mode for record in ingest.kept()] == ["backfill"]


def test_without_a_broker_nothing_is_promised_and_afterwards_the_same_ids_are_taken(ingest: House, kafka: Any) -> None:
    assert ingest.post("/v1/batch", {"batch": [page(0)]}).status_code == 200
    kafka.kill()
    try:
        began = time.monotonic()
        refused = ingest.post("/v1/batch", {"batch": [page(n) for n in range(1, 20)]})
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert time.monotonic() - began < 20  # and not the half minute of a client that waits for its broker
        shop = "https://shop.example.com/"
        assert httpx.get(ingest.url + link("o"), headers=BROWSER, timeout=60).status_code == 200
        assert httpx.get(ingest.url + link("c", shop), headers=BROWSER, timeout=60).headers["location"] == shop
        assert httpx.post(ingest.url + link("u"), timeout=60).status_code == 503
    finally:
        kafka.start()
    again = {"batch": [page(n) for n in range(1, 20)]}
    assert eventually(lambda: ingest.post("/v1/batch", again).status_code == 200)
    assert httpx.post(ingest.url + link("u"), timeout=60).status_code == 200
    kept = ingest.kept()
    assert {record.id for record in kept if record.type == "page_viewed"} == {f"m-{n}" for n in range(20)}
    assert [record.value["customer"] for record in kept if record.type == "unsubscribed"][-1] == "u-1"


def test_a_broker_that_hangs_costs_a_client_three_seconds_and_no_event(ingest: House, kafka: Any) -> None:
    batch = {"batch": [page(n) for n in range(20)]}
    os.kill(kafka.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert ingest.post("/v1/batch", batch).status_code == 503
        assert 2.5 < time.monotonic() - began < 20
    finally:
        os.kill(kafka.pid, signal.SIGCONT)
    assert eventually(lambda: ingest.post("/v1/batch", batch).status_code == 200, 60)
    assert {record.id for record in ingest.kept()} == {f"m-{n}" for n in range(20)}


def test_a_new_key_works_at_once_a_revoked_one_soon_stops_and_the_database_may_be_away(
    ingest: House, postgres: Any
) -> None:
    async def made() -> dict[str, Any]:
        async with await connect_pool(ingest.settings.postgres_dsn, "ingest", size=1) as pool:
            return await WriteKeyDesk(pool, LiveClock()).create("other", "live", "")

    async def revoked(id_: str) -> bool:
        async with await connect_pool(ingest.settings.postgres_dsn, "ingest", size=1) as pool:
            return await WriteKeyDesk(pool, LiveClock()).revoke(id_)

    ingest.end()
    ingest.start(TABIJI_WRITE_KEY_REFRESH_SECONDS="0.2")
    assert ingest.post("/v1/page", page(1), key="tabiji_live_nobody").status_code == 401
    new = asyncio.run(made())
    key = new["key"]
    assert ingest.post("/v1/page", page(1), key=key).status_code == 200
    postgres.kill()
    try:
        assert ingest.post("/v1/page", page(2), key=key).status_code == 200
        assert ingest.post("/v1/page", page(2), key="tabiji_live_unheard_of").status_code == 503
    finally:
        postgres.start()
    assert eventually(lambda: ingest.post("/v1/page", page(3), key="tabiji_live_nobody").status_code == 401)
    assert asyncio.run(revoked(new["id"]))
    assert eventually(lambda: ingest.post("/v1/page", page(3), key=key).status_code == 401)
    assert {record.key.split(":")[0] for record in ingest.kept()} == {"other"}


def test_a_clean_stop_ends_with_status_0(ingest: House) -> None:
    assert ingest.post("/v1/page", page(1)).status_code == 200
    assert ingest.end() == 0


def test_a_new_key_is_never_refused_however_many_ask_at_once(ingest: House) -> None:
    async def crowd() -> list[int]:
        async with httpx.AsyncClient(timeout=15) as http:
            url, auth = f"{ingest.url}/v1/page", ("TESTKEY", "")
            asked = [http.post(url, json=page(n), auth=auth) for n in range(120)]
            return [answer.status_code for answer in await asyncio.gather(*asked)]

    assert asyncio.run(crowd()) == [200] * 120


def test_a_guess_is_never_let_in_and_a_storm_of_guesses_is_told_to_wait(ingest: House) -> None:
    async def guesses() -> set[int]:
        async with httpx.AsyncClient(timeout=15) as http:
            asked = [http.post(f"{ingest.url}/v1/page", json=page(n), auth=(f"guess-{n}", "")) for n in range(120)]
            return {answer.status_code for answer in await asyncio.gather(*asked)}

    assert ingest.post("/v1/page", page(1)).status_code == 200  # seen once, a key is never asked about again
    assert asyncio.run(guesses()) == {401, 429}
    assert ingest.post("/v1/page", page(2)).status_code == 200
