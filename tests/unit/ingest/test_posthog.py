"""PostHog's and Dittofeed's clients: where the write key is, whose event it is, and what it becomes."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.ingest.support import BACKFILL, Door, basic, fixture_files
from tests.unit.ingest.test_captures import captured

EVENT = {"event": "Signed Up", "distinct_id": "u-1", "uuid": "e-1", "properties": {"plan": "gold", "$lib": "x"}}


async def capture(event: dict[str, Any], path: str = "/capture/", **envelope: Any) -> tuple[Any, Door]:
    door = Door()
    answer = await door.http.post(path, json={"api_key": "phc_TEST", **envelope, **event})
    return answer, door


@pytest.mark.parametrize("path", ["/batch/", "/capture/", "/capture", "/i/v0/e/", "/i/v0/e", "/e/", "/e"])
async def test_every_route_takes_one_event_and_a_batch(path: str) -> None:
    answer, door = await capture(EVENT, path)
    assert (answer.status_code, door.types) == (200, ["Signed Up"])
    assert (door.log.records[0].id, door.log.records[0].source) == ("e-1", "posthog")
    assert door.log.records[0].body.properties == {"plan": "gold"}
    answer = await door.http.post(path, json={"token": "phc_TEST", "batch": [EVENT, {**EVENT, "distinct_id": 0}]})
    assert (answer.json()["accepted"], answer.json()["rejected"][0]["field"]) == (1, "distinct_id")


@pytest.mark.parametrize("key", [None, "", 5, "phc_OTHER", "x" * 600])
async def test_a_wrong_key_in_the_body_is_401(key: Any) -> None:
    door = Door()
    answer = await door.http.post("/batch/", json={"api_key": key, "batch": [EVENT]})
    assert (answer.status_code, answer.json()["error"]["field"]) == (401, "api_key")
    assert door.log.records == []
    assert door.accept.flight.bytes == 0


async def test_the_key_is_found_beside_a_poisoned_event_too() -> None:
    door = Door()
    body = json.dumps({"batch": [EVENT, {**EVENT, "properties": {"v": float("nan")}}], "api_key": "phc_TEST"})
    answer = await door.http.post("/batch/", content=body)
    assert (answer.json()["accepted"], answer.json()["rejected"][0]["field"]) == (1, "properties.v")


async def test_an_import_takes_a_key_for_history() -> None:
    answer, _ = await capture({"batch": [EVENT]}, historical_migration=True)
    assert answer.status_code == 403
    answer, door = await capture({"batch": [EVENT]}, historical_migration=True, api_key=BACKFILL)
    assert (answer.status_code, door.log.records[0].mode) == (200, "backfill")


@pytest.mark.parametrize(
    ("told", "customer", "anonymous"),
    [
        ({}, "d-1", False),
        ({"$process_person_profile": False}, "d-1", True),
        ({"$is_identified": False}, "d-1", True),
        ({"$device_id": "d-1"}, "d-1", True),
        ({"$device_id": "d-2", "$is_identified": True}, "d-1", False),
    ],
)
async def test_whether_an_id_is_a_customers_or_a_visitors_is_the_events_to_say(
    told: dict[str, Any], customer: str, anonymous: bool
) -> None:
    _, door = await capture({"event": "$pageview", "distinct_id": "d-1", "properties": told})
    (record,) = door.log.records
    assert (record.type, record.body.customer, record.body.anonymous) == ("page_viewed", customer, anonymous)


async def test_identify_joins_the_visitor_and_sets_traits() -> None:
    set_ = {"plan": "gold", "email": "taro@example.com", "$initial_os": "x"}
    told = {"$anon_distinct_id": "a-1", "$set": set_, "$set_once": {"first": 1}}
    _, door = await capture({"event": "$identify", "distinct_id": "u-1", "properties": told})
    assert door.types == ["identified", "merged", "merged"]
    person = door.log.records[0].body
    assert (person.anonymous_id, person.traits, person.pii) == ("a-1", {"plan": "gold"}, {"email": "taro@example.com"})


async def test_traits_on_any_event_are_told_beside_it_under_the_same_id_each_time() -> None:
    event = {**EVENT, "properties": {"$set": {"plan": "gold"}, "utm_medium": "email"}}
    _, door = await capture({"batch": [event, event]})
    assert door.types == ["Signed Up", "identified"] * 2
    assert door.log.records[1].id == door.log.records[3].id != "e-1"
    assert door.log.records[1].body.traits == {"plan": "gold"}
    assert door.log.records[0].body.medium == "email"


async def test_a_repeat_with_another_sent_at_is_the_same_event() -> None:
    _, first = await capture(EVENT, sent_at="2026-04-01T00:30:00Z")
    _, second = await capture(EVENT, sent_at="2026-04-01T00:30:09Z")
    assert first.log.records[0].body_hash == second.log.records[0].body_hash


async def test_a_screen_a_group_and_a_group_of_nobody() -> None:
    _, door = await capture({"event": "$screen", "distinct_id": "u-1", "properties": {"$screen_name": "Home"}})
    assert (door.types, door.log.records[0].body.name) == (["page_viewed"], "Home")
    group = {"$group_type": "team", "$group_key": "t-1", "$group_set": {"seats": 5}}
    _, door = await capture({"event": "$groupidentify", "distinct_id": "u-1", "properties": group})
    assert door.log.records[0].body.properties == {"seats": 5, "group_id": "t-1"}
    answer, _ = await capture({"event": "$groupidentify", "distinct_id": "$team_t-1", "properties": group})
    assert (answer.status_code, answer.json()["rejected"][0]["field"]) == (400, "distinct_id")


@pytest.mark.parametrize("path", fixture_files("sdk_captures/posthog-*/01.raw"))
async def test_both_clients_orders_of_an_alias_mean_the_same(path: Path) -> None:
    door = Door()
    target, headers, body = captured(path)
    assert (await door.http.post(target, content=body, headers=headers)).status_code == 200
    joins = [record.body for record in door.log.records if record.type == "merged"]
    assert {(join.source, join.target) for join in joins} == {("anon-1", "u-001")}
    order = next(record for record in door.log.records if record.type == "order_completed")
    assert (order.key, order.body.amount_minor) == ("demo:u-001", 1981)
    assert "taro@example.com" in [record.body.pii.get("email") for record in door.log.records]


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("TESTKEY", 200),
        (basic()["Authorization"], 200),
        (basic("TEST", "KEY")["Authorization"], 200),
        (basic("TEST", "OTHER")["Authorization"], 401),
        ("Basic !", 401),
        ("", 401),
    ],
)
async def test_dittofeeds_clients_send_the_key_as_it_was_given_to_them(header: str, status: int) -> None:
    door = Door()
    body = {"batch": [{"type": "page", "userId": "u-1", "messageId": "m-1"}]}
    answer = await door.http.post("/api/public/apps/batch", json=body, headers={"Authorization": header})
    assert answer.status_code == status


@pytest.mark.parametrize("kind", ["track", "identify", "page", "screen", "group", "alias"])
async def test_dittofeeds_single_calls_have_routes(kind: str) -> None:
    door = Door()
    body = {"userId": "u-1", "event": "Signed Up", "previousId": "a-1", "groupId": "g-1"}
    headers = {"Authorization": "TESTKEY"}
    assert (await door.http.post(f"/api/public/apps/{kind}", json=body, headers=headers)).status_code == 200


async def test_a_header_beyond_ascii_is_401_and_nothing_worse() -> None:
    door = Door()
    for path in ("/v1/page", "/api/public/apps/page"):
        header: Any = {"Authorization": b"Basic \xe9\xff"}
        answer = await door.http.post(path, json={}, headers=header)
        assert answer.status_code == 401
