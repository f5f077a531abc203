"""The first page: a day's figures, the promises with their proof, and what is shown where a service is away."""

from __future__ import annotations

import re

from tabiji_console.api.today import LOOK_BACK
from tabiji_console.domain import today
from tabiji_console.domain.gauges import read_gauges
from tests.unit.console.support import Shop, browser, send

DRIFT = 'tabiji_analytics_drift_cells{view="a"} %d\ntabiji_analytics_checked_cells{view="a"} 7\n'


def said(state: str, reason: str, messages: int) -> dict[str, object]:
    return {"state": state, "reason": reason, "messages": messages}


DAY = {
    "day": "2026-11-24",
    "now": "2026-11-24T06:12:40Z",
    "doubled": 0,
    "reactions": [{"action": "email_opened", "reactions": 21}, {"action": "survey_answered", "reactions": 1}],
    "orders": [
        {
            "currency": "JPY",
            "orders": 12,
            "sales_minor": 30000,
            "new_customers": 2,
            "existing_customers": 9,
            "new_sales_minor": 7000,
            "existing_sales_minor": 23000,
        }
    ],
    "messages": [
        said("sent", "", 40),
        said("delivered", "", 2),
        said("suppressed", "cap", 3),
        said("unknown", "unknown", 1),
        said("suppressed", "switch:global", 1),
        said("suppressed", "switch:journey:demo:f2", 4),
    ],
    "moves": [{"journey": "f2", "what": "entered", "enrollments": 5}],
}
STANDING = {
    "lost": 0,
    "journeys": [
        {"workspace": "demo", "journey": "f2", "waiting": 3},
        {"workspace": "demo", "journey": "cart", "waiting": 8},
        {"workspace": "other", "journey": "f2", "waiting": 99},
    ],
}


def test_messages_are_added_up_by_state_and_by_kind_of_reason() -> None:
    told = today.messages(DAY["messages"])  # type: ignore[arg-type]
    assert told.by_state == {"sent": 42, "suppressed": 8, "unknown": 1, "failed": 0}
    assert list(told.reasons) == [("suppressed", "switch", 5), ("suppressed", "cap", 3), ("unknown", "unknown", 1)]


def test_promises_are_kept_when_every_figure_that_is_known_is_nothing() -> None:
    kept = today.promises(STANDING, read_gauges(DRIFT % 0), DAY)
    assert (kept.lost, kept.drift, kept.cells, kept.doubled, kept.sent, kept.kept) == (0, 0, 7, 0, 42, True)
    assert not today.promises(STANDING, read_gauges(DRIFT % 1), DAY).kept
    assert not today.promises({**STANDING, "lost": 1}, None, DAY).kept
    unknown = today.promises(None, read_gauges(""), None)
    assert (unknown.lost, unknown.drift, unknown.doubled) == (None, None, None)


def test_who_waits_is_of_this_shop_and_most_first() -> None:
    assert today.waiting(STANDING, "demo") == [("cart", 8), ("f2", 3)]


def live(text: str) -> dict[str, str]:
    return dict(re.findall(r'data-live-id="([^"]+)">([^<]*)<', text))


def shop() -> Shop:
    return Shop(
        {
            ("analytics", "/v1/day"): DAY,
            ("journey", "/v1/conservation"): {"lost": 0, "journeys": []},
            ("analytics_admin", "/metrics"): DRIFT % 0,
            ("dispatch_admin", "/metrics"): 'tabiji_dispatch_waiting_messages{state="held"} 3\n',
        }
    )


def test_the_page_shows_the_day_as_the_services_tell_it() -> None:
    with browser(shop()) as client:
        text = client.get("/").text
    shown = live(text)
    assert (shown["JPY.sales_minor"], shown["JPY.new_sales_minor"]) == ("¥30,000", "¥7,000")
    assert (shown["state.sent"], shown["state.suppressed"], shown["why.suppressed.cap"]) == ("42", "8", "3")
    assert (shown["lost"], shown["drift"], shown["doubled"], shown["ahead.held"]) == ("0", "0", "0", "3")
    assert (shown["reaction.email_opened"], shown["reaction.email_clicked"]) == ("21", "0")
    assert "すべて守られています" in text
    assert 'href="/promises#drift"' in text


def test_a_service_that_is_away_takes_its_panels_and_no_more() -> None:
    closed = shop()
    closed.away = {"analytics", "analytics_admin"}
    with browser(closed) as client:
        answer = client.get("/", headers={"Accept-Language": "en"})
    assert answer.status_code == 200
    assert "Cannot be shown: analytics does not answer." in answer.text
    assert live(answer.text)["lost"] == "0"
    assert live(answer.text)["drift"] == "–"
    assert "All kept" not in answer.text, "two of three are not known"
    assert "Not all known" in answer.text


def test_a_day_without_anything_is_said_and_not_blank() -> None:
    with browser(Shop()) as client:
        text = client.get("/", headers={"Accept-Language": "en"}).text
    for words in ("No orders yet today", "No messages yet today", "Nobody is waiting", "not compared yet"):
        assert words in text


def test_views_are_compared_when_asked_for_and_the_proof_names_each() -> None:
    told = shop()
    told.answers["analytics", "/v1/drift"] = {"drift": 0}
    with browser(told) as client:
        page = client.get("/promises").text
        assert '<th scope="row" class="code">a</th>' in page
        answer = send(client, "/promises/drift", "/promises")
    assert (answer.status_code, answer.headers["location"]) == (303, "/promises#drift")
    assert ("analytics", "/v1/drift", "") in told.asked


def test_a_quiet_day_leads_to_the_last_one_with_something() -> None:
    made, asked = shop(), []

    def told(query: dict[str, str | None]) -> dict[str, object]:
        asked.append(query["day"])
        quiet: dict[str, object] = {"orders": [], "messages": [], "moves": [], "reactions": []}
        day = {**DAY, "day": query["day"] or "2026-11-24"}
        return day if query["day"] == "2026-11-21" else day | quiet

    made.answers["analytics", "/v1/day"] = told
    with browser(made) as client:
        text = client.get("/").text
        assert "最後に動きがあったのは 2026/11/21 です" in text
        assert 'href="/?day=2026-11-21"' in text
        assert asked == [None, "2026-11-23", "2026-11-22", "2026-11-21"]
        past = client.get("/?day=2026-11-21").text
        assert live(past)["JPY.sales_minor"] == "¥30,000"
        assert "data-stream" not in past, "a day that is over does not go on"
        assert "この日に送った" in past
        empty = client.get("/?day=2026-11-20").text
        assert "この日の注文はありません" in empty
        assert "最後に動きがあった" not in empty
        assert client.get("/?day=soon").status_code == 422


def test_a_shop_without_a_past_is_not_asked_for_ever() -> None:
    made, asked = shop(), []

    def told(query: dict[str, str | None]) -> dict[str, object]:
        asked.append(query["day"])
        return {**DAY, "orders": [], "messages": [], "moves": [], "reactions": []}

    made.answers["analytics", "/v1/day"] = told
    with browser(made) as client:
        assert "最後に動きがあった" not in client.get("/").text
    assert len(asked) == 1 + LOOK_BACK
