"""A start is waited for aloud, up to a bound, and only its own lines are quoted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tabiji_cli.stack import patience
from tabiji_cli.stack.patience import LONGEST, SAID_EVERY, Patience, Written


class Watch:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_a_wait_goes_on_for_minutes_and_says_what_for(monkeypatch: pytest.MonkeyPatch) -> None:
    watch, heard = Watch(), list[str]()
    monkeypatch.setattr(patience, "time", watch)
    wait = Patience(heard.append)
    assert wait.lasts("Kafka does not answer yet")
    assert heard == []
    watch.now += SAID_EVERY
    assert wait.lasts("Kafka does not answer yet")
    assert wait.lasts("Kafka does not answer yet")
    assert heard == ["Kafka does not answer yet; waiting since 15 s, 300 s at most"]
    watch.now = 100.0 + LONGEST - 1
    assert wait.lasts("journey is not ready yet")
    watch.now += 1
    assert not wait.lasts("journey is not ready yet")


def test_only_what_was_written_since_is_told(tmp_path: Path) -> None:
    log = tmp_path / "journey.log"
    assert Written(log).tail() == ""
    log.write_text("an older run\n", "utf-8")
    written = Written(log)
    assert written.tail() == ""
    with log.open("a", encoding="utf-8") as more:
        more.writelines(f"{number}\n" for number in range(30))
    assert written.tail(2) == "28\n29"
    log.replace(tmp_path / "journey.log.1")
    log.write_text("a\n", "utf-8")
    assert written.tail() == "a"
