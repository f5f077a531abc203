"""A customer's page: one line of time out of four services, and an answer to why each message went or not."""

from __future__ import annotations

from typing import Any

import pytest

from tabiji_console.domain import reasons
from tabiji_console.domain.timeline import line
from tests.unit.console.support import Shop, browser

PATH = "/v1/customers/demo/c1"
MOVE = {"seq": 1, "kind": "entered", "at": "2026-11-20T01:00:00Z", "from_state": None, "to_state": "thanks"} | {
    "cause": "entry",
    "cause_id": "e1",
    "reason": "",
    "message_key": None,
}
ENROLLMENT = {"id": "n1", "journey": "f2", "version": 1, "key": "o1", "status": "waiting", "state": "opened"} | {
    "reason": "",
    "entered_at": "2026-11-20T01:00:00Z",
    "ended_at": None,
    "holdout": True,
    "goal_at": None,
    "next_due": "2026-11-25T01:00:00Z",
    "parked": False,
    "paused": False,
    "history": [MOVE],
}
ORDER = {"order_id": "o1", "occurred_at": "2026-11-20T00:59:00Z", "amount_minor": 5400, "currency": "JPY"} | {
    "cancelled": False
}
EVENT = {"id": "e1", "type": "order_completed", "occurred_at": "2026-11-20T00:59:00Z", "order_id": "o1"}
MESSAGE = {"message_key": "m<1>", "template": "f2/thanks", "channel": "email", "state": "suppressed"} | {
    "reason": "no_consent",
    "at": "2026-11-20T02:00:00Z",
    "decided_at": "2026-11-20T01:00:00Z",
    "wake_at": None,
    "sent_after_exit": False,
}
CONTACT: dict[str, Any] = {
    "customer": "c1",
    "known": True,
    "channels": ["email"],
    "suppressed": [],
    "erased_at": None,
    "merged_into": "",
    "consents": [{"channel": "email", "given": False, "at": "2026-11-19T00:00:00Z"}],
}


def shop() -> Shop:
    return Shop(
        {
            ("journey", f"{PATH}/enrollments"): {"customer": "c1", "enrollments": [ENROLLMENT]},
            ("journey", f"{PATH}/events"): {"customer": "c1", "events": [EVENT], "forgotten": 0, "merged_into": ""},
            ("analytics", f"{PATH}/facts"): {"customer": "c1", "orders": [ORDER], "refunds": []},
            ("dispatch", "/v1/deliveries"): [MESSAGE],
            ("dispatch", f"{PATH}/contact"): CONTACT,
        }
    )


def test_the_line_holds_everything_once_and_the_newest_first() -> None:
    told = line([EVENT], {"orders": [ORDER]}, [ENROLLMENT], [MESSAGE], CONTACT)
    assert [(moment.kind, moment.name) for moment in told] == [
        ("message", "suppressed"),
        ("move", "entered"),
        ("event", "order_completed"),
        ("consent", "withdrawn"),
    ]
    assert told[2].row["amount_minor"] == 5400


def test_what_happens_in_one_instant_is_told_as_cause_and_effect() -> None:
    at = "2026-11-20T02:00:00Z"
    arm = {**MOVE, "seq": 2, "kind": "moved", "at": at, "cause": "timer", "reason": "arm a"}
    went = {**MOVE, "seq": 3, "kind": "moved", "at": at, "cause": "outcome", "reason": "sent"}
    waits = {**MOVE, "seq": 4, "kind": "moved", "at": at, "cause": "outcome", "reason": "sent"}
    arm["to_state"], message = "ask", {**MESSAGE, "enrollment": "n1", "send_state": "ask"}
    told = line([], {}, [{**ENROLLMENT, "history": [arm, went, waits]}], [message], {})
    assert [(moment.kind, moment.row["seq"]) for moment in told] == [
        ("move", 4),
        ("move", 3),
        ("message", 2),
        ("move", 2),
    ]


