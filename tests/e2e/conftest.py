"""A stack for whole runs, and homes in which the `tabiji` command may start one of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tabiji_cli.demo.runs import Run, drop
from tabiji_cli.local import Stack
from tabiji_cli.stack.home import default_home
from tabiji_cli.stack.kafka import KafkaServer
from tabiji_cli.stack.postgres import PostgresServer
from tabiji_cli.stack.probe import complete
from tabiji_cli.stack.supervisor import Supervisor


@pytest.fixture
def stack(stack_home: Path, kafka: KafkaServer, postgres: PostgresServer) -> Iterator[Stack]:
    """The session's broker and database with a supervisor of this test's own; its runs are dropped afterwards."""
    home = stack_home / "e2e"
    with Supervisor(home) as supervisor:
        found = Stack(home, kafka, postgres, supervisor)
        yield found
    last = home / "demo" / "last"
    if last.exists():
        complete(drop(found, Run.numbered(home, int(last.read_text("ascii")))))


@pytest.fixture
def own_home() -> Iterator[Path]:
    """A home for one command, with the jars that are there already."""
    home = Path(tempfile.mkdtemp(prefix="tabiji-home-"))
    home.chmod(0o711)
    (home / "cache").symlink_to(default_home() / "cache")
    yield home
    shutil.rmtree(home, ignore_errors=True)
