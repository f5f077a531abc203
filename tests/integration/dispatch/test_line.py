"""LINE pushes against a stand-in that remembers keys, quota and blocks; requests by LINE's own OpenAPI document."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tabiji_cli.line import LineServer
from tabiji_cli.stack.ports import free_port
from tabiji_common import events
from tabiji_common.kafka.turn import Received
from tabiji_common.topics import CUSTOMERS, ENGAGEMENTS
from tabiji_dispatch.adapters.line import LineProvider, retry_key
from tabiji_dispatch.adapters.postgres_quotas import PostgresQuotas
from tabiji_dispatch.domain.carrier import Carrier
from tabiji_dispatch.domain.message import Letter
from tabiji_dispatch.domain.outcomes import Keyed, Result, Verdict
from tabiji_dispatch.domain.quota import Metered
from tabiji_dispatch.settings import ProviderSettings
from tests.integration.dispatch.bench import NOON, Bench, identified, received, send

FIXTURES = Path(os.environ.get("TABIJI_FIXTURES", Path(__file__).parents[4] / "shared" / "fixtures"))
OPENAPI = FIXTURES / "openapi" / "line" / "messaging-api.yml"
KEY = "123e4567-e89b-12d3-a456-426614174000"


def line_id(customer: str) -> str:
    return "U" + f"{int(customer[1:]):032x}"


def letter(text: str = '[{"type":"text","text":"こんにちは"}]', to: str = line_id("c1"), key: str = KEY) -> Letter:
    return Letter(key, "line", to, "", text, "", "", NOON, "v")


def provider_at(url: str, token: str = LineServer.token) -> LineProvider:
    return LineProvider(ProviderSettings(name="line", kind="line", channels=["line"], url=url, token=token))


async def attempt(server: LineServer, one: Letter | None = None, timeout: float = 5.0, **settings: Any) -> Verdict:
    async with server.serve(free_port()) as url:
        provider = provider_at(url, **settings)
        try:
            return await provider.send(one or letter(), timeout)
        finally:
            await provider.close()


def now() -> datetime:
    return NOON


def schema_of(document: dict[str, Any], name: str) -> dict[str, Any]:
    """A schema of the document that ``jsonschema`` can follow, ``mapping``s of message types applied."""
    schemas = json.loads(json.dumps(document["components"]["schemas"]).replace("#/components/schemas/", "#/$defs/"))
    kinds = schemas["Message"]["discriminator"]["mapping"]
    schemas["AnyMessage"] = {
        "properties": {"type": {"enum": list(kinds)}},
        "required": ["type"],
        "allOf": [
            {"if": {"properties": {"type": {"const": kind}}}, "then": {"$ref": ref}} for kind, ref in kinds.items()
        ],
    }
    schemas["PushMessageRequest"]["properties"]["messages"]["items"] = {"$ref": "#/$defs/AnyMessage"}
    return {"$ref": f"#/$defs/{name}", "$defs": schemas}


@pytest.fixture(scope="module")
def push_schema() -> dict[str, Any]:
    if not OPENAPI.is_file():
        pytest.skip(f"LINE's OpenAPI document is not at {OPENAPI}: set TABIJI_FIXTURES")
    return schema_of(yaml.safe_load(OPENAPI.read_text("utf-8")), "PushMessageRequest")


async def test_the_request_is_what_lines_own_document_asks_for(push_schema: dict[str, Any]) -> None:
    button = {"type": "uri", "label": "見る", "uri": "https://shop.example.com/"}
    bubble = {
        "type": "bubble",
        "body": {"type": "box", "layout": "vertical", "contents": [{"type": "button", "action": button}]},
    }
    rich = json.dumps([{"type": "text", "text": "一"}, {"type": "flex", "altText": "ご案内", "contents": bubble}])
    server = LineServer(now, keep_requests=True)
    for one in (letter(), letter(rich, key="no uuid")):
        assert (await attempt(server, one)).result is Result.ACCEPTED
        headers, body = server.requests[-1]
        asked = json.loads(body)
        jsonschema.validate(asked, push_schema)
        assert headers["authorization"] == "Bearer a channel access token"
        assert headers["x-line-retry-key"] == retry_key(one.key)
        assert headers["content-type"] == "application/json"
        assert "transfer-encoding" not in headers
    with pytest.raises(jsonschema.ValidationError):  # the schema does tell
        jsonschema.validate({"to": "U", "messages": [{"type": "text"}]}, push_schema)


async def test_a_lost_answer_is_sent_again_and_409_says_that_it_was_taken() -> None:
    server = LineServer(now)
    server.faults.append("drop_after")
    assert (await attempt(server)).result is Result.UNKNOWN
    again = await attempt(server)
    assert (again.result, again.detail, bool(again.reference)) == (Result.ACCEPTED, "409", True)
    assert len(server.accepted) == 1


async def test_a_key_is_forgotten_after_a_day() -> None:
    clock = [NOON]
    server = LineServer(lambda: clock[0])
    await attempt(server)
    clock[0] += timedelta(hours=23, minutes=59)
    assert (await attempt(server)).detail == "409"
    clock[0] += timedelta(minutes=2)
    assert (await attempt(server)).detail == "200"
    assert len(server.accepted) == 2


FAULTS = [
    ("drop_before", Result.UNKNOWN),
    ("silent_after", Result.UNKNOWN),
    ("500_before", Result.UNKNOWN),
    ("500_after", Result.UNKNOWN),
    ("503", Result.UNKNOWN),
    ("429", Result.THROTTLED),
    ("401", Result.CONFIG),
]


@pytest.mark.parametrize(("fault", "result"), FAULTS)
async def test_a_fault(fault: Any, result: Result) -> None:
    server = LineServer(now)
    server.faults.append(fault)
    assert (await attempt(server, timeout=0.5)).result is result


async def test_nobody_listens_is_refused() -> None:
    assert (await provider_at(f"http://127.0.0.1:{free_port()}").send(letter(), 2.0)).result is Result.REFUSED


async def test_a_wrong_token_stops_the_provider() -> None:
    verdict = await attempt(LineServer(now), token="another")
    assert (verdict.result, verdict.detail) == (Result.CONFIG, "401")


async def test_a_used_up_month_is_no_throttling() -> None:
    server = LineServer(now, quota=1)
    assert (await attempt(server)).result is Result.ACCEPTED
    verdict = await attempt(server, letter(key=KEY.replace("1", "2")))
    assert (verdict.result, verdict.detail) == (Result.CONFIG, "429 monthly limit")


ADDRESSES = [
    ("Uffff", "address", False),  # never asked
    ("U" + "e" * 32, "400 recipient", False),  # nobody's
]


@pytest.mark.parametrize(("to", "detail", "suppress"), ADDRESSES)
async def test_who_cannot_be_reached_is_permanent(to: str, detail: str, suppress: bool) -> None:
    verdict = await attempt(LineServer(now, unknown={"U" + "e" * 32}), letter(to=to))
    assert (verdict.result, verdict.detail, verdict.suppress) == (Result.PERMANENT, detail, suppress)


async def test_messages_that_line_refuses_are_permanent_and_suppress_nobody() -> None:
    for text in ('[{"type":"text","text":""}]', "[]", '[{"text":"x"}]', "not json"):
        verdict = await attempt(LineServer(now), letter(text))
        assert (verdict.result, verdict.detail, verdict.suppress) == (Result.PERMANENT, "400", False)


async def test_a_block_is_answered_200_and_nothing_arrives() -> None:
    server = LineServer(now, blocked={line_id("c1")})
    assert (await attempt(server)).result is Result.ACCEPTED
    assert server.delivered == []


def friend(customer: str = "c1", *, consent: bool = True) -> list[Received]:
    """A customer with a LINE id who agreed to messages there."""
    at = NOON - timedelta(hours=1)
    given = events.ConsentGiven(workspace="demo", customer=customer, channel="line")
    return [
        identified(customer, at, line_id=line_id(customer), name="山田 花子"),
        *([received(CUSTOMERS, given, f"{customer}-line", at=at)] if consent else []),
    ]


def message(key: str, customer: str = "c1", **changes: Any) -> Received:
    return send(key, customer, channel="line", template=changes.pop("template", "f2/friend"), **changes)


@asynccontextmanager
async def lined(pool: Any, quota: int = 0, theirs: int = 0) -> AsyncIterator[tuple[LineServer, Bench]]:
    server = LineServer(now, quota=theirs)
    async with server.serve(free_port()) as url:
        carrier = Carrier("line", frozenset({"line"}), Keyed(), Keyed(), slots=4, timeout=0.5, quota=quota)
        async with Bench(pool, {"line": (carrier, provider_at(url))}) as bench:
            server.clock = bench.clock.now
            yield server, bench


async def test_a_friend_who_agreed_gets_the_message_with_links_that_count(pool: Any) -> None:
    async with lined(pool) as (server, bench):
        await bench.turn(*friend(), message("m1"))
        await bench.settle()
        assert bench.said() == [("m1", "sent", "")]
        [push] = server.delivered
        assert (push.to, push.key) == (line_id("c1"), retry_key("m1"))
        [one] = push.messages
        assert one["text"].startswith("山田 花子 様")
        assert "http://127.0.0.1:8010/c/" in one["text"]


async def test_without_consent_or_id_or_after_a_block_nothing_is_sent(pool: Any) -> None:
    async with lined(pool) as (server, bench):
        given = events.ConsentGiven(workspace="demo", customer="c2", channel="line")
        await bench.turn(
            *friend(consent=False), received(CUSTOMERS, given, "g", at=NOON), message("m1"), message("m2", "c2")
        )
        await bench.settle()
        assert sorted(bench.said()) == [("m1", "suppressed", "no_consent"), ("m2", "suppressed", "no_address")]
        await bench.turn(*friend("c3"), message("m3", "c3"))
        await bench.settle()
        blocked = events.LineBlocked(workspace="demo", customer="c3", channel="line")
        await bench.turn(received(ENGAGEMENTS, blocked, "blocked", at=NOON), message("m4", "c3"))
        await bench.settle()
        assert bench.said()[-1] == ("m4", "suppressed", "no_consent")
        assert [push.key for push in server.accepted] == [retry_key("m3")]


async def test_our_own_quota_stops_before_lines_and_goes_on_next_month(pool: Any) -> None:
    async with lined(pool, quota=3, theirs=3) as (server, bench):
        far = NOON + timedelta(days=60)
        people = [record for n in range(1, 6) for record in friend(f"c{n}")]
        await bench.turn(*people, *(message(f"m{n}", f"c{n}", not_after=far) for n in range(1, 6)))
        await bench.settle()
        assert len(server.accepted) == 3
        held = await pool.fetch("SELECT message_key, reason, wake_at FROM delivery WHERE state = 'held' ORDER BY seq")
        june = datetime(2024, 5, 31, 15, tzinfo=UTC)  # midnight in Tokyo
        assert [tuple(row) for row in held] == [(f"m{n}", "quota:line", june) for n in (4, 5)]
        assert await pool.fetch("SELECT * FROM kill_switch") == []
        bench.clock.tick = june + timedelta(hours=9)
        await bench.settle()
        assert len(server.accepted) == 5
        used = await pool.fetch("SELECT month, used FROM quota_month ORDER BY month")
        assert [tuple(row) for row in used] == [("2024-05", 3), ("2024-06", 2)]


async def test_what_was_not_taken_does_not_count_and_what_may_have_been_counts_once(pool: Any) -> None:
    async with lined(pool, quota=2) as (server, bench):
        server.faults.extend(["429", "drop_after", "500_before"])
        people = [record for n in (1, 2) for record in friend(f"c{n}")]
        await bench.turn(*people, message("m1", "c1"))
        for _ in range(6):
            await asyncio.sleep(0.2)
            bench.clock.skipped += 10
            await bench.turn()
        await bench.turn(message("m2", "c2"))
        await bench.settle()
        assert sorted(bench.said()) == [("m1", "sent", ""), ("m2", "sent", "")]
        assert len(server.accepted) == 2
        assert await pool.fetchval("SELECT used FROM quota_month") == 2


async def test_claims_of_two_processes_at_once_never_go_beyond_the_quota(pool: Any) -> None:
    quotas = PostgresQuotas()

    async def claim(who: int) -> int:
        async with pool.acquire() as connection, connection.transaction():
            left = 5 - (await quotas.used(connection, ["line"], "2024-05"))["line"]
            await asyncio.sleep(0.02)
            taken = [Metered(f"{who}-{n}", "line", "2024-05") for n in range(min(2, left))]
            await quotas.count(connection, taken)
            return len(taken)

    assert sum(await asyncio.gather(*(claim(who) for who in range(4)))) == 5
    assert await pool.fetchval("SELECT used FROM quota_month") == 5


async def test_lines_own_limit_stops_the_channel_and_loses_nothing(pool: Any) -> None:
    async with lined(pool, theirs=1) as (server, bench):
        await bench.turn(*friend(), *friend("c2"), message("m1"), message("m2", "c2"))
        await bench.settle()
        for _ in range(3):
            bench.clock.skipped += 5
            await bench.settle()
        assert [row["name"] for row in await pool.fetch("SELECT name FROM kill_switch")] == ["line"]
        assert sorted([await bench.state("m1"), await bench.state("m2")]) == [
            ("held", "switch:provider:line"),
            ("sent", ""),
        ]
        server.quota = 0
        await pool.execute("DELETE FROM kill_switch")
        await bench.settle()
        assert len(server.accepted) == 2


async def test_message_objects_of_a_template_are_filled_and_kept_within_lines_limits(pool: Any) -> None:
    async with lined(pool) as (server, bench):
        await bench.turn(*friend(), message("m1", template="f2/rich", variables={"code": '"},{"type":"text'}))
        await bench.turn(*friend("c2"), message("m2", "c2", template="f2/rich", variables={"code": "x" * 5001}))
        await bench.settle()
        [push] = server.accepted
        text, flex = push.messages
        assert text["text"] == 'コード: "},{"type":"text'
        assert flex["contents"]["body"]["contents"][0]["action"]["uri"].startswith("http://127.0.0.1:8010/c/")
        assert await bench.state("m2") == ("failed", "template")
