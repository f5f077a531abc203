"""The pages of dead letters in a real browser: a real one is found, read, replayed, and the replay is written down."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from tabiji_cli import keys
from tabiji_common.clock import LiveClock
from tabiji_common.events import Identified
from tabiji_common.kafka.client import Cluster
from tabiji_common.kafka.producer import Producer
from tabiji_common.topics import CUSTOMERS
from tests.e2e.console.browser import DESKTOP, PHONE, tab
from tests.e2e.console.conftest import Shown
from tests.e2e.console.happenings import until
from tests.e2e.console.test_journeys_and_ltv import number, table

RUN = ("6", "30")
PATH = "/v1/dead-letters"
LOOKS = [("ja", "light", DESKTOP), ("en", "dark", PHONE)]

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class Dead:
    """A record of the run's own log that journey could not read, as journey tells it."""

    customer: str
    row: dict[str, Any]

    @property
    def path(self) -> str:
        return f"/health/letters/journey/{self.row['id']}"

    @property
    def list(self) -> str:
        return f"/health/letters?service=journey&topic={self.row['topic']}"


async def _append(customers: list[str], log: Cluster) -> None:
    """Put records into the log whose type no service knows."""
    now = LiveClock().now()
    when: Any = {"occurred_at": now, "accepted_at": now}
    bodies = [Identified(workspace=keys.WORKSPACE, customer=customer) for customer in customers]
    producer = Producer(log)
    try:
        await producer.append(
            [CUSTOMERS.record(body, id=body.customer, source="shop", type="renamed", **when) for body in bodies]
        )
    finally:
        await producer.stop()


def letters(shown: Shown, service: str = "journey") -> dict[str, Any]:
    found: dict[str, Any] = shown.get(service, PATH)
    return found


@pytest.fixture(scope="module")
def dead(shown: Shown) -> Dead:
    """One of two that died together."""
    mark = secrets.token_hex(3)
    customers = [f"unread-{mark}-{n}" for n in (1, 2)]
    with ThreadPoolExecutor(1) as aside:  # the browser has a loop of its own in this thread
        aside.submit(asyncio.run, _append(customers, shown.log)).result()

    def both() -> list[dict[str, Any]]:
        found = [row for row in letters(shown)["dead_letters"] if row["customer"] in customers]
        return found if len(found) == len(customers) else []

    row = until(both)[0]
    return Dead(row["customer"], row)


def test_health_counts_them_as_the_services_do_and_leads_to_their_list(shown: Shown, browser: Any, dead: Dead) -> None:
    with tab(browser, shown.console, key=shown.key) as made:
        made.open("/health")
        rows = {(row[1], row[2], row[0]): number(row[3]) for row in table(made, "#letters")}
        groups = {
            (service, group["topic"], group["reason"]): group["records"]
            for service in ("journey", "dispatch", "analytics")
            for group in shown.get(service, f"{PATH}/groups")["groups"]
        }
        assert rows == groups
        made.page.locator("#letters tbody tr", has_text="journey").locator("a").first.click()
        made.page.wait_for_selector("#h-letters")
        told = shown.get("journey", PATH, topic=dead.row["topic"], reason=dead.row["reason"])
        assert f"全 {told['total']} 件" in made.text("main")
        listed = table(made, "main")
        assert [row[0] for row in listed] == [row["event_id"] for row in told["dead_letters"]]
        assert [row[2] for row in listed] == [row["customer"] for row in told["dead_letters"]]
        assert made.complaints == []


def test_one_is_shown_as_it_was_received(shown: Shown, browser: Any, dead: Dead) -> None:
    told = shown.get("journey", f"{PATH}/{dead.row['id']}")
    with tab(browser, shown.console, key=shown.key, lang="en", script=False) as made:
        made.open(dead.list)
        made.page.click(f'a:text-is("{dead.row["event_id"]}")')
        assert made.text("h1") == told["event_id"]
        words = made.text("main")
        assert f"partition {told['partition']}, offset {told['offset']}" in words
        assert told["reason"] in words
        assert {row[0]: row[1] for row in table(made, "section:has(#h-headers)")} == told["headers"]
        assert f'"customer": "{dead.customer}"' in made.text("pre")


@pytest.mark.parametrize(("lang", "theme", "size"), LOOKS)
def test_axe_finds_nothing_on_the_pages_of_dead_letters(
    shown: Shown, browser: Any, dead: Dead, lang: str, theme: str, size: tuple[int, int]
) -> None:
    with tab(browser, shown.console, key=shown.key, lang=lang, theme=theme, size=size) as made:
        for path in ("/health", dead.list, dead.path, "/health/audit", f"{dead.list}&reason=nothing-like-it"):
            made.open(path)
            assert made.findings() == [], path
            assert made.overflow() <= 0, path
        made.open(dead.path)
        made.page.click('form[action="/health/letters/replay"] button')
        made.page.wait_for_selector(".sure")
        assert made.findings() == []
        assert made.overflow() <= 0


def test_one_is_replayed_after_a_question_and_what_cannot_apply_stays_with_its_reason(
    shown: Shown, browser: Any, dead: Dead
) -> None:
    def now() -> dict[str, Any]:
        found: dict[str, Any] = shown.get("journey", f"{PATH}/{dead.row['id']}")
        return found

    before = now()["attempts"]
    with tab(browser, shown.console, key=shown.key) as made:
        made.open(dead.path)
        made.page.click('form[action="/health/letters/replay"] button')
        made.page.wait_for_selector(".sure")
        assert "もう一度適用します" in made.text(".sure")
        made.page.click(".sure a.button")
        made.page.wait_for_selector("#h-record")
        assert now()["attempts"] == before, "it was replayed although nobody said yes"
        made.page.click('form[action="/health/letters/replay"] button')
        made.page.click('.sure button[name="sure"]')
        made.page.wait_for_selector(".notice.good")
        assert "1 件の再投入を依頼しました" in made.text(".notice.good")
        until(lambda: now()["attempts"] == before + 1)
        assert now()["state"] == "dead", "no service reads its type: it dies again"
        made.page.click(".notice.good a")
        made.page.wait_for_selector("main table")
        written = shown.get("ingest", "/v1/audit", limit=1)[0]
        assert (written["what"], written["service"], written["status"]) == (f"POST {PATH}/replay", "journey", 202)
        newest = table(made, "main")[0]
        assert "デッドレターの再投入" in newest[0]
        assert newest[1:4] == [written["detail"], written["who"], "journey"]
        made.open(dead.path)
        assert str(before + 1) in made.text("dl div:last-child dd")
        assert made.complaints == []


def test_all_of_a_reason_are_replayed_from_their_list(shown: Shown, browser: Any, dead: Dead) -> None:
    def attempts() -> list[int]:
        return [row["attempts"] for row in letters(shown)["dead_letters"]]

    before = attempts()
    with tab(browser, shown.console, key=shown.key, lang="en", script=False) as made:
        made.open(dead.list)
        made.page.click('form[action="/health/letters/replay"] button')
        assert dead.row["topic"] in made.text(".sure")
        made.page.click('.sure button[name="sure"]')
        assert f"Asked for {len(before)}" in made.text(".notice.good")
        until(lambda: sum(attempts()) == sum(before) + len(before))
