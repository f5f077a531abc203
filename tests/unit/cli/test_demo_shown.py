"""What people see: the picture of a run, its report, and a line where there is no terminal."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

from rich.cells import cell_len
from rich.console import Console

from tabiji_cli.demo import checks
from tabiji_cli.demo.display import Display, Picture, told
from tabiji_cli.demo.evidence import Delivery, JourneyCount
from tabiji_cli.demo.report import ZONE, report
from tabiji_cli.demo.scene import Scene, shipped_states
from tabiji_cli.stack.home import project_root
from tests.unit.cli.support import perfect, with_table

SCENE = Scene(
    "a test",
    datetime(1997, 1, 1, tzinfo=UTC),
    datetime(1997, 1, 11, tzinfo=UTC),
    datetime(1997, 1, 6, tzinfo=UTC),
    elapsed=60,
    ticks=10,
    events=1234,
    rate=56,
    lag=7,
    journeys=[JourneyCount("f2-conversion", 40, {"opened": 5}, 10, {"converted": 25})],
    outcomes={"sent": 30, "suppressed no_consent": 4, "unknown": 1},
    mails=30,
    reactions={"open": 12},
)


def shown(part: object, width: int = 110) -> str:
    console = Console(file=io.StringIO(), width=width, record=True)
    console.print(part)
    return console.export_text()


def test_the_picture_shows_time_progress_rates_people_and_messages() -> None:
    text = shown(Picture(SCENE))
    for part in ("1997-01-06 Mon 09:00", "50%", "1:00 left", "1,234 events", "56/s", "lag 7", "opened", "converted"):
        assert part in text
    for part in ("sent", "suppressed no_consent", "unknown", "✉ open"):
        assert part in text


def test_the_picture_fits_a_narrow_terminal() -> None:
    assert max(map(len, shown(Picture(SCENE), width=80).splitlines())) <= 80


def test_the_first_moments_promise_no_end() -> None:
    assert "–:–– left" in shown(Picture(replace(SCENE, now=SCENE.start)))


def test_without_a_terminal_a_line_says_it() -> None:
    file = io.StringIO()
    with Display(Console(file=file, width=200)) as display:
        display.show(SCENE)
        display.show(SCENE)
    assert file.getvalue() == told(SCENE) + "\n"


def test_the_report_has_every_part_and_every_check() -> None:
    run = perfect()
    found = checks.run(run)
    text = shown(report(run, found), width=140)
    for part in ("Retention", "LTV by cohort", "F2", "Journeys", "Messages", "A/A", "Checks"):
        assert part in text
    for check in found:
        assert check.name in text
    assert "no lift is expected" in text


def test_the_report_fits_eighty_columns_with_every_name_and_figure_whole() -> None:
    cells = [
        {
            "cohort_month": f"1997-0{cohort}", "month_index": month, "cohort_size": 780, "ltv_minor": 11399.0,
            "retention": 0.124, "active_customers": 97,
        }
        for cohort in (1, 2, 3) for month in range(18)
    ]  # fmt: skip
    run = with_table(perfect(), f"retention_monthly@{ZONE}", cells)
    run = with_table(run, f"ltv_by_cohort@{ZONE}", cells)
    delivery = Delivery("k", "c", "abandoned-cart", "abandoned-cart/cart-reminder", "email", "sent", "")
    again = replace(delivery, key="l", journey="f2-conversion", template="f2-conversion/usage-guide-again")
    run = replace(
        run, deliveries={"k": delivery, "l": again}, journeys=[JourneyCount("abandoned-cart", 2357, {}, 9, {})]
    )
    text = shown(report(run, []), width=80)
    assert "…" not in text
    assert max(map(cell_len, text.splitlines())) <= 80
    for whole in (
        "abandoned-cart",
        "usage-guide-again",
        "cart-reminder",
        "113.99",
        "12 12 12",
        "unknown  opened  clicked",
    ):
        assert whole in text


def test_a_failed_check_is_told_with_what_is_wrong() -> None:
    run = replace(perfect(), stuck=3)
    text = shown(report(run, checks.run(run)), width=140)
    assert "✗  nobody is lost" in text
    assert "3 wait without a live timer" in text


def test_a_state_keeps_its_place_when_it_empties() -> None:
    later = SCENE.counted([JourneyCount("f2-conversion", 41, {"voices": 6}, 10, {"converted": 25})], {"sent": 31})
    assert dict(later.journeys[0].waiting) == {"opened": 0, "voices": 6}
    assert list(later.outcomes) == ["sent", "suppressed no_consent", "unknown"]


def test_a_low_terminal_shows_the_largest_lines() -> None:
    crowded = replace(SCENE, outcomes={f"suppressed {n}": n for n in range(40)})
    console = Console(file=io.StringIO(), width=120, height=24, force_terminal=True, record=True)
    console.print(Picture(crowded))
    lines = console.export_text().splitlines()
    assert len(lines) <= 24
    assert any("suppressed 39" in line for line in lines)


def test_states_stand_in_the_order_of_the_road() -> None:
    road = replace(SCENE, states={"f2-conversion": ["thanks", "opened", "voices"]})
    count = JourneyCount("f2-conversion", 41, {"voices": 6, "thanks": 1, "opened": 2}, 10, {})
    assert list(road.counted([count], {}).journeys[0].waiting) == ["thanks", "opened", "voices"]


def test_the_shipped_journeys_tell_their_states() -> None:
    states = shipped_states(project_root() / "journeys")
    assert states["f2-conversion"][:2] == ["thanks", "arrived"]
