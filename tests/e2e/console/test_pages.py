"""Today, a customer, deliveries and health in a real browser: figures are the APIs', forms do what they say.

Things go on happening after the run: some mails end at a server that takes them and cuts the connection before its
answer, so that nobody knows whether they arrived.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from tabiji_console.domain.road import road
from tabiji_console.domain.signs import state_in
from tests.e2e.console.browser import DESKTOP, PHONE, tab
from tests.e2e.console.conftest import Shown
from tests.e2e.console.happenings import fresh, in_journey, joins, live, messages, part, rest, until
from tests.e2e.console.test_journeys_and_ltv import number, table

RUN = ("14", "60")
ZONE = "Asia/Tokyo"

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def parted(shown: Shown) -> list[dict[str, Any]]:
    """Messages that nobody knows the end of, at least three."""
    part(shown, 3)
    found: list[dict[str, Any]] = shown.get("dispatch", "/v1/unknown", workspace="demo")
    return found


def test_today_shows_the_day_as_the_services_tell_it_and_goes_on_without_a_reload(
    shown: Shown, browser: Any, parted: list[dict[str, Any]]
) -> None:
    day = shown.get("analytics", "/v1/day", workspace="demo", tz=ZONE)
    standing = shown.get("journey", "/v1/conservation")
    with tab(browser, shown.console, key=shown.key) as made:
        made.open("/")
        told = live(made)
        dollars = next(row for row in day["orders"] if row["currency"] == "USD")
        assert told["USD.sales_minor"] == f"${dollars['sales_minor'] / 100:,.2f}"
        assert number(told["USD.orders"]) == dollars["orders"]
        for state in ("suppressed", "unknown", "failed"):
            count = sum(row["messages"] for row in day["messages"] if row["state"] == state)
            assert number(told[f"state.{state}"]) == count, state
        assert number(told["entered"]) == sum(r["enrollments"] for r in day["moves"] if r["what"] == "entered")
        reactions = {row["action"]: row["reactions"] for row in day["reactions"]}
        assert number(told["reaction.email_opened"]) == reactions.get("email_opened", 0)
        waits = {row["journey"]: row["waiting"] for row in standing["journeys"] if row["waiting"]}
        assert {name: number(told[f"waiting.{name}"]) for name in waits} == waits
        assert (told["lost"], told["doubled"]) == ("0", "0")
        assert standing["lost"] == day["doubled"] == 0
        made.page.wait_for_selector('.live[data-live="on"]')
        made.page.evaluate("window.stayed = true")
        [later] = fresh("later", 1)
        shown.happens(*joins(later, f"{later}@example.com"))
        orders = f"{dollars['orders'] + 1:,}"
        made.page.wait_for_selector(f'[data-live-id="USD.orders"]:text-is("{orders}")')
        assert made.page.evaluate("window.stayed") is True
        made.page.locator('a[href="/promises#lost"]').click()
        rows = {row[0].split(" ")[0]: row for row in table(made, "#lost")}
        for one in standing["journeys"]:
            assert number(rows[one["journey"]][-1]) == one["balance"] == 0
        assert made.complaints == []


def test_a_customer_is_one_line_of_time_with_the_reason_of_every_step(shown: Shown, browser: Any) -> None:
    name = in_journey(shown, "hanako")[0]
    path = f"/v1/customers/demo/{name}"
    enrollments = shown.get("journey", f"{path}/enrollments")["enrollments"]
    [message] = messages(shown, name)
    with tab(browser, shown.console, key=shown.key) as made:
        made.open("/customers")
        made.page.fill("#id", name)
        made.page.keyboard.press("Enter")
        made.page.wait_for_selector("#line-list")
        assert made.text("h1") == name
        assert made.page.locator(".line-one.move").count() == sum(len(one["history"]) for one in enrollments)
        moves = made.page.locator(".line-one.move")
        assert all("による" in text for text in moves.all_text_contents()), "a move without its cause"
        assert made.page.locator(".line-one.event").count() == 1
        assert made.page.locator(".line-one.consent").count() == 1
        [sent] = made.page.locator(".line-one.message").all()
        assert message["template"] in str(sent.text_content())
        assert "プロバイダーが受け取りました" in str(sent.locator(".line-why").text_content())
        sent.locator("summary").click()
        frame = made.page.frame_locator(".line-one.message iframe")
        assert "はじめてのご注文、スタッフ一同うれしく拝見しました" in str(frame.locator("body").text_content())
        signed = [str(link.get_attribute("href")) for link in frame.locator("a[href]").all()]
        assert signed
        assert set(signed) == {"#"}, "a link that acts in the customer's name"
        for one in enrollments:
            told = shown.get("journey", f"/v1/journeys/{one['journey']}", version=one["version"])
            state = state_in(road(told, one["version"], (), (), ()), one["state"], "ja")
            assert f"「{state}」で待機中" in made.text(".standing")
        assert "同意あり" in made.text("#h-consent >> xpath=../..")
        assert made.complaints == []


def test_why_nothing_was_sent_is_said_and_a_list_of_who_waits_leads_to_the_customer(shown: Shown, browser: Any) -> None:
    names = fresh("quiet", 6)
    shown.happens(*(event for name in names for event in joins(name, f"{name}@example.com", consent=False)))
    rest(shown)
    with tab(browser, shown.console, key=shown.key, lang="en", script=False) as made:
        for name in names:
            made.open(f"/customers?id={name}")
            [message] = messages(shown, name) or [{"reason": "holdout"}]
            why = {"holdout": "nothing of this journey is sent", "no_consent": "there was no consent"}
            assert why.get(message["reason"], "the provider took it") in made.text("main"), message
        told = shown.get("journey", "/v1/journeys/f2-conversion")
        waits = {row["state"]: row["enrollments"] for row in told["counts"] if row["status"] == "waiting"}
        made.open(f"/journeys/f2-conversion?state={max(waits, key=lambda state: waits[state])}")
        link = made.page.locator(".who-name a").first
        name = str(link.text_content())
        link.click()
        assert made.text("h1") == name
        made.open("/customers?id=nobody-at-all")
        assert "Nobody is known as “nobody-at-all”" in made.text("main")


def test_deliveries_shows_queue_and_outcomes_as_the_services_tell_them(
    shown: Shown, browser: Any, parted: list[dict[str, Any]]
) -> None:
    queue = shown.gauges("dispatch").by("tabiji_dispatch_waiting_messages", "state")
    rows = shown.get("analytics", "/v1/views/message_outcomes")["rows"]
    with tab(browser, shown.console, key=shown.key) as made:
        made.open("/deliveries")
        told = live(made)
        for state in ("queued", "held", "sending"):
            assert number(told[f"queue.{state}"]) == queue.get(state, 0)
        lanes = {
            (row[0], row[1]): [number(text) for text in row[2:6]] for row in table(made, ".stacked:has(#h-outcomes)")
        }
        for (template, provider), shows in lanes.items():
            if provider != "–":
                mine = [row for row in rows if (row["template"], row["provider"]) == (template, provider)]
                ends = [("sent", "delivered"), ("suppressed",), ("failed",), ("unknown",)]
                assert shows == [sum(r["messages"] for r in mine if r["outcome"] in end) for end in ends]
        assert sum(map(sum, lanes.values())) == sum(row["messages"] for row in rows)
        assert made.page.locator("#unknown .case").count() == min(len(parted), 20)
        assert made.complaints == []


def test_an_unknown_message_is_settled_with_its_evidence_by_page_and_by_command(
    shown: Shown, browser: Any, parted: list[dict[str, Any]]
) -> None:
    first, second, third = (one["message_key"] for one in parted[:3])

    def state(key: str) -> str:
        return str(shown.get("dispatch", f"/v1/deliveries/{key}")["state"])

    with tab(browser, shown.console, key=shown.key) as made:
        made.open("/deliveries")
        case = made.page.locator(f'.case:has-text("{first}")')
        assert case.locator("button").count() == 3
        case.locator("summary").click()
        assert "unknown" in str(case.locator(".evidence").text_content())
        case.locator('button[value="sent"]').click()
        made.page.wait_for_selector(".notice.good")
        until(lambda: state(first) == "sent")
        made.open(f"/customers?id={parted[0]['customer']}")
        assert "担当者が「届いた」と判断しました" in made.text("#line")

        said = " ".join(shown.tabiji("unknown", "list").split())
        assert second[:8] in said
        shown.tabiji("unknown", "settle", second, "failed")
        until(lambda: state(second) == "failed")

        made.open("/deliveries")
        case = made.page.locator(f'.case:has-text("{third}")')
        case.locator('button[value="resend"]').click()
        assert "2 通届きます" in made.text(".sure")
        assert len(shown.get("dispatch", f"/v1/deliveries/{third}")["attempts_made"]) == 1
        made.page.locator('button[name="sure"]').click()
        made.page.wait_for_selector(".notice.good")
        until(lambda: len(shown.get("dispatch", f"/v1/deliveries/{third}")["attempts_made"]) == 2)
        until(lambda: state(third) == "unknown")
        assert made.complaints == []


def test_an_address_goes_on_the_suppression_list_and_off_it(shown: Shown, browser: Any) -> None:
    with tab(browser, shown.console, key=shown.key, script=False) as made:
        made.open("/deliveries")
        made.page.fill("#address", "leave-me@example.com")
        made.page.click('button[name="act"][value="add"]')
        [listed] = shown.get("dispatch", "/v1/suppressions", workspace="demo")
        assert made.text("#suppression tbody th") == f"{listed['hash'][:12]}…"
        assert "leave-me" not in made.text("main")
        made.page.fill("#address", "leave-me@example.com")
        made.page.click('button[name="act"][value="remove"]')
        assert made.page.locator(".notice.good").count() == 1
        assert shown.get("dispatch", "/v1/suppressions", workspace="demo") == []


def test_the_kill_switch_asks_twice_is_written_down_and_holds_what_would_go(shown: Shown, browser: Any) -> None:
    def switches() -> Any:
        return shown.get("dispatch", "/v1/switches")

    with tab(browser, shown.console, key=shown.key) as made:
        made.open("/deliveries")
        made.page.fill("#reason", "誤配信の疑い")
        made.page.locator("#switches button", has_text="停止する").click()
        made.page.wait_for_selector(".sure")
        assert switches() == []
        assert made.findings() == []
        made.page.locator('button[name="sure"]').click()
        made.page.wait_for_selector(".notice.good")
        [on] = switches()
        assert (on["scope"], on["workspace"], on["reason"]) == ("workspace", "demo", "誤配信の疑い")
        written = shown.get("ingest", "/v1/audit")[0]
        assert (written["who"], written["status"]) == (on["set_by"], 200)
        assert "switches" in written["what"]
        names = fresh("held", 4)
        shown.happens(*(event for name in names for event in joins(name, f"{name}@example.com")))
        rest(shown)
        held = [one for name in names for one in messages(shown, name) if one["state"] == "held"]
        made.open(f"/customers?id={held[0]['customer']}")
        assert "緊急停止スイッチ" in made.text("#line")
        made.open("/deliveries")
        made.page.locator("#switches button", has_text="解除する").click()
        made.page.wait_for_selector(".sure")
        assert len(switches()) == 1
        made.page.locator('button[name="sure"]').click()
        made.page.wait_for_selector(".notice.good")
        assert switches() == []
        until(lambda: messages(shown, held[0]["customer"])[0]["state"] == "sent")


def test_health_shows_every_service_as_its_admin_port_tells_it(shown: Shown, browser: Any) -> None:
    with tab(browser, shown.console, key=shown.key) as made:
        made.open("/health")
        told = live(made)
        for service in ("ingest", "journey", "dispatch", "analytics"):
            idle = shown.idle(service)
            words = made.text(f"section[aria-labelledby=h-{service}]")
            assert "正常" in words, words
            assert idle["version"] in words
            if service != "ingest":
                assert f"{len(idle['owned'])} / {idle['partitions']}" in words
                assert number(told[f"{service}.due"]) == idle["due"]
                assert number(told[f"{service}.rejected"]) == 0
        accepted = shown.gauges("ingest").total("tabiji_ingest_events_accepted_total")
        assert number(told["ingest.accepted"]) == accepted
        assert made.complaints == []


def test_two_open_pages_share_one_poll(shown: Shown, browser: Any) -> None:
    def polls() -> float:
        return shown.gauges("console").total("tabiji_console_live_polls_total") or 0

    def streams() -> float:
        return shown.gauges("console").total("tabiji_console_live_streams") or 0

    count = """() => { window.told = 0
        for (const kind of ['message', 'stale']) stream.addEventListener(kind, () => window.told++) }"""
    with tab(browser, shown.console, key=shown.key) as one, tab(browser, shown.console, key=shown.key) as other:
        for made in (one, other):
            made.open("/health")
            made.page.wait_for_selector("[data-stream]")
        until(lambda: streams() == 2)
        before = polls()
        for made in (one, other):
            made.page.evaluate(count)
        until(lambda: all(made.page.evaluate("window.told") >= 4 for made in (one, other)))
        told = sum(made.page.evaluate("window.told") for made in (one, other))
        assert polls() - before < told, "each page asks for itself"
    until(lambda: streams() == 0)

    def at_rest() -> bool:
        """A poll that had begun may still end."""
        before = polls()
        time.sleep(3)
        return polls() == before

    assert until(at_rest), "somebody asks although nobody looks"


@pytest.mark.parametrize(("lang", "theme", "size"), [("ja", "light", DESKTOP), ("en", "dark", PHONE)])
def test_axe_finds_nothing_where_people_are_shown(
    shown: Shown, browser: Any, parted: list[dict[str, Any]], lang: str, theme: str, size: tuple[int, int]
) -> None:
    with tab(browser, shown.console, key=shown.key, lang=lang, theme=theme, size=size) as made:
        for path in (f"/customers?id={parted[0]['customer']}", "/deliveries", "/", "/health"):
            made.open(path)
            assert made.findings() == [], path
            assert made.overflow() <= 0, path
