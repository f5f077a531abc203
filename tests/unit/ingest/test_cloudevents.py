"""CloudEvents over HTTP, structured mode."""

from typing import Any

import pytest

from tests.unit.ingest.support import NOW, Door

GOOD = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/shop/orders",
    "type": "order_completed",
    "time": "2026-04-01T00:10:00Z",
    "subject": "u-1",
    "datacontenttype": "application/json",
    "data": {"order_id": "o-1", "total": 19.8, "currency": "USD", "context": {"campaign": {"medium": "email"}}},
}


async def post(body: Any, **headers: str) -> tuple[int, dict[str, Any], Door]:
    door = Door()
    answer = await door.post("/v1/events", body, headers=headers)
    return answer.status_code, answer.json(), door


async def test_an_event_keeps_its_id_source_and_time() -> None:
    status, told, door = await post(GOOD)
    assert (status, told["accepted"]) == (200, 1)
    (record,) = door.log.records
    assert (record.id, record.source, record.type) == ("e-1", "/shop/orders", "order_completed")
    assert record.occurred_at.isoformat() == "2026-04-01T00:10:00+00:00"
    assert record.accepted_at == NOW
    assert record.key == "demo:u-1"
    assert (record.body.amount_minor, record.body.medium) == (1980, "email")
    assert "context" not in record.body.properties


async def test_a_list_is_taken_event_by_event() -> None:
    status, told, door = await post([GOOD, {**GOOD, "id": "e-2", "specversion": "0.3"}, {**GOOD, "id": "e-3"}])
    assert status == 200
    assert told["rejected"] == [{"index": 1, "field": "specversion", "rule": 'must be "1.0"'}]
    assert [record.id for record in door.log.records] == ["e-1", "e-3"]


@pytest.mark.parametrize("kind", ["application/cloudevents+json; charset=utf-8", "text/plain", ""])
async def test_the_body_decides_and_not_the_content_type(kind: str) -> None:
    status, _, _ = await post(GOOD, **{"Content-Type": kind})
    assert status == 200


async def test_a_visitor_and_a_shops_own_name_are_taken() -> None:
    event = {**GOOD, "type": "com.example.someevent", "data": {"anonymousId": "a-1", "message": "Hello World!"}}
    del event["subject"]
    _, _, door = await post(event)
    (record,) = door.log.records
    assert (record.topic.name, record.type, record.key) == (
        "events.custom.v1",
        "com.example.someevent",
        "demo:a-1",
    )
    assert record.body.properties == {"message": "Hello World!"}


async def test_identified_carries_traits_and_merged_a_previous_id() -> None:
    identified = {**GOOD, "type": "identified", "data": {"plan": "gold", "email": "t@example.com"}}
    _, _, door = await post([identified, {**GOOD, "id": "e-2", "type": "merged", "data": {"previousId": "a-1"}}])
    assert door.types == ["identified", "merged", "merged"]
    assert (door.log.records[0].body.traits, door.log.records[0].body.pii) == (
        {"plan": "gold"},
        {"email": "t@example.com"},
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"specversion": None}, "specversion"),
        ({"specversion": "0.3"}, "specversion"),
        ({"id": None}, "id"),
        ({"id": ""}, "id"),
        ({"id": 5}, "id"),
        ({"source": " "}, "source"),
        ({"source": "tabiji/journey"}, "source"),
        ({"type": None}, "type"),
        ({"type": "x" * 257}, "type"),
        ({"time": "now"}, "time"),
        ({"subject": "guest"}, "subject"),
        ({"subject": None}, "subject"),
        ({"data": []}, "data"),
        ({"data": {"total": 1}}, "data.order_id"),
        ({"data": {"order_id": "o", "total": []}}, "data.total"),
        ({"data_base64": "eA=="}, "data_base64"),
    ],
)
async def test_what_breaks_a_rule_is_refused_with_the_attribute(change: dict[str, Any], field: str) -> None:
    status, told, door = await post({**GOOD, **change})
    assert status == 400
    assert told["error"]["field"] == f"0.{field}"
    assert door.log.records == []
