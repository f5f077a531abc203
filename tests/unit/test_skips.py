"""Tests that are left out are told by name, and how to have them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.skips import without_fixtures

ROOT = Path(__file__).resolve().parents[2]


def test_a_run_without_the_folder_of_fixtures_says_what_it_left_out_and_how_to_give_it(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit/ingest/test_captures.py"]
    environment = {**os.environ, "TABIJI_FIXTURES": str(tmp_path)}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert "in tests/unit/ingest/test_captures.py" in done.stdout
    assert "TABIJI_FIXTURES=/path/to/fixtures make check" in done.stdout


def test_a_run_that_left_out_none_says_nothing() -> None:
    assert without_fixtures([]) == ""
