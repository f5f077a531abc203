"""How a run ends: what its last lines say, and when a stop is a failure."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path

import pytest
from rich.console import Console

from tabiji_cli.demo.checks import Check
from tabiji_cli.demo.command import partial, status, verdict, where_to_look
from tabiji_cli.demo.play import Outcome
from tabiji_cli.letters import Letters
from tabiji_cli.local import uninterrupted
from tabiji_cli.processes import Installation
from tests.unit.cli.support import perfect


def outcome(folder: Path, *, reached: str | None = None, ok: bool = True) -> Outcome:
    checks = [Check("nobody is lost", ok, "")]
    installation = Installation("postgresql://u:p@127.0.0.1:1/db", "127.0.0.1:2", "s")
    return Outcome(perfect(), checks, {}, installation, folder, 12.3, 45, Letters(folder / "mails"), reached)


def text(*parts: object) -> str:
    console = Console(file=io.StringIO(), width=80, record=True)
    console.print(*parts)
    return console.export_text()


@pytest.mark.parametrize(
    ("reached", "ok", "once", "expected"),
    [
        (None, True, True, 0),
        (None, False, False, 1),
        ("1997-02-03, 5% of the way", True, False, 0),  # stopped, as asked
        ("1997-02-03, 5% of the way", True, True, 1),  # it was to go to the end
        ("1997-02-03, 5% of the way", False, False, 1),
    ],
)
def test_a_stop_is_a_failure_only_where_the_end_was_asked_for(
    tmp_path: Path, *, reached: str | None, ok: bool, once: bool, expected: int
) -> None:
    assert status(outcome(tmp_path, reached=reached, ok=ok), once=once) == expected


def test_a_run_stopped_midway_says_how_far_it_came_ahead_of_its_tables_and_behind(tmp_path: Path) -> None:
    stopped = outcome(tmp_path, reached="1997-02-03 Mon 12:00 東京, 5% of the way")
    for shown in (text(*partial(stopped)), text(verdict(stopped))):
        assert "1997-02-03 Mon 12:00 東京, 5% of the way" in shown
        assert "of that part" in " ".join(shown.replace("│", " ").split())
    assert "every check holds so far" in text(verdict(stopped))
    assert partial(outcome(tmp_path)) == []


def test_the_last_panel_tells_where_the_mails_are(tmp_path: Path) -> None:
    assert str(tmp_path / "mails") in text(where_to_look(outcome(tmp_path))).replace("│\n│", "").replace(" ", "")


def test_ctrl_c_waits_for_what_is_half_started() -> None:
    done = []

    def start() -> None:
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("the rest of the start")

    with pytest.raises(KeyboardInterrupt):
        start()
    assert done
