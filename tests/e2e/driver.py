"""Starts the `tabiji` command as a user would, on ports and in a home of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tabiji_cli.processes import Ports, setting
from tabiji_cli.stack.ports import free_port

TABIJI = [sys.executable, "-m", "tabiji_cli"]


@dataclass(frozen=True)
class Command:
    """A running command."""

    process: subprocess.Popen[str]
    environment: dict[str, str]

    def family(self) -> list[psutil.Process]:
        """It and everything it started."""
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def interrupt(self, within: float = 120) -> tuple[int, str]:
        """Ctrl-C; the exit status and the rest of what it said."""
        self.process.send_signal(signal.SIGINT)
        said, _ = self.process.communicate(timeout=within)
        return self.process.returncode, said

    def also(self, *words: str) -> str:
        """Run another command beside it; its standard output. Fails where it fails."""
        done = subprocess.run(
            [*TABIJI, *words], env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def surroundings(home: Path) -> dict[str, str]:
    """The environment of a command in ``home``, with ports that are free."""
    return {
        **os.environ,
        "TABIJI_HOME": str(home),
        "TABIJI_KAFKA_PORT": str(free_port()),
        "TABIJI_POSTGRES_PORT": str(free_port()),
        **{setting(name): str(port) for name, port in vars(Ports.free()).items()},
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def tabiji(home: Path, *words: str) -> Iterator[Command]:
    """``tabiji WORDS`` while the block runs; killed with its family where the block leaves it running."""
    environment = surroundings(home)
    process = subprocess.Popen(
        [*TABIJI, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield Command(process, environment)
    finally:
        if process.poll() is None:
            process.kill()  # its children are bound to its life
            process.wait(60)
