"""LINE messages out of templates, the billing month, and what LINE's answers mean."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tabiji_dispatch.adapters.line import retry_key, verdict_of
from tabiji_dispatch.domain.outcomes import Result
from tabiji_dispatch.domain.quota import month_of, next_month, takes
from tabiji_dispatch.domain.render import Unrenderable, compile_template, render
from tests.unit.dispatch.make import NOON, delivery
from tests.unit.dispatch.test_render import SHOP


def messages(parts: dict[str, str], **variables: Any) -> Any:
    asked = delivery(channel="line", variables=variables)
    template = compile_template("f2/t", parts)
    return json.loads(render(template, asked, SHOP, address="U1", name="山田 花子", now=NOON).text)


def test_a_text_is_one_message_and_the_mails_text_stands_in() -> None:
    assert messages({"body.line.txt": "{{ customer.name }} 様\n"}) == [{"type": "text", "text": "山田 花子 様"}]
    assert messages({"body.txt": "x", "body.mjml": "<mjml></mjml>"}) == [{"type": "text", "text": "x"}]
    assert messages({"body.txt": "x", "body.line.txt": "y"}) == [{"type": "text", "text": "y"}]


def test_a_value_stays_in_its_string() -> None:
    objects = '[{"type": "text", "text": "{{ note }}", "size": 3}]'
    assert messages({"body.line.json": objects}, note='"}, {"x": "\n') == [
        {"type": "text", "text": '"}, {"x": "', "size": 3}
    ]


BEYOND = [
    {"body.line.txt": "{{ nothing }}"},
    {"body.line.txt": "あ" * 5001},
    {"body.line.txt": "𠮷" * 2501},
    {"body.line.json": "[]"},
    {"body.line.json": json.dumps([{"type": "text", "text": "x"}] * 6)},
    {"body.line.json": '[{"text": "x"}]'},
    {"body.line.json": '{"type": "text"}'},
    {"body.line.json": "no json"},
    {"body.mjml": "<mjml></mjml>"},
]


@pytest.mark.parametrize("parts", BEYOND)
def test_what_line_would_refuse_is_the_templates_fault(parts: dict[str, str]) -> None:
    with pytest.raises(Unrenderable):
        messages(parts)


def test_the_longest_text_goes() -> None:
    assert len(messages({"body.line.txt": "𠮷" * 2500})[0]["text"]) == 2500


def test_months_are_tokyos() -> None:
    last = datetime(2024, 12, 31, 14, 59, 59, tzinfo=UTC)
    assert (month_of(last), next_month(last)) == ("2024-12", datetime(2024, 12, 31, 15, tzinfo=UTC))
    assert month_of(next_month(last)) == "2025-01"


def test_only_metered_providers_count_and_what_is_in_doubt_was_counted() -> None:
    assert takes(delivery(provider="line"), {"line": 3})
    assert not takes(delivery(provider="line", in_doubt=True), {"line": 3})
    assert not takes(delivery(), {"line": 3})


ANSWERS = [
    (409, "", {"x-line-accepted-request-id": "r1"}, (Result.ACCEPTED, "409", False)),
    (409, "", {}, (Result.UNKNOWN, "409", False)),
    (429, "You have reached your monthly limit.", {}, (Result.CONFIG, "429 monthly limit", False)),
    (429, "The API rate limit has been exceeded. Try again later.", {}, (Result.THROTTLED, "429", False)),
    (400, "Failed to send messages", {}, (Result.PERMANENT, "400 recipient", False)),
    (
        400,
        "The property, 'to', in the request body is invalid (line: -, column: -)",
        {},
        (Result.PERMANENT, "400 to", True),
    ),
    (413, "", {}, (Result.PERMANENT, "413", False)),
    (403, "Access to this API is not available for your account", {}, (Result.CONFIG, "403", False)),
    (302, "", {}, (Result.CONFIG, "302", False)),
    (504, "", {}, (Result.UNKNOWN, "504", False)),
]


@pytest.mark.parametrize(("status", "said", "headers", "verdict"), ANSWERS)
def test_an_answer(status: int, said: str, headers: dict[str, str], verdict: tuple[Result, str, bool]) -> None:
    found = verdict_of(httpx.Response(status, headers=headers, json={"message": said}))
    assert (found.result, found.detail, found.suppress) == verdict
    assert verdict_of(httpx.Response(status, headers=headers, content=b"<html>")).result in Result


def test_a_message_key_is_its_own_retry_key() -> None:
    key = "123e4567-e89b-12d3-a456-426614174000"
    assert retry_key(key) == key
    assert retry_key("m1") == retry_key("m1") != retry_key("m2")
