"""A second start in the same folder says who runs there, and how to end or open that."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tabiji_cli.already import require_unused
from tabiji_cli.stack.errors import HomeInUse
from tabiji_cli.stack.home import HomeLock
from tabiji_cli.stack.ports import told

SLEEP = "import time; print(flush=True); time.sleep(60)"


def test_a_folder_that_nobody_runs_is_left_as_it_is(tmp_path: Path) -> None:
    require_unused(tmp_path / "new")
    with HomeLock(tmp_path / "postgres.lock"):
        pass
    require_unused(tmp_path)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["postgres.lock", "supervisor.lock", "kafka/lock"])
def test_whoever_runs_it_is_named_with_the_way_to_end_it(tmp_path: Path, name: str) -> None:
    with HomeLock(tmp_path / name), pytest.raises(HomeInUse) as caught:
        require_unused(tmp_path)
    said = str(caught.value)
    for part in (f"process {os.getpid()} (", f"kill -INT {os.getpid()}", "TABIJI_HOME", str(tmp_path)):
        assert part in said
    assert "look at it" not in said


@pytest.mark.parametrize(
    ("name", "address"), [("journey", "http://127.0.0.1:28020/docs"), ("console", "http://127.0.0.1:28020/")]
)
def test_its_services_are_told_by_an_address_that_answers(tmp_path: Path, name: str, address: str) -> None:
    environment = {**os.environ, "TABIJI_PORT": "28020"}
    words = [sys.executable, "-c", SLEEP, f"tabiji_{name}"]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE) as service:
        assert service.stdout is not None
        service.stdout.readline()
        with HomeLock(tmp_path / "postgres.lock"), pytest.raises(HomeInUse) as caught:
            require_unused(tmp_path)
        service.kill()
    assert address in str(caught.value).split()


def test_a_long_command_is_told_by_its_beginning() -> None:
    assert told(2**22 + 1) == f"process {2**22 + 1}"
    assert len(told(os.getpid())) < 90
