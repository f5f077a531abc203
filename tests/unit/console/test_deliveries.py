"""The page of deliveries: outcomes as the view has them, evidence, and acts that are asked about twice."""

from __future__ import annotations

from typing import Any

import pytest

from tabiji_console.domain.deliveries import lanes, newest, switch_of, wrong_with
from tests.unit.console.support import Shop, browser, send

MESSAGE: dict[str, Any] = {"message_key": "m1", "template": "f2/thanks", "channel": "email", "customer": "c1"} | {
    "state": "unknown",
    "reason": "unknown",
    "wake_at": None,
    "sent_after_exit": False,
}
TRY = {"token": 1, "provider": "smtp", "at": "2026-11-20T01:00:00Z"} | {
    "results": [{"result": "unknown", "detail": "cut after DATA", "at": "2026-11-20T01:00:05Z"}]
}
SWITCH = {"scope": "journey", "workspace": "demo", "name": "f2", "set_by": "hanako", "reason": "typo"} | {
    "at": "2026-11-20T01:00:00Z"
}


def row(outcome: str, messages: int, template: str = "f2/thanks", opened: int = 0) -> dict[str, Any]:
    rest = dict.fromkeys(("clicked", "bounced", "complained", "unsubscribed"), 0)
    named = {"provider": "smtp", "channel": "email", "template": template, "outcome": outcome}
    return {**named, "messages": messages, "opened": opened, **rest}


def shop() -> Shop:
    return Shop(
        {
            ("analytics", "/v1/views/message_outcomes"): {"rows": [row("sent", 10, opened=4)]},
            ("dispatch", "/v1/unknown"): [MESSAGE],
            ("dispatch", "/v1/deliveries/m1"): {**MESSAGE, "attempts_made": [TRY]},
            ("dispatch", "/v1/switches"): [SWITCH],
            ("dispatch", "/v1/brakes"): [],
            ("dispatch", "/v1/suppressions"): [],
            ("dispatch", "/v1/quotas"): [],
            ("dispatch_admin", "/metrics"): 'tabiji_dispatch_waiting_messages{state="held"} 7\n',
        }
    )


def test_outcomes_are_added_up_by_provider_and_template() -> None:
    first, second = lanes(
        [row("sent", 8, opened=4), row("delivered", 2), row("suppressed", 5), row("failed", 1, "cart/reminder")]
    )
    assert (first.template, first.ends["sent"], first.ends["suppressed"], first.all) == ("f2/thanks", 10, 5, 15)
    assert first.rate("opened") == 0.4
    assert (second.template, second.rate("opened")) == ("cart/reminder", None)


def test_brakes_that_hold_come_first() -> None:
    held, let_go = {"released_at": None}, {"released_at": "2026-11-20T01:00:00Z"}
    assert newest([let_go, held]) == [held, let_go]


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ({"scope": "global", "name": "x", "on": "yes"}, {"scope": "global", "on": True, "reason": ""}),
        ({"scope": "workspace", "name": "x"}, {"scope": "workspace", "workspace": "demo", "on": False, "reason": ""}),
        (
            {"scope": "journey", "name": " f2 ", "on": "yes", "reason": "typo"},
            {"scope": "journey", "workspace": "demo", "name": "f2", "on": True, "reason": "typo"},
        ),
        ({"scope": "provider", "name": "smtp"}, {"scope": "provider", "name": "smtp", "on": False, "reason": ""}),
    ],
)
def test_a_switch_is_named_by_what_its_scope_asks_for(form: dict[str, str], body: dict[str, Any]) -> None:
    assert switch_of(form, "demo") == body


def test_the_page_shows_the_queue_the_evidence_and_who_stopped_what() -> None:
    with browser(shop()) as client:
        text = client.get("/deliveries", headers={"Accept-Language": "en"}).text
    for words in ('data-live-id="queue.held">7<', "cut after DATA", "40.0%", "Stopped by hanako", "typo"):
        assert words in text


def test_a_message_is_settled_and_sending_again_is_asked_about_twice() -> None:
    desk = shop()
    with browser(desk) as client:
        answer = send(client, "/deliveries/settle", "/deliveries", key="m1", outcome="sent")
        assert (answer.status_code, answer.headers["location"]) == (303, "/deliveries?done=settled#unknown")
        assert desk.told == [("dispatch", "POST", "/v1/unknown/m1", {"outcome": "sent"})]
        first = send(client, "/deliveries/settle", "/deliveries", key="m1", outcome="resend")
        assert "2 通届きます" in first.text
        assert len(desk.told) == 1
        send(client, "/deliveries/settle", "/deliveries", key="m1", outcome="resend", sure="yes")
    assert desk.told[1:] == [("dispatch", "POST", "/v1/unknown/m1", {"outcome": "resend"})]


