"""What journey and analytics tell becomes the map that it should, and the cohort table says only what is over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tabiji_console.domain import figures
from tabiji_console.domain.cohorts import cohorts, ladder
from tabiji_console.domain.road import road
from tabiji_console.domain.signs import picture
from tabiji_console.domain.source import lines_of
from tabiji_journey.domain.outline import outline_of
from tests.architecture.tree import ROOT

F2 = (ROOT / "journeys" / "f2-conversion.yaml").read_text("utf-8")


def shown(path: Path = ROOT / "journeys" / "f2-conversion.yaml") -> dict[str, Any]:
    outline = outline_of(path.read_text("utf-8"), 1, path.name)
    counts = [
        {"version": 1, "status": "waiting", "state": "opened", "reason": "", "enrollments": 7},
        {"version": 1, "status": "finished", "state": "done", "reason": "done", "enrollments": 3},
        {"version": 1, "status": "exited", "state": "opened", "reason": "converted", "enrollments": 2},
        {"version": 2, "status": "waiting", "state": "opened", "reason": "", "enrollments": 90},
    ]
    return {"journey": "f2-conversion", "counts": counts, **outline}


def step(step: str, state: str, people: int, *, holdout: bool = False, version: int = 1) -> dict[str, Any]:
    row = {"journey": "f2-conversion", "version": version, "holdout": holdout, "arms": "", "reason": ""}
    return {**row, "step": step, "state": state, "transitions": people, "enrollments": people}


def test_a_road_tells_of_one_version_and_of_holdout_and_treated_together() -> None:
    funnel = [
        step("entered", "thanks", 10),
        step("entered", "thanks", 2, holdout=True),
        step("reached", "opened", 12),
        step("converted", "opened", 2),
        step("entered", "thanks", 99, version=2),
    ]
    flow = [
        {
            "journey": "f2-conversion",
            "version": 1,
            "holdout": False,
            "from_state": "opened",
            "to_state": to,
            "transitions": n,
        }
        for to, n in (("voices", 3), ("guide_line", 6))
    ]
    outcome = {"journey": "f2-conversion", "version": 1, "send_state": "guide", "reason": ""}
    outcomes = [
        {**outcome, "outcome": "sent", "messages": 5},
        {**outcome, "outcome": "delivered", "messages": 1},
        {**outcome, "outcome": "suppressed", "messages": 4},
        {**outcome, "outcome": "suppressed", "reason": "holdout", "messages": 2},
        {**outcome, "outcome": "unknown", "messages": 1},
    ]
    found = road(shown(), 1, funnel, flow, outcomes)
    opened, guide = found.stop("opened"), found.stop("guide")
    assert opened is not None
    assert guide is not None
    assert (opened.reached, opened.waiting, opened.converted) == (12, 7, 2)
    assert (guide.sent, guide.held, guide.unknown) == (6, 4, 1)
    assert (found.treated.people, found.holdout.people, found.treated.converted) == (10, 2, 2)
    ways = {(way.source, way.target): way.share for way in found.ways}
    assert ways["opened", "guide_line"] == pytest.approx(0.5)
    assert (found.standing.waiting, found.standing.finished, found.standing.exits) == (7, 3, {"converted": 2})
    assert found.standing.balance == 12 - 7 - 3 - 2


@pytest.mark.parametrize("path", sorted((ROOT / "journeys").glob("*.yaml")), ids=lambda path: path.stem)
@pytest.mark.parametrize("lang", ["ja", "en"])
def test_every_shipped_journey_is_named_in_words_and_not_in_identifiers(path: Path, lang: Any) -> None:
    told = {**shown(path), "journey": path.stem}
    drawn = picture(road(told, 1, [], [], []), lang, "road")
    assert len(drawn.signs) == len(told["states"])
    assert [sign.title for sign in drawn.signs if "_" in sign.title or "." in sign.title] == []
    if lang == "ja":
        assert [sign.title for sign in drawn.signs if sign.title.isascii()] == []


def test_the_lines_of_the_chosen_state_are_marked_in_the_document() -> None:
    lines = lines_of(F2, "last_days")
    marked = ["".join((line.lead, line.key, line.rest, line.comment)) for line in lines if line.at]
    assert marked[0].strip() == "last_days:"
    assert marked[-1].strip() == "next: done"
    assert "\n".join("".join((line.lead, line.key, line.rest, line.comment)) for line in lines) == F2.rstrip("\n")


def cell(month: str, index: int, active: int, size: int = 100) -> dict[str, Any]:
    row = {"cohort_month": month, "month_index": index, "active_customers": active, "cohort_size": size}
    return {**row, "retention": active / size, "ltv_minor": 1000.0 * (index + 1)}


def test_a_month_that_is_not_over_is_marked_and_takes_part_in_no_mean() -> None:
    rows = [cell("2026-01", n, a) for n, a in ((0, 100), (1, 20), (2, 1))] + [
        cell("2026-02", n, a, 300) for n, a in ((0, 300), (1, 3))
    ]
    table = cohorts(rows, "2026-03")
    assert [[one.over for one in cohort.cells] for cohort in table.rows] == [[True, True, False], [True, False]]
    assert [(mean.value, mean.of, mean.all) for mean in table.means] == [(0.2, 1, 2), (None, 0, 2)]
    assert [one.step for one in table.rows[0].cells] == [None, 0, None]


def test_a_mean_weighs_cohorts_by_their_people() -> None:
    rows = [cell("2026-01", 0, 100), cell("2026-01", 1, 20), cell("2026-02", 0, 300, 300), cell("2026-02", 1, 30, 300)]
    table = cohorts(rows, "2026-06")
    assert table.means[0].value == pytest.approx(50 / 400)
    assert {one.step for cohort in table.rows for one in cohort.cells} == {None, 0, 11}


def test_the_ladder_is_the_view_and_ends_where_nobody_came() -> None:
    rows = [
        {"metric": "customers", "customers": 10, "share": None},
        {"metric": "customers_with_at_least_2_orders", "customers": 4, "share": 0.4},
        {"metric": "F2_conversion_from_F1", "customers": 4, "share": 0.4},
        {"metric": "customers_with_at_least_3_orders", "customers": 0, "share": 0.0},
        {"metric": "F3_conversion_from_F2", "customers": 0, "share": 0.0},
    ]
    assert [(rung.n, rung.customers, rung.of_last) for rung in ladder(rows)] == [(1, 10, None), (2, 4, 0.4)]


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(5610, "USD", "$56.10"), (4980, "JPY", "¥4,980"), (-150, "EUR", "−€1.50"), (1234, "KWD", "1.234 KWD")],
)
def test_money_is_in_major_units_with_its_sign_or_code(minor: int, currency: str, text: str) -> None:
    assert figures.money(minor, currency) == text
