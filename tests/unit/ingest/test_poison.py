"""What parsers and databases disagree about is refused at the door, named, and costs its neighbours nothing."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tabiji_ingest.domain.body import read_array, read_batch
from tabiji_ingest.domain.poison import MAX_DEPTH, MAX_EVENT_BYTES, read_event
from tabiji_ingest.domain.refusal import Refusal
from tests.unit.ingest.support import Door, fixture_files, fixtures


def event(value: str) -> bytes:
    """A track call with ``value``, as JSON text, among its properties."""
    return f'{{"type":"track","event":"E","userId":"u-1","messageId":"m","properties":{{"v":{value}}}}}'.encode()


POISON = [
    pytest.param(rb'"a\u0000b"', "properties.v", "U+0000", id="nul"),
    pytest.param(rb'{"a":["x",{"k":"\u0000"}]}', "properties.v.a.1.k", "U+0000", id="nul-deep"),
    pytest.param(rb'{"k\u0000":1}', "properties.v", "a key must not hold U+0000", id="nul-key"),
    pytest.param(rb'"\ud800"', "properties.v", "surrogate", id="lone-surrogate"),
    pytest.param(rb'"\udc00\ud800"', "properties.v", "surrogate", id="swapped-surrogates"),
    pytest.param(rb'{"\ud800":1}', "properties.v", "surrogate", id="surrogate-key"),
    pytest.param(b"NaN", "properties.v", "finite", id="nan"),
    pytest.param(b"-Infinity", "properties.v", "finite", id="infinity"),
    pytest.param(b"1e400", "properties.v", "finite", id="1e400"),
    pytest.param(b"[1,-1e400]", "properties.v.1", "finite", id="-1e400"),
    pytest.param(b"9223372036854775808", "properties.v", "64 bits", id="2**63"),
    pytest.param(b"-" + b"9" * 5000, "properties.v", "64 bits", id="5000-digits"),
    pytest.param(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, "", "deeper", id="depth"),
    pytest.param(b"[" * 1500 + b"]" * 1500, "", "deeper", id="depth-1500"),
    pytest.param(b'"\xff"', "", "UTF-8", id="not-utf-8"),
    pytest.param(b'"\xed\xa0\x80"', "", "UTF-8", id="surrogate-in-utf-8"),
]


@pytest.mark.parametrize(("value", "field", "rule"), POISON)
def test_poison_is_refused_with_its_field_and_rule(value: bytes, field: str, rule: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_event(event("@").replace(b"@", value))
    assert refused.value.field == field
    assert rule in refused.value.rule


@pytest.mark.parametrize(("value", "field", "rule"), POISON)
def test_poison_in_a_batch_costs_the_other_events_nothing(value: bytes, field: str, rule: str) -> None:
    bad = event("@").replace(b"@", value)
    batch = read_batch(b'{"sentAt":"x","batch":[' + event("1") + b" ,\n" + bad + b"," + event('"]}"') + b"]}")
    assert batch.sent_at == "x"
    assert [batch.events[0], batch.events[2]] == [event("1"), event('"]}"')]
    with pytest.raises(Refusal, match=rule.replace("+", r"\+")):
        read_event(batch.events[1])


@pytest.mark.parametrize(
    "value",
    [r'"\\u0000"', r'"\\\\u0000"', '"\U0001f600"', r'"\ud83d\ude00"', "9223372036854775807", "-9223372036854775807",
     "1e308", "1e-400", '"12345678901234567890123"', "[" * 45 + "]" * 45, '"' + "[" * 200 + '"', "{}", "null"],
)  # fmt: skip
def test_what_only_looks_like_poison_is_taken(value: str) -> None:
    assert read_event(event(value))["properties"] == {"v": json.loads(value)}


def test_of_a_repeated_key_the_last_one_wins() -> None:
    assert read_event(b'{"a":1,"a":2}') == {"a": 2}


def test_an_event_of_32_kib_is_taken_and_one_more_byte_is_not() -> None:
    room = MAX_EVENT_BYTES - len(event('""'))
    assert read_event(event('"' + "x" * room + '"'))
    with pytest.raises(Refusal, match="at most 32768 bytes"):
        read_event(event('"' + "x" * (room + 1) + '"'))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", ""), (b"[]", ""), (b"null", ""), (b"1", ""), (b'"batch"', ""), (b"{}", "batch"),
        (b'{"batch":{}}', "batch"),
        (b'{"batch":null}', "batch"), (b'{"batch":[]}', "batch"), (b'{"batch":[{}]', ""),
        (b'{"batch":[{"a":1}{}]}', ""),
        (b'{"batch":[{"a":NaN}]', ""), (b'{"batch":[{"a":NaN},]}', ""), (b'{"batch":[NaN]}', "batch.0"),
        (b'{"batch":[{"a":NaN}],"x":NaN}', "batch.0.a"), (b"\xff", ""), (b'["batch",[{"a":NaN}]]', ""),
    ],
)  # fmt: skip
def test_a_body_that_holds_no_list_of_events_is_refused(body: bytes, field: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_batch(body)
    assert refused.value.field == field


def test_what_is_no_object_keeps_its_place_in_the_batch() -> None:
    poisoned = read_batch(b'{"batch":[1,{"v":NaN},null,[2],"x",{"w":1}]}').events
    assert poisoned == [b"null", b'{"v":NaN}', b"null", b"[2]", b"null", b'{"w":1}']
    assert read_batch(b'{"batch":[1,{"w":1}]}').events == [b"1", b'{"w":1}']


def test_of_two_lists_the_last_one_counts_in_poisoned_bodies_too() -> None:
    assert read_batch(b'{"batch":[{"a":1}],"batch":[{"b":1}]}').events == [b'{"b":1}']
    assert read_batch(b'{"batch":[{"a":1}],"batch":[{"b":NaN}]}').events == [b'{"b":NaN}']


def test_a_list_of_cloudevents_is_cut_like_a_batch() -> None:
    assert read_array(b' [{"a":1},{"b":NaN}]').events == [b'{"a":1}', b'{"b":NaN}']
    assert read_array(b'{"a":1}').events == [b'{"a":1}']


def test_too_many_events_are_refused() -> None:
    assert len(read_batch(b'{"batch":[' + b",".join([b"{}"] * 2500) + b"]}").events) == 2500
    with pytest.raises(Refusal, match="at most 2500"):
        read_batch(b'{"batch":[' + b",".join([b"{}"] * 2501) + b"]}")


def test_quotes_without_end_do_not_cost_quadratic_time() -> None:
    for body in (b'{"batch":["' + b'\\"' * 250_000, b'{"batch":[' + b'"' * 499_999, b"[" * 500_000):
        with pytest.raises(Refusal):
            read_batch(body)


ROUTES = ["/v1/track", "/v1/batch", "/v1/events"]


@pytest.mark.parametrize("path", fixture_files("torture/json/n_*.json"))
async def test_json_that_is_none_is_400_everywhere(path: Path) -> None:
    door = Door()
    bad = path.read_bytes()
    for route in ROUTES:
        assert (await door.post(route, bad)).status_code == 400
    assert (await door.post("/v1/track", event("@").replace(b"@", bad))).status_code == 400
    assert door.log.records == []


@pytest.mark.parametrize("path", fixture_files("torture/json/n_*.json"))
async def test_json_that_is_none_never_lets_a_batch_through_with_it(path: Path) -> None:
    door = Door()
    body = b'{"batch":[' + event("1") + b"," + event("@").replace(b"@", path.read_bytes()) + b"]}"
    answer = await door.post("/v1/batch", body)
    assert answer.status_code in {200, 400}
    if answer.status_code == 200:
        assert [rejected["index"] for rejected in answer.json()["rejected"]] == [1]
    assert all(record.body.properties == {"v": 1} for record in door.log.records)


@pytest.mark.parametrize("path", fixture_files("torture/json/y_*.json"))
async def test_json_that_is_some_is_never_a_500_and_is_kept_as_it_is(path: Path) -> None:
    door = Door()
    good = path.read_bytes()
    for route in ROUTES:
        assert (await door.post(route, good)).status_code == 400
    answer = await door.post("/v1/track", event("@").replace(b"@", good))
    value = json.loads(good)
    if answer.status_code == 200:
        (record,) = door.log.records
        assert msgspec.json.decode(record.value())["properties"] == {"v": value}
    else:
        assert answer.status_code == 400
        assert "\0" in json.dumps(value, ensure_ascii=False) or "u0000" in good.decode()


def naughty_strings() -> list[Any]:
    path = fixtures() / "torture" / "blns" / "resources" / "blns.json"
    if not path.exists():
        return [pytest.param([], marks=pytest.mark.skip(reason=f"no {path}: set TABIJI_FIXTURES"))]
    return [pytest.param(json.loads(path.read_text("utf-8")), id="blns")]


@pytest.mark.parametrize("strings", naughty_strings())
async def test_naughty_strings_survive_byte_for_byte(strings: list[str]) -> None:
    door = Door()
    events = [
        {"type": "track", "event": text, "userId": f"u {text}"[:250], "messageId": f"m{n}", "properties": {text: text}}
        for n, text in enumerate(strings)
        if text.strip() and len(text) <= 256
    ]
    answer = await door.post("/v1/batch", {"batch": events})
    assert answer.json()["rejected"] == []
    assert len(door.log.records) == len(events) > 400
    for sent, record in zip(events, door.log.records, strict=True):
        kept = msgspec.json.decode(record.value())
        assert record.type == sent["event"]
        assert record.headers()[2] == ("ce_type", str(sent["event"]).encode())
        assert kept["customer"] == sent["userId"]
        assert kept["properties"] == sent["properties"]
