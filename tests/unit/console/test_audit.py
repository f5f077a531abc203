"""The audit: acts by name with who did them, page by page, and a way there from whatever was done."""

from __future__ import annotations

from typing import Any

import pytest

from tabiji_console.domain.audit import act
from tests.unit.console.support import Shop, browser, send
from tests.unit.console.test_deliveries import shop

EN = {"Accept-Language": "en"}


def row(n: int, status: int | None = 200, what: str = "PUT /v1/switches") -> dict[str, Any]:
    named = {"service": "dispatch", "what": what, "detail": "journey demo <f2> on", "who": "hanako"}
    return {"id": n, "at": "2026-11-20T01:00:00Z", "status": status, **named}


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("PUT /v1/switches", "switch"),
        ("POST /v1/unknown/m1", "settle"),
        ("POST /v1/suppressions", "suppress"),
        ("DELETE /v1/suppressions", "unsuppress"),
        ("POST /v1/dead-letters/replay", "replay"),
        ("POST /v1/customers/demo/c/7/unpark", "unpark"),
        ("POST /v1/journeys", "publish"),
        ("POST /v1/journeys/f2/pause", "pause"),
        ("POST /clock/accept", "restore"),
        ("POST /v1/customers/demo/c/7/exit", "command"),
        ("PUT /v1/clusters/MkU3OEVBNTcwNTJENDM2Qg", "cluster"),
        ("POST /v1/keys/k1/rotate", "keys"),
        ("create key hanako (admin)", "keys"),
        ("rotate write key k1", "keys"),
        ("revoke key hanako", "keys"),
        ("POST /v1/novelty", ""),
    ],
)
def test_an_act_has_a_name(what: str, name: str) -> None:
    assert act(what) == name


def test_acts_are_listed_with_who_did_them_and_how_they_ended() -> None:
    acts = [row(9), row(8, 422), row(7, None, "POST /v1/novelty")]
    with browser(Shop({("ingest", "/v1/audit"): acts})) as client:
        text = client.get("/health/audit", headers=EN).text
    for words in (
        "Kill switch",
        "hanako",
        "journey demo &lt;f2&gt; on",
        "Refused (422)",
        "No end on record",
        "novelty",
    ):
        assert words in text
    assert "before=" not in text


def test_more_than_a_page_leads_to_the_older_ones_and_none_is_said() -> None:
    asked: list[Any] = []

    def told(query: dict[str, Any]) -> list[dict[str, Any]]:
        asked.append(query["before"])
        return [row(n) for n in range(99, 49, -1)] if query["before"] is None else []

    with browser(Shop({("ingest", "/v1/audit"): told})) as client:
        assert "/health/audit?before=50" in client.get("/health/audit").text
        assert "操作の記録はまだありません" in client.get("/health/audit?before=50").text
    assert asked == [None, 50]


def test_what_was_done_leads_to_where_it_is_written_down() -> None:
    with browser(shop()) as client:
        answer = send(client, "/deliveries/switch", "/deliveries", scope="workspace", on="yes", sure="yes")
        assert 'href="/health/audit"' in client.get(answer.headers["location"]).text
        assert 'href="/health/audit"' not in client.get("/deliveries").text
