"""The promises to clients: 200 only after the ack, every refusal named, and never more than fits."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tabiji_ingest.pipeline import REQUEST_BYTES
from tests.unit.ingest.support import BACKFILL, LIVE, Door, basic

PAGE = {"type": "page", "userId": "u-1", "messageId": "m-1"}


def batch(*events: Any, **envelope: Any) -> dict[str, Any]:
    return {"batch": list(events), **envelope}


@pytest.mark.parametrize("prefix", ["", "/v1"])
@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("track", {"event": "Signed Up", "userId": "u-1"}),
        ("identify", {"userId": "u-1", "traits": {"plan": "gold"}}),
        ("page", {"anonymousId": "a-1", "name": "Home"}),
        ("screen", {"anonymousId": "a-1", "name": "Home"}),
        ("group", {"userId": "u-1", "groupId": "g-1"}),
        ("alias", {"userId": "u-1", "previousId": "a-1"}),
        ("batch", batch(PAGE)),
    ],
)
async def test_every_route_is_there_with_and_without_its_version(prefix: str, route: str, body: Any) -> None:
    door = Door()
    answer = await door.post(f"{prefix}/{route}", body)
    assert answer.status_code == 200
    assert answer.json()["success"] is True
    assert door.log.records


async def test_an_answer_comes_only_after_the_ack() -> None:
    door = Door()
    door.log.acks.clear()
    answer = asyncio.create_task(door.post("/v1/page", PAGE))
    await asyncio.sleep(0.05)
    assert not answer.done()
    door.log.acks.set()
    assert (await answer).status_code == 200


async def test_without_an_ack_the_answer_is_503_and_when_to_come_back() -> None:
    door = Door()
    door.log.broken = True
    answer = await door.post("/v1/batch", batch(PAGE))
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert "send it again" in answer.json()["error"]["rule"]


async def test_an_ack_that_does_not_come_in_time_is_503() -> None:
    door = Door(ack_seconds=0.05)
    door.log.mute = True
    assert (await door.post("/v1/page", PAGE)).status_code == 503


async def test_a_batch_keeps_the_good_and_lists_the_refused() -> None:
    door = Door()
    bad = [{**PAGE, "userId": "guest"}, {"type": "wish", "userId": "u-1"}, 5]
    answer = await door.post("/v1/batch", batch(PAGE, *bad, {**PAGE, "messageId": "m-2"}))
    told = answer.json()
    assert answer.status_code == 200
    assert told["accepted"] == 2
    assert [(one["index"], one["field"]) for one in told["rejected"]] == [(1, "userId"), (2, "type"), (3, "")]
    assert all(one["rule"] for one in told["rejected"])
    assert [record.id for record in door.log.records] == ["m-1", "m-2"]


async def test_a_batch_without_a_good_event_is_400_and_says_why_for_each() -> None:
    door = Door()
    answer = await door.post("/v1/batch", batch({"type": "wish"}, {**PAGE, "userId": ""}))
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == "0.type"
    assert [one["field"] for one in answer.json()["rejected"]] == ["type", "userId"]
    assert door.log.records == []


async def test_a_refusal_has_the_code_and_message_without_which_rudderstacks_client_repeats_it() -> None:
    door = Door()
    for body, key, code in ((batch({"type": "wish"}), LIVE, "type"), (batch(PAGE), "OTHER", "auth")):
        answer = await door.post("/v1/batch", body, key=key)
        assert answer.json()["code"] == code
        assert answer.json()["message"] == "{field} {rule}".format(**answer.json()["error"])


async def test_what_the_envelope_says_holds_for_events_that_do_not_say_it() -> None:
    door = Door()
    own = {**PAGE, "messageId": "m-2", "sentAt": "2026-04-01T01:10:00Z", "context": {"campaign": {"medium": "own"}}}
    envelope = {"sentAt": "2026-04-01T01:31:00Z", "context": {"campaign": {"medium": "batch"}}}
    at = {"timestamp": "2026-04-01T01:00:00Z"}
    await door.post("/v1/batch", batch({**PAGE, **at}, {**own, **at}, **envelope))
    first, second = door.log.records
    assert first.occurred_at.isoformat() == "2026-04-01T00:00:00+00:00"
    assert second.occurred_at.isoformat() == "2026-04-01T00:21:00+00:00"
    assert (first.body.medium, second.body.medium) == ("batch", "own")


async def test_poison_in_the_envelope_is_refused() -> None:
    door = Door()
    answer = await door.post("/v1/batch", batch(PAGE, context={"campaign": {"medium": "a\0b"}}))
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == "context.campaign.medium"


async def test_an_id_that_we_made_is_told() -> None:
    door = Door()
    nameless = {key: value for key, value in PAGE.items() if key != "messageId"}
    answer = await door.post("/v1/batch", batch(PAGE, nameless))
    assert answer.json()["made"] == [{"index": 1, "messageId": door.log.records[1].id}]
    again = await door.post("/v1/page", nameless)
    assert again.json()["made"][0]["messageId"] != answer.json()["made"][0]["messageId"]


@pytest.mark.parametrize(
    "header", [{}, basic("WRONG"), basic("TESTKEY", "x"), {"Authorization": "Bearer TESTKEY"}, basic("")]
)
async def test_a_bad_key_is_401_and_its_body_is_not_read(header: dict[str, str]) -> None:
    door = Door()

    read = False

    async def watched() -> AsyncIterator[bytes]:
        nonlocal read
        read = True
        yield b"{}"

    answer = await door.http.post("/v1/batch", content=watched(), headers=header)
    assert not read
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert answer.json()["error"]["field"] == "Authorization"


async def test_an_empty_key_and_an_unknown_one_are_told_apart() -> None:
    door = Door()
    rules = [(await door.post("/v1/page", PAGE, headers=basic(key))).json()["error"]["rule"] for key in ("", "WRONG")]
    assert "empty" in rules[0]
    assert "unknown" in rules[1]


async def test_keys_out_of_reach_are_503_and_not_401() -> None:
    door = Door()
    door.keys.away = True
    assert (await door.post("/v1/page", PAGE)).status_code == 503


async def test_history_goes_through_the_batch_route_with_its_own_key() -> None:
    door = Door()
    assert (await door.post("/v1/batch?mode=backfill", batch(PAGE), key=BACKFILL)).status_code == 200
    assert door.log.records[0].mode == "backfill"
    assert (await door.post("/v1/batch?mode=backfill", batch(PAGE))).status_code == 403
    assert (await door.post("/v1/batch", batch(PAGE), key=BACKFILL)).status_code == 403
    assert (await door.post("/v1/page?mode=backfill", PAGE, key=BACKFILL)).status_code == 403
    assert (await door.post("/v1/batch?mode=replay", batch(PAGE))).status_code == 403
    assert len(door.log.records) == 1


async def test_too_many_requests_are_429_and_when_to_come_back() -> None:
    door = Door(write_key_rate=0.1, write_key_burst=2)
    statuses = [(await door.post("/v1/page", PAGE)).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    answer = await door.post("/v1/page", PAGE)
    assert 1 <= int(answer.headers["Retry-After"]) <= 10
    assert len(door.log.records) == 2


async def test_what_does_not_fit_in_flight_is_503_at_once_and_fits_again_later() -> None:
    door = Door(max_flight_bytes=4 * REQUEST_BYTES + 4_000)
    door.log.acks.clear()
    held = [asyncio.create_task(door.post("/v1/page", PAGE)) for _ in range(4)]
    await asyncio.sleep(0.05)
    refused = await door.post("/v1/page", {**PAGE, "properties": {"x": "y" * 5000}})
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "1"
    door.log.acks.set()
    assert {(await one).status_code for one in held} == {200}
    assert (await door.post("/v1/page", PAGE)).status_code == 200
    assert door.accept.flight.bytes == 0


async def test_flight_is_given_back_after_every_kind_of_end() -> None:
    door = Door(ack_seconds=0.05, body_seconds=0.05)
    await door.post("/v1/batch", b"not json")
    await door.post("/v1/batch", b"x" * 600_000)
    await door.post("/v1/batch", gzip.compress(b"0" * 3_000_000))
    await door.http.post("/v1/batch", content=slowly(), headers=basic())
    assert door.accept.flight.bytes == 0
    door.log.broken = True
    await door.post("/v1/page", PAGE)
    assert door.accept.flight.bytes == 0


async def test_what_the_logs_client_still_holds_is_in_flight_though_its_request_is_answered() -> None:
    door = Door(max_flight_bytes=4 * REQUEST_BYTES + 4_000, ack_seconds=0.2)
    door.log.acks.clear()
    late = await asyncio.gather(*(door.post("/v1/page", PAGE) for _ in range(4)))
    assert [answer.json()["code"] for answer in late] == ["unavailable"] * 4
    refused = await door.post("/v1/page", PAGE)
    assert (refused.status_code, refused.json()["code"]) == (503, "busy")
    door.log.acks.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert door.accept.flight.bytes == 0
    assert (await door.post("/v1/page", PAGE)).status_code == 200


async def slowly() -> AsyncIterator[bytes]:
    yield b'{"batch":['
    await asyncio.sleep(5)
    yield b"]}"


async def test_a_body_that_does_not_arrive_is_408() -> None:
    door = Door(body_seconds=0.05)
    answer = await door.http.post("/v1/batch", content=slowly(), headers=basic())
    assert answer.status_code == 408


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_500_kb_is_413_whether_its_size_is_declared_or_not(declared: bool) -> None:
    door = Door()
    filler = json.dumps(batch(*([{**PAGE, "properties": {"x": "y" * 20_000}}] * 26))).encode()

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(filler), 10_000):
            yield filler[at : at + 10_000]

    content = filler if declared else chunks()
    assert (await door.http.post("/v1/batch", content=content, headers=basic())).status_code == 413
    assert door.log.records == []


async def test_gzip_is_taken_whatever_the_headers_say() -> None:
    door = Door()
    body = gzip.compress(json.dumps(batch(PAGE)).encode())
    for headers in (
        {"Content-Encoding": "gzip", "Content-Type": "application/json"},
        {"Content-Encoding": "gzip", "Content-Type": "application/x-www-form-urlencoded"},
        {},
    ):
        assert (await door.post("/v1/batch", body, headers=headers)).status_code == 200
    plain = json.dumps(batch(PAGE)).encode()
    assert (await door.post("/v1/batch", plain, headers={"Content-Encoding": "gzip"})).status_code == 200


async def test_a_bomb_is_413_and_broken_gzip_400() -> None:
    door = Door()
    assert (await door.post("/v1/batch", gzip.compress(b"0" * 50_000_000))).status_code == 413
    assert (await door.post("/v1/batch", gzip.compress(b"{}")[:-3])).status_code == 400


async def test_an_event_over_32_kb_is_refused_and_its_neighbours_are_kept() -> None:
    door = Door()
    large = {**PAGE, "properties": {"x": "y" * 33_000}}
    told = (await door.post("/v1/batch", batch(PAGE, large))).json()
    assert [one["index"] for one in told["rejected"]] == [1]
    assert (await door.post("/v1/page", large)).status_code == 400


async def test_an_unknown_route_and_a_wrong_method_look_like_every_refusal() -> None:
    door = Door()
    for answer in (await door.http.post("/v1/nothing"), await door.http.get("/v1/track")):
        assert answer.status_code in {404, 405}
        assert answer.json()["error"].keys() == {"field", "rule"}
    assert answer.headers["Allow"] == "POST"


async def test_a_full_batch_is_taken() -> None:
    door = Door()
    events = [{"type": "page", "userId": f"u-{n}", "messageId": f"m-{n}"} for n in range(2500)]
    answer = await door.post("/v1/batch", batch(*events))
    assert answer.json()["accepted"] == len(door.log.records) == 2500
    assert (await door.post("/v1/batch", batch(*events, PAGE))).status_code == 400