def test_a_kill_switch_stops_nothing_until_it_was_asked_about_twice() -> None:
    desk = shop()
    with browser(desk) as client:
        asked = send(client, "/deliveries/switch", "/deliveries", scope="workspace", on="yes", reason="typo")
        assert "本当に実行しますか" in asked.text
        assert '<input type="hidden" name="reason" value="typo">' in asked.text
        assert desk.told == []
        fields = {"scope": "workspace", "on": "yes", "reason": "typo", "sure": "yes"}
        assert send(client, "/deliveries/switch", "/deliveries", **fields).status_code == 303
    body = {"scope": "workspace", "workspace": "demo", "on": True, "reason": "typo"}
    assert desk.told == [("dispatch", "PUT", "/v1/switches", body)]


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ({"scope": "global", "on": True}, ""),
        ({"scope": "journey", "name": "", "on": True}, "name"),
        ({"scope": "journey", "name": "f22", "on": True}, "journey"),
        ({"scope": "journey", "name": "f22", "on": False}, ""),
        ({"scope": "journey", "name": "f2", "on": True}, ""),
        ({"scope": "provider", "name": "smtp", "on": True}, ""),
        ({"scope": "provider", "name": "", "on": True}, "name"),
    ],
)
def test_what_a_switch_lacks_is_named(asked: dict[str, Any], wrong: str) -> None:
    assert wrong_with(asked, {"f2"}) == wrong
    assert wrong_with(asked, ()) == wrong.replace("journey", "")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"scope": "journey", "name": " "}, "止めるジャーニーまたはプロバイダーの名前を入力してください"),
        ({"scope": "provider", "name": ""}, "止めるジャーニーまたはプロバイダーの名前を入力してください"),
        ({"scope": "journey", "name": "<f3>"}, "「&lt;f3&gt;」というジャーニーはありません"),
    ],
)
@pytest.mark.parametrize("sure", ["", "yes"])
def test_a_switch_is_named_before_anybody_is_asked_whether_it_is_meant(
    fields: dict[str, str], words: str, sure: str
) -> None:
    desk = shop()
    desk.answers["journey", "/v1/journeys"] = {"journeys": [{"journey": "f2"}]}
    with browser(desk) as client:
        answer = send(client, "/deliveries/switch", "/deliveries", **fields, on="yes", reason="typo", sure=sure)
        assert answer.status_code == 422
        assert words in answer.text
        assert 'aria-invalid="true" aria-describedby="name-wrong" autofocus' in answer.text
        assert f'value="{fields["scope"]}" selected' in answer.text
        assert 'value="typo"' in answer.text, "what was typed is lost"
        assert "本当に実行しますか" not in answer.text
        named = {**fields, "name": "f2", "on": "yes"}
        assert "本当に実行しますか" in send(client, "/deliveries/switch", "/deliveries", **named).text
        desk.away = {"journey"}
        named["name"] = "f3"
        assert "本当に実行しますか" in send(client, "/deliveries/switch", "/deliveries", **named).text
    assert desk.told == []


def test_an_address_of_blanks_is_refused_in_words() -> None:
    desk = shop()
    with browser(desk) as client:
        answer = send(client, "/deliveries/suppress", "/deliveries", channel="email", address="  ", act="add")
    assert answer.status_code == 422
    assert "宛先を入力してください" in answer.text
    assert desk.told == []


def test_a_brake_is_released_after_a_second_look() -> None:
    desk = shop()
    with browser(desk) as client:
        fields = {"kind": "repeat", "workspace": "demo", "name": "f2/thanks c1"}
        send(client, "/deliveries/brake", "/deliveries", **fields)
        assert desk.told == []
        send(client, "/deliveries/brake", "/deliveries", **fields, sure="yes")
    assert desk.told == [("dispatch", "POST", "/v1/brakes/release", fields)]


def test_an_address_is_put_on_the_list_and_taken_off() -> None:
    desk = shop()
    desk.answers["dispatch", "/v1/suppressions"] = []
    with browser(desk) as client:
        fields = {"channel": "email", "address": " a@example.com "}
        send(client, "/deliveries/suppress", "/deliveries", **fields, scope="marketing", act="add")
        gone = send(client, "/deliveries/suppress", "/deliveries", **fields, act="remove")
    body = {"workspace": "demo", "channel": "email", "address": "a@example.com"}
    assert desk.told == [
        ("dispatch", "POST", "/v1/suppressions", {**body, "scope": "marketing"}),
        ("dispatch", "DELETE", "/v1/suppressions", body),
    ]
    assert "done=notlisted" in gone.headers["location"]


def test_dispatch_away_is_said_and_the_outcomes_stay() -> None:
    desk = shop()
    desk.away = {"dispatch", "dispatch_admin"}
    with browser(desk) as client:
        answer = client.get("/deliveries", headers={"Accept-Language": "en"})
    assert answer.status_code == 200
    assert "Cannot be shown: dispatch does not answer" in answer.text
    assert "f2/thanks" in answer.text
