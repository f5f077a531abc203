"""Dead letters: counted on the page of health, read one by one, and replayed after a second look."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.console.support import Shop, browser, send
from tests.unit.console.test_health import shop

EN = {"Accept-Language": "en"}
PATH = "/v1/dead-letters"
TOPIC, REASON = "events.purchase.v1", "value: Expected `str` <b>"
GROUP = {"topic": TOPIC, "reason": REASON, "records": 1234}
GROUP |= {"first": "2026-11-24T01:00:00Z", "last": "2026-11-24T02:00:00Z"}
LETTER: dict[str, Any] = {
    "id": "l-1",
    "topic": TOPIC,
    "type": "order_completed",
    "customer": "c/7",
    "event_id": "e/1",
    "reason": REASON,
    "died_at": "2026-11-24T01:00:00Z",
    "state": "dead",
    "attempts": 0,
    "refused": "",
}
SHOWN = {**LETTER, "partition": 3, "offset": 17, "headers": {"ce_id": "e/1"}, "text": '{"a":1}', "body": {"a": 1}}
HERE = f"/health/letters?service=journey&topic={TOPIC}"


def desk() -> Shop:
    made = shop()
    for service in ("journey", "dispatch", "analytics"):
        made.answers[service, f"{PATH}/groups"] = {"groups": [GROUP] if service == "journey" else []}
    made.answers["journey", PATH] = {"dead_letters": [LETTER], "total": 1234, "next": "l-1"}
    made.answers["journey", f"{PATH}/l-1"] = SHOWN
    made.answers["journey", f"{PATH}/replay"] = {"asked": ["l-1"], "done": {}, "refused": [{}, {}], "left": 9}
    return made


def test_the_page_of_health_counts_them_by_service_topic_and_reason() -> None:
    with browser(desk()) as client:
        text = client.get("/health", headers=EN).text
    for words in (TOPIC, "value: Expected `str` &lt;b&gt;", "1,234", "/health/letters?service=journey&amp;topic="):
        assert words in text
    empty = desk()
    empty.answers["journey", f"{PATH}/groups"] = {"groups": []}
    with browser(empty) as client:
        assert "デッドレターはありません" in client.get("/health").text
    empty.away = {"analytics"}
    with browser(empty) as client:
        text = client.get("/health", headers=EN).text
    assert "No dead letters" not in text
    assert "No answer from analytics" in text


def test_those_of_a_reason_are_listed_with_a_way_to_each_and_to_the_older_ones() -> None:
    with browser(desk()) as client:
        text = client.get(HERE, headers=EN).text
    for words in ("/health/letters/journey/l-1", "/customers?id=c/7", "Replay 1,234…", "after=l-1", "1,234 in all"):
        assert words in text


@pytest.mark.parametrize(
    ("change", "there", "gone"),
    [
        ({}, ["Not applied", "partition 3, offset 17", "&#34;a&#34;: 1", "Replay…"], ["Cannot be replayed"]),
        ({"refused": "its key is broken"}, ["Cannot be replayed: its key is broken"], ["Replay…"]),
        ({"state": "repeat", "attempts": 1}, ["Had been applied"], ["Replay…"]),
        ({"body": None, "text": "no {json"}, ["no {json"], []),
    ],
)
def test_one_is_shown_as_it_was_received(change: dict[str, Any], there: list[str], gone: list[str]) -> None:
    made = desk()
    made.answers["journey", f"{PATH}/l-1"] = SHOWN | change
    with browser(made) as client:
        text = client.get("/health/letters/journey/l-1", headers=EN).text
    assert [words for words in there if words not in text] == []
    assert [words for words in gone if words in text] == []


def test_a_replay_is_asked_about_first_and_says_what_it_came_to() -> None:
    made, chosen = desk(), {"service": "journey", "topic": TOPIC, "reason": REASON}
    with browser(made) as client:
        sure = send(client, "/health/letters/replay", HERE, **chosen).text
        assert "受け取ったままのレコードを" in sure
        assert "value: Expected `str` &lt;b&gt;" in sure
        assert made.told == []
        answer = send(client, "/health/letters/replay", HERE, **chosen, sure="yes")
        assert made.told.pop() == ("journey", "POST", f"{PATH}/replay", {"topic": TOPIC, "reason": REASON})
        text = client.get(answer.headers["location"], headers=EN).text
        assert "Asked for 1: it shows in a moment." in text
        assert "2 cannot be replayed. 9 are left: press once more." in " ".join(text.split())
        answer = send(client, "/health/letters/replay", HERE, **chosen, id="l-1", sure="yes")
        assert made.told.pop() == ("journey", "POST", f"{PATH}/replay", {"ids": ["l-1"]})
        assert answer.headers["location"].startswith("/health/letters/journey/l-1?asked=1")
        send(client, "/health/letters/replay", HERE, service="journey", sure="yes")
        assert made.told.pop() == ("journey", "POST", f"{PATH}/replay", {"all": True})


def test_a_forged_replay_and_one_of_no_such_service_are_refused() -> None:
    made = desk()
    with browser(made) as client:
        assert client.post("/health/letters/replay", data={"service": "journey", "sure": "yes"}).status_code == 403
        assert send(client, "/health/letters/replay", HERE, service="ingest", sure="yes").status_code == 404
        assert client.get("/health/letters?service=ingest_admin").status_code == 404
    assert made.told == []
