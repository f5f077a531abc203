"""Short forms of rows that no other suite tells: 8, 9, 12, 28 are in tests/conformance, 1, 21 beside the services."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.zygote import Zygote
from tests.faults import report, results
from tests.faults.ground import Ground
from tests.faults.rows import dispatch, ingest, lives, register, time
from tests.faults.suite import LIST, ROWS, Figures


async def answers(place: Ground) -> Figures:
    return await ingest.answers_lost(place, 0, customers=2)


async def sleeper(place: Ground) -> Figures:
    return await dispatch.stopped_past_its_lease(place, 1)


async def nobody_there(place: Ground) -> Figures:
    return await time.outage(place, 0, customers=300)


async def race(place: Ground) -> Figures:
    return await time.timer_against_event(place, 0, customers=450)


SHORT: dict[str, Callable[[Ground], Awaitable[Figures]]] = {
    "2: answers are lost": answers,
    "17: dispatch sleeps past its lease": sleeper,
    "25: nobody there for 36 hours": nobody_there,
    "27: a timer and an event at once": race,
}


@pytest.fixture
def place(kafka: Any, postgres: Any) -> Ground:
    return Ground(kafka, postgres, Zygote.__new__(Zygote))  # none of these asks for toys


@pytest.mark.parametrize("name", SHORT)
async def test_nothing_is_lost_doubled_or_out_of_order_when(place: Ground, name: str) -> None:
    figures = await SHORT[name](place)
    assert figures.events
    assert figures.clean, figures


def test_random_lives_end_as_the_oracle_says(database: str) -> None:
    assert lives.examples(database, 1, count=3).faults


def test_random_lives_meet_a_runtime_whose_timers_do_not_wait_for_the_log(database: str) -> None:
    with pytest.raises(AssertionError):
        lives.examples(database, 0, lives.Hasty, 40, shrink=False)


def test_every_row_is_in_the_list_and_every_row_of_the_list_in_the_table() -> None:
    register()
    assert set(ROWS) < set(LIST)
    lines = report.document("").splitlines()
    assert all(any(line.startswith(f"| {number} |") for line in lines) for number in LIST)


def test_none_in_n_is_shown_as_what_it_excludes() -> None:
    assert report.rule_of_three(0, 300) == "0 (< 3/300)"
    assert report.rule_of_three(2, 300) == "2"


def test_a_stopped_suite_goes_on_with_the_runs_that_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register()
    monkeypatch.setattr(results, "FOLDER", tmp_path / "faults")
    kept = results.read(9)
    kept.runs = [results.Run(seed, "abc", 1.0, Figures(lost=seed)) for seed in (0, 2)]
    results.keep(kept)
    assert results.missing(ROWS[9], 4) == [1, 3]
    assert [run.clean for run in results.read(9).runs] == [True, False]
