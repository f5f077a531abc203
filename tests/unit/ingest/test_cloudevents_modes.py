"""CloudEvents' binary and batch mode, against the conformance features of the CloudEvents project."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tabiji_ingest.domain.cloudevents import mode_of, read_binary
from tabiji_ingest.domain.poison import read_event
from tests.unit.ingest.support import Door, fixture_files

HEADERS = {
    "ce-specversion": "1.0",
    "ce-id": "e-1",
    "ce-source": "/shop/orders",
    "ce-type": "order_completed",
    "ce-time": "2026-04-01T00:10:00Z",
    "ce-subject": "u-1",
    "Content-Type": "application/json",
}
ORDER = {"order_id": "o-1", "total": 19.8, "currency": "USD"}
STRUCTURED = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/shop/orders",
    "type": "order_completed",
    "time": "2026-04-01T00:10:00Z",
    "subject": "u-1",
    "datacontenttype": "application/json",
    "data": ORDER,
}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}


async def post(body: Any, headers: dict[str, str]) -> tuple[int, dict[str, Any], Door]:
    door = Door()
    answer = await door.post("/v1/events", body, headers=headers)
    return answer.status_code, answer.json(), door


def scenarios(path: Path) -> list[tuple[str, str, dict[str, str], Any]]:
    """(name, request, attributes, data) of each example of each scenario in a Gherkin file."""
    found = []
    for text in re.split(r"\n\s*Scenario Outline: ", path.read_text())[1:]:
        name = text.partition("\n")[0]
        request, data = re.findall(r'"""\n(.*?)\n\s*"""', text, re.DOTALL)
        rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in re.findall(r"\|.*\|", text)]
        split = rows.index(["contentType"])
        for (kind,) in rows[split + 1 :]:
            told = {key: value.replace("<contentType>", kind) for key, value in rows[1:split]}
            found.append((name.replace("<contentType>", kind), request.replace("<contentType>", kind), told, data))
    return found


def conformance() -> list[Any]:
    found = fixture_files("payloads/cloudevents_conformance/features/http-protocol-binding.feature")
    if found[0].marks:
        return found
    path = found[0].values[0]
    assert isinstance(path, Path)
    return [pytest.param(scenario, id=scenario[0]) for scenario in scenarios(path)]


@pytest.mark.parametrize("scenario", conformance())
async def test_the_conformance_scenario_is_read_as_it_says_and_taken_at_the_door(scenario: Any) -> None:
    _, request, attributes, data = scenario
    head, _, body = request.partition("\n\n")
    headers = {
        name.strip().lower(): value.strip() for name, value in (line.split(":", 1) for line in head.splitlines()[1:])
    }
    del headers["content-length"]  # of the file before it was indented
    event = read_binary(headers, body.encode()) if mode_of(headers) == "binary" else read_event(body.encode())
    assert event.pop("data") == json.loads(data)
    assert event == attributes
    if mode_of(headers) == "binary":
        headers["ce-subject"] = "u-1"
    else:
        body = json.dumps({**json.loads(body), "subject": "u-1", "time": "2026-04-01T00:10:00Z"})
    status, told, door = await post(body, headers)
    assert (status, told.get("accepted")) == (200, 1), told
    (record,) = door.log.records
    assert (record.id, record.source, record.type) == (attributes["id"], attributes["source"], attributes["type"])
    assert record.body.properties == json.loads(data)


async def test_binary_and_structured_are_the_same_event() -> None:
    _, _, binary = await post(ORDER, HEADERS)
    _, _, structured = await post(STRUCTURED, {})
    _, _, batch = await post([STRUCTURED], BATCH)
    assert binary.log.records == structured.log.records == batch.log.records
    assert binary.log.records[0].body.amount_minor == 1980


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("%e6%8a%b9%E8%8C%B6", "抹茶"),
        ('"a \\"b\\" c"', 'a "b" c'),
        ("%22a%25%22", '"a%"'),
        ("a%2", "a%2"),
        ("%2541", "%41"),
        ("抹茶".encode().decode("latin-1"), "抹茶"),
    ],
)
async def test_a_header_is_unquoted_and_percent_decoded_once(header: str, value: str) -> None:
    encoded: Any = {**HEADERS, "ce-type": header.encode("latin-1")}
    status, told, door = await post(ORDER, encoded)
    assert status == 200, told
    assert door.types == [value]


async def test_without_a_body_an_event_has_no_data() -> None:
    status, _, door = await post(b"", {**HEADERS, "ce-type": "cart_viewed"})
    assert (status, door.types) == (200, ["cart_viewed"])


@pytest.mark.parametrize(
    ("change", "body", "field"),
    [
        ({"ce-specversion": "0.3"}, b"{}", "specversion"),
        ({"ce-specversion": ""}, b"{}", "specversion"),
        ({"ce-id": ""}, b"{}", "id"),
        ({"ce-source": "tabiji/journey"}, b"{}", "source"),
        ({"ce-type": "%ED%A0%80"}, b"{}", "ce-type"),
        ({"ce-subject": "u%00"}, b"{}", "subject"),
        ({"ce-time": "now"}, b"{}", "time"),
        ({}, b"[]", "data"),
        ({}, b"Hello, World!", "data"),
        ({}, b'{"v":NaN}', "data.v"),
        ({}, b"{}", "data.order_id"),
        ({"ce-type": "x" * 257}, b"{}", "type"),
    ],
)
async def test_what_breaks_a_rule_is_refused_with_the_attribute(
    change: dict[str, str], body: bytes, field: str
) -> None:
    status, told, door = await post(body, {**HEADERS, **change})
    assert (status, told["error"]["field"]) == (400, f"0.{field}")
    assert door.log.records == []


@pytest.mark.parametrize("attribute", ["specversion", "id", "source", "type"])
async def test_one_attribute_in_the_headers_makes_it_binary_and_the_missing_ones_are_named(attribute: str) -> None:
    headers = {name: value for name, value in HEADERS.items() if name != f"ce-{attribute}"}
    status, told, _ = await post(ORDER, headers)
    assert (status, told["error"]["field"]) == (400, f"0.{attribute}")


async def test_the_media_type_outdoes_stray_headers() -> None:
    headers = {**HEADERS, "ce-id": "stray", "Content-Type": "Application/CloudEvents+JSON; charset=UTF-8"}
    _, _, door = await post(STRUCTURED, headers)
    assert door.log.records[0].id == "e-1"


async def test_a_batch_may_be_empty_and_one_bad_event_costs_the_others_nothing() -> None:
    status, told, _ = await post([], BATCH)
    assert (status, told) == (200, {"success": True, "accepted": 0, "rejected": []})
    status, told, door = await post([STRUCTURED, {**STRUCTURED, "id": ""}, {**STRUCTURED, "id": "e-2"}], BATCH)
    assert (status, [one["index"] for one in told["rejected"]]) == (200, [1])
    assert [record.id for record in door.log.records] == ["e-1", "e-2"]


@pytest.mark.parametrize("kind", ["application/cloudevents+avro", "application/cloudevents-batch+protobuf"])
async def test_another_format_is_415(kind: str) -> None:
    status, told, _ = await post(b"\0", {"Content-Type": kind})
    assert (status, told["error"]["field"]) == (415, "Content-Type")
