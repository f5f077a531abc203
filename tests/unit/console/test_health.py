"""The page of health: each service as its admin port tells it, and people who stand still."""

from __future__ import annotations

from typing import Any

import pytest

from tabiji_console.domain.gauges import read_gauges
from tabiji_console.domain.health import standing, state
from tests.unit.console.support import Shop, browser, send

IDLE: dict[str, Any] = {"now": "2026-11-24T06:12:40Z", "owned": [0, 1], "partitions": 2, "lag": 0, "due": 1} | {
    "unpublished": 0,
    "next_due": None,
    "version": "0.1.0+4f2c1e9",
}
READY = {"status": "ready", "durability": "single-broker"}
PARKED = {"workspace": "demo", "customer": "c/7", "since": "2026-11-24T01:00:00Z", "error": "KeyError: x", "records": 4}
NONE = read_gauges("")


@pytest.mark.parametrize(
    ("idle", "ready", "why", "metrics", "mood"),
    [
        (IDLE, READY, "", "", "good"),
        (IDLE | {"lag": 5000}, READY, "", "", "warn"),
        (IDLE | {"owned": [0]}, READY, "", "", "warn"),
        (IDLE, None, "", "", "warn"),
        (IDLE, READY, "timeline", "", "bad"),
        (IDLE, READY, "", "tabiji_runtime_clock_leapt 1\n", "bad"),
        (None, None, "", "", "away"),
    ],
)
def test_a_services_mood(idle: Any, ready: Any, why: str, metrics: str, mood: str) -> None:
    assert state("journey", idle, ready, {"why": why}, read_gauges(metrics)).mood == mood


def test_who_stands_still_is_of_this_shop() -> None:
    rows = [{"workspace": ws, "stuck": 1, "overdue": 2, "paused": 3, "parked": 4} for ws in ("demo", "demo", "other")]
    assert standing({"journeys": rows}, "demo") == {"stuck": 2, "overdue": 4, "paused": 6, "parked": 8}


def shop() -> Shop:
    answers: dict[tuple[str, str], Any] = {("dispatch", "/v1/restore"): {"restore": False, "why": ""}}
    for name in ("ingest", "journey", "dispatch", "analytics"):
        answers[f"{name}_admin", "/idle"] = IDLE
        answers[f"{name}_admin", "/readyz"] = READY
        answers[f"{name}_admin", "/restore"] = {"why": ""}
        answers[f"{name}_admin", "/metrics"] = ""
        answers[name, "/v1/dead-letters/groups"] = {"groups": []}
        answers[name, "/v1/parked"] = {"parked": [PARKED] if name == "journey" else []}
    answers["journey_admin", "/metrics"] = "tabiji_runtime_rejected_total 3\n"
    answers["ingest_admin", "/metrics"] = "tabiji_ingest_events_accepted_total 1234\n"
    return Shop(answers)


def test_the_page_shows_every_service_and_who_is_parked() -> None:
    with browser(shop()) as client:
        text = client.get("/health", headers={"Accept-Language": "en"}).text
    for words in (
        'data-live-id="journey.rejected">3<',
        "2 / 2",
        "Single broker",
        "KeyError: x",
        "0.1.0+4f2c1e9",
    ):
        assert words in text
    assert 'data-live-id="ingest.accepted">1,234<' in text


def test_a_service_that_is_away_is_a_state_of_its_own() -> None:
    half = shop()
    half.away = {"analytics_admin", "analytics"}
    with browser(half) as client:
        answer = client.get("/health", headers={"Accept-Language": "en"})
    assert answer.status_code == 200
    assert "No answer" in answer.text
    assert "No answer from analytics" in answer.text


def test_a_parked_customer_goes_on_when_asked_for() -> None:
    desk = shop()
    with browser(desk) as client:
        send(client, "/health/unpark", "/health", service="journey", workspace="demo", customer="c/7")
        send(client, "/health/unpark", "/health", service="ingest", workspace="demo", customer="c/7")
    assert desk.told == [("journey", "POST", "/v1/customers/demo/c%2F7/unpark", {})]


def test_a_restored_database_is_taken_as_it_is_after_a_second_look() -> None:
    desk = shop()
    desk.answers["dispatch", "/v1/restore"] = {"restore": True, "why": "timeline"}
    desk.answers["journey_admin", "/restore"] = {"why": "clone"}
    with browser(desk) as client:
        text = client.get("/health", headers={"Accept-Language": "en"}).text
        assert "Every send is held: the database was restored or cloned (timeline)." in text
        assert "(clone)" in text
        send(client, "/health/release", "/health", what="sends", service="dispatch")
        assert desk.told == []
        send(client, "/health/release", "/health", what="sends", service="dispatch", sure="yes")
        send(client, "/health/release", "/health", what="restore", service="journey", sure="yes")
    assert desk.told == [
        ("dispatch", "POST", "/v1/restore/release", {}),
        ("journey_admin", "POST", "/restore/release", {}),
    ]
