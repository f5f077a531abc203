"""What real SDKs sent, byte for byte, and the examples of Segment's own spec."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.ingest.support import Door, fixture_files, fixtures

SDKS = ("segment", "rudder", "dittofeed", "posthog")


def captured(path: Path) -> tuple[str, dict[str, str], bytes]:
    """(target, headers, body) of a request that was kept byte for byte."""
    head, _, body = path.read_bytes().partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    return lines[0].split()[1], dict(line.split(": ", 1) for line in lines[1:]), body


@pytest.mark.parametrize("path", [file for sdk in SDKS for file in fixture_files(f"sdk_captures/{sdk}-*/*.raw")])
async def test_a_captured_request_is_taken_as_it_was_sent(path: Path) -> None:
    door = Door()
    target, headers, body = captured(path)
    answer = await door.http.post(target, content=body, headers=headers)
    assert answer.status_code == 200
    told = answer.json()
    plain = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    events = json.loads(plain)["batch"]
    assert (told["accepted"], told["rejected"]) == (len(events), [])
    ids = [record.id for record in door.log.records]
    joins = [event for event in events if event.get("type") == "alias" or event.get("event") == "$create_alias"]
    assert all(event.get("messageId", event.get("uuid")) in ids for event in events if event not in joins)
    assert door.types.count("merged") == 2 * len(joins)


@pytest.mark.parametrize("path", fixture_files("sdk_captures/segment-python_ok/01.raw"))
async def test_a_captured_order_arrives_whole(path: Path) -> None:
    door = Door()
    target, headers, body = captured(path)
    await door.http.post(target, content=body, headers=headers)
    order = next(record for record in door.log.records if record.type == "order_completed")
    assert order.key == "demo:u-001"
    assert (order.body.order_id, order.body.amount_minor, order.body.currency) == ("o-1", 1981, "JPY")
    assert order.body.products[0]["name"] == "抹茶 ☕️"
    assert order.body.medium == "social"
    assert order.occurred_at.tzinfo is not None
    person = next(record for record in door.log.records if record.type == "identified")
    assert person.body.pii == {"email": "taro@example.com", "name": "山田 太郎"}
    assert "created_at" in person.body.traits
    visitor = next(record for record in door.log.records if record.type == "cart_viewed")
    assert visitor.body.anonymous is True


@pytest.mark.parametrize("path", fixture_files("sdk_captures/rudder-node_ok_gzip/01.raw"))
async def test_traits_that_an_sdk_doubles_in_the_context_are_read(path: Path) -> None:
    door = Door()
    target, headers, body = captured(path)
    await door.http.post(target, content=body, headers=headers)
    assert door.log.records[0].body.pii == {"email": "taro@example.com", "name": "山田 太郎"}


@pytest.mark.parametrize("path", fixture_files("payloads/segment_e2e_fixtures/*.json"))
async def test_the_payloads_of_segments_own_end_to_end_tests_are_taken(path: Path) -> None:
    door = Door()
    answer = await door.post("/v1/batch", {"batch": [json.loads(path.read_text())]})
    assert answer.status_code == 200


def spec_examples(name: str) -> list[Any]:
    path = fixtures() / "payloads" / "segment_spec" / name
    if not path.exists():
        return [pytest.param({}, marks=pytest.mark.skip(reason=f"no {path}: set TABIJI_FIXTURES"))]
    examples = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    return [pytest.param(one["payload"], id=f"{Path(one['file']).stem}-{n}") for n, one in enumerate(examples)]


@pytest.mark.parametrize("payload", spec_examples("ecommerce_v2_events.jsonl"))
async def test_every_example_of_the_e_commerce_spec_is_taken_for_a_known_customer(payload: dict[str, Any]) -> None:
    door = Door()
    answer = await door.post("/v1/track", {**payload, "userId": "u-1", "messageId": "m"})
    assert answer.json() == {"success": True, "accepted": 1, "rejected": []}
    (record,) = door.log.records
    if payload["event"] == "Order Completed":
        assert (record.body.amount_minor, record.body.currency) == (2750, "USD")
        assert len(record.body.products) == 2
    if payload["event"] == "Order Refunded":
        assert (record.body.amount_minor, record.body.currency) == (3000, "USD")


@pytest.mark.parametrize("payload", spec_examples("segment_spec_examples.jsonl"))
async def test_every_example_of_the_spec_is_taken_or_refused_with_a_field(payload: dict[str, Any]) -> None:
    door = Door()
    answer = await door.post("/v1/batch", {"batch": [payload]})
    assert answer.status_code in {200, 400}
    if answer.status_code == 400:
        assert answer.json()["rejected"][0]["field"] in {"type", "event", "userId", "previousId", "groupId"}
