"""The pages of journeys and of LTV in a real browser, after a simulated run: their figures are the APIs'."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from tests.e2e.console.browser import DESKTOP, LOOKS, PHONE, tab
from tests.e2e.console.conftest import Shown

PAGES = (
    *("/", "/promises", "/customers", "/deliveries", "/health", "/login"),
    *("/journeys", "/journeys/f2-conversion?state=opened", "/journeys/abandoned-cart", "/ltv"),
)

pytestmark = pytest.mark.timeout(600)


def number(text: str) -> int:
    return 0 if text == "–" else int(text.replace(",", ""))


def table(made: Any, section: str) -> list[list[str]]:
    rows = made.page.locator(f"{section} tbody tr")
    return [
        [str(text).strip() for text in rows.nth(n).locator("th, td").all_inner_texts()] for n in range(rows.count())
    ]


def test_the_list_of_journeys_tells_what_the_services_tell(shown: Shown, browser: Any) -> None:
    standing = {row["journey"]: row for row in shown.get("journey", "/v1/conservation")["journeys"]}
    names = {row["name"]: row["journey"] for row in shown.get("journey", "/v1/journeys")["journeys"]}
    with tab(browser, shown.console, key=shown.key) as made:
        made.open("/journeys")
        rows = {row[0].splitlines()[0].split(" ")[0]: row for row in table(made, ".panel")}
        for name, journey in names.items():
            found = [number(text) for text in rows[name][1:5]]
            told = standing[journey]
            assert found == [told["entered"], told["waiting"], told["finished"], sum(told["exited"].values())]
        assert made.complaints == []


def test_a_map_has_every_state_with_its_people_and_a_state_opens_without_a_reload(shown: Shown, browser: Any) -> None:
    told = shown.get("journey", "/v1/journeys/f2-conversion")
    waiting = {c["state"]: c["enrollments"] for c in told["counts"] if c["status"] == "waiting"}
    assert waiting, "nobody waits: the run is too short to show a map"
    with tab(browser, shown.console, key=shown.key) as made:
        made.open("/journeys/f2-conversion")
        assert made.page.locator(".map-lying a").count() == len(told["states"])
        for state in told["states"]:
            if state["kind"] == "wait":
                figure = made.text(f'.map-lying [data-live-id="waiting.{state["state"]}"]')
                assert number(figure) == waiting.get(state["state"], 0), state["state"]
        made.page.evaluate("window.stayed = true")
        state = max(waiting, key=lambda name: waiting[name])
        made.page.locator(f'.map-lying a[href="?state={state}"]').click()
        made.page.wait_for_selector("#detail .stats")
        made.page.wait_for_selector(".map-lying .chosen")
        assert made.page.evaluate("window.stayed") is True
        assert made.page.url.endswith(f"?state={state}")
        assert number(made.text(f'#detail [data-live-id="waiting.{state}"]')) == waiting[state]
        assert made.page.locator("#detail .who").count() == min(waiting[state], 6)
        made.page.wait_for_selector('.live[data-live="on"]')
        assert made.complaints == []


def test_conversion_and_flow_are_those_of_the_views(shown: Shown, browser: Any) -> None:
    funnel = shown.get("analytics", "/v1/views/journey_funnel")["rows"]
    mine = [row for row in funnel if row["journey"] == "f2-conversion" and row["version"] == 1]
    arms = {hold: [row for row in mine if row["holdout"] is hold] for hold in (False, True)}
    share = {
        hold: sum(r["enrollments"] for r in rows if r["step"] == "converted")
        / max(sum(r["enrollments"] for r in rows if r["step"] == "entered"), 1)
        for hold, rows in arms.items()
    }
    flow = shown.get("analytics", "/v1/views/journey_flow")["rows"]
    ways = {(r["from_state"], r["to_state"]) for r in flow if r["journey"] == "f2-conversion"}
    with tab(browser, shown.console, key=shown.key) as made:
        made.open("/journeys/f2-conversion?version=1")
        assert made.texts(".aim-arms .n")[0] == f"{100 * share[False]:.1f}%"
        drawn = {
            tuple(key.split(">"))
            for key in made.page.eval_on_selector_all(".map-lying .map-band", "all => all.map(one => one.dataset.band)")
        }
        assert ways <= drawn
        assert made.complaints == []


def test_ltv_and_retention_are_the_figures_of_the_views(shown: Shown, browser: Any) -> None:
    rows = shown.get("analytics", "/v1/views/ltv_by_cohort", tz="Asia/Tokyo")["rows"]
    repeat = {row["metric"]: row for row in shown.get("analytics", "/v1/views/repeat_purchase")["rows"]}
    with tab(browser, shown.console, key=shown.key) as made:
        made.open("/ltv")
        cells = {
            (month, n): text for month, _, *texts in table(made, ".heat")[1:] for n, text in enumerate(texts, start=1)
        }
        told = {
            (row["cohort_month"].replace("-", "/"), row["month_index"]): f"{100 * row['retention']:.1f}"
            for row in rows
            if row["month_index"] > 0
        }
        assert cells == told
        assert made.texts(".stat dd")[0] == f"{100 * repeat['customers_with_at_least_2_orders']['share']:.1f}%"
        rungs = [number(text) for text in made.texts(".ladder-count")]
        assert rungs[:2] == [repeat["customers"]["customers"], repeat["customers_with_at_least_2_orders"]["customers"]]
        made.page.locator(".curves-wide").first.focus()
        made.page.keyboard.press("ArrowRight")
        assert made.page.locator(".curves-wide").first.locator(".curve-column.on").count() == 1
        assert made.complaints == []
        link = made.page.locator("a.link-csv").first.get_attribute("href")
        text = made.page.request.get(shown.console + str(link)).text()
    asked = "/v1/views/retention_monthly?tz=Asia/Tokyo&currency=USD&format=csv"
    assert text == shown.text("analytics", asked)
    assert len(list(csv.DictReader(io.StringIO(text)))) == len(rows)


def test_pages_work_without_javascript(shown: Shown, browser: Any) -> None:
    with tab(browser, shown.console, key=shown.key, script=False) as made:
        made.open("/journeys")
        made.page.locator('a[href="/journeys/f2-conversion"]').click()
        made.page.locator('.table a[href="?state=opened"]').click()
        assert made.page.url.endswith("?state=opened")
        assert made.page.locator("#detail .stats").count() == 1
        made.page.locator(".side-foot button[name=tabiji_lang]").click()
        assert made.page.locator("html").get_attribute("lang") == "en"
        assert made.page.url.endswith("?state=opened")
        made.open("/ltv")
        assert made.page.locator(".heat-cell").count() > 0


@pytest.mark.parametrize(("lang", "theme"), LOOKS)
def test_axe_finds_nothing_on_any_page(shown: Shown, browser: Any, lang: str, theme: str) -> None:
    for size in (DESKTOP, PHONE):
        with tab(browser, shown.console, key=shown.key, lang=lang, theme=theme, size=size) as made:
            for path in PAGES:
                made.open(path)
                assert made.findings() == [], f"{path} {lang} {theme} {size}"
                assert made.overflow() <= 0, f"{path} {lang} {theme} {size} is wider than its window"