def test_reactions_of_the_instant_of_their_message_are_told_after_it_and_before_what_they_cause() -> None:
    at = "2026-11-20T02:00:00Z"
    asks = {**MOVE, "seq": 2, "kind": "moved", "at": at, "to_state": "ask", "cause": "timer"}
    waits = {**MOVE, "seq": 3, "kind": "moved", "at": at, "to_state": "read", "cause": "outcome"}
    moves = {**MOVE, "seq": 4, "kind": "moved", "at": at, "to_state": "next", "cause": "event"}
    mine = {**ENROLLMENT, "history": [asks, waits, moves]}
    older = {**ENROLLMENT, "id": "n0", "history": [{**MOVE, "seq": 9, "kind": "exited", "at": at, "to_state": None}]}
    message = {**MESSAGE, "enrollment": "n1", "send_state": "ask"}
    reactions = [
        {"action": action, "occurred_at": at, "message_key": key, "machine": False}
        for action, key in (("email_clicked", "m<1>"), ("email_opened", "m<1>"), ("email_opened", "long ago"))
    ]
    facts = {"orders": [{**ORDER, "occurred_at": at}], "touches": [{"occurred_at": at}], "reactions": reactions}
    contact = {**CONTACT, "consents": [{"channel": "email", "given": True, "at": at}]}
    told = line([], facts, [mine, older], [message], contact)
    assert [(one.name, one.row.get("seq", 0)) for one in told] == [
        ("moved", 4),
        ("moved", 3),
        ("email_clicked", 0),
        ("email_opened", 0),
        ("suppressed", 2),
        ("moved", 2),
        ("exited", 9),
        ("order_completed", 0),
        ("email_opened", 0),
        ("given", 0),
        ("campaign", 0),
    ]
    assert [one.row.get("template") for one in told if one.name == "email_opened"] == ["f2/thanks", None]


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("elapsed", "the wait was over"),
        ("arm a", "drawn into A"),
        ("sent", "Sent"),
        ("suppressed: no_consent", "Suppressed · No consent"),
        ("converted", "converted"),
        ("the shop's: own", "the shop's: own"),
    ],
)
def test_why_somebody_moved_on_is_said_in_words(reason: str, words: str) -> None:
    assert reasons.moved("en", reason) == words


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"state": "suppressed", "reason": "no_consent"}, "no consent for this channel"),
        ({"state": "suppressed", "reason": "cap"}, "as many messages as the cap allows"),
        ({"state": "held", "reason": "quiet", "wake_at": "2026-11-20T23:00:00Z"}, "until 11/21 08:00"),
        ({"state": "held", "reason": "brake:repeat:demo:f2/thanks c1"}, "(repeat / demo / f2/thanks c1)"),
        ({"state": "held", "reason": "switch:global"}, "kill switch is on (global)"),
        ({"state": "held", "reason": "the shop's own"}, "the shop's own"),
        ({"state": "unknown", "reason": "unknown"}, "nobody knows whether it arrived"),
        ({"state": "sent", "reason": "", "sent_after_exit": True}, "under way when the customer left"),
        ({"state": "new state", "reason": "odd"}, "odd"),
    ],
)
def test_why_is_answered_in_words(row: dict[str, Any], words: str) -> None:
    assert words in reasons.why("en", row, "Asia/Tokyo")
    assert reasons.why("ja", row, "Asia/Tokyo")


def test_the_page_shows_the_line_the_reason_and_the_holdout() -> None:
    with browser(shop()) as client:
        text = client.get("/customers?id=c1", headers={"Accept-Language": "en"}).text
    for words in (
        "Not sent: there was no consent",
        "¥5,400",
        "Holdout",
        "nothing of this journey is sent",
        "Withdrawn",
    ):
        assert words in text
    assert 'src="/deliveries/m%3C1%3E/preview"' in text


def test_states_journeys_and_templates_are_called_as_on_the_map() -> None:
    made = shop()
    opened = {"state": "opened", "kind": "wait", "wait": "event", "on": ["email_opened"], "ways": []}
    document = {"journey": "f2", "name": "F2転換", "start": "opened", "counts": [], "states": [opened]}
    made.answers["journey", "/v1/journeys/f2"] = document
    with browser(made) as client:
        for _ in range(2):
            text = client.get("/customers?id=c1").text
            assert "「開封を待つ」で待機中" in text
            assert "F2転換" in text
            assert "Thanks" in text
        assert [path for _, path, _ in made.asked].count("/v1/journeys/f2") == 1, "a version never changes"
    unknown = shop()
    with browser(unknown) as client:
        assert "「Opened」で待機中" in client.get("/customers?id=c1").text


def test_nobody_is_found_and_nothing_asked_is_said() -> None:
    nobody = Shop(
        {
            ("journey", f"{PATH}/enrollments"): {"customer": "c1", "enrollments": []},
            ("journey", f"{PATH}/events"): {"customer": "c1", "events": [], "forgotten": 0, "merged_into": ""},
            ("analytics", f"{PATH}/facts"): {"customer": "c1"},
            ("dispatch", f"{PATH}/contact"): {**CONTACT, "known": False, "consents": [], "channels": []},
            ("dispatch", "/v1/deliveries"): [],
        }
    )
    with browser(nobody) as client:
        assert "Nobody is known as “c1”" in client.get("/customers?id=c1", headers={"Accept-Language": "en"}).text
        assert "お客様を検索してください" in client.get("/customers").text


def test_a_service_that_is_away_leaves_its_part_out() -> None:
    half = shop()
    half.away = {"dispatch"}
    with browser(half) as client:
        answer = client.get("/customers?id=c1", headers={"Accept-Language": "en"})
    assert answer.status_code == 200
    assert "there is no answer from dispatch" in answer.text
    assert "¥5,400" in answer.text
    assert "Cannot be shown: dispatch does not answer." in answer.text
    assert "No consent is on record" not in answer.text, "nobody knows that"
    assert "No address is known" not in answer.text


def test_a_message_is_shown_where_nothing_of_it_can_act() -> None:
    path = "/v1/deliveries/m1/preview"
    told = {"subject": "s", "text": "<b>hello</b>", "html": "", "problem": "", "frozen": False}
    with browser(Shop({("dispatch", path): told})) as client:
        answer = client.get("/deliveries/m1/preview")
        assert "&lt;b&gt;hello" in answer.text
        policy = answer.headers["Content-Security-Policy"]
        assert "sandbox" in policy
        assert "script-src" not in policy
        assert "default-src 'none'" in policy
        assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
