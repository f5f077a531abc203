"""A small simulated run that stays up, and a browser: for one module at a time, for no loop runs beside it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tabiji_cli import keys
from tabiji_cli.processes import setting
from tabiji_cli.stack.home import default_home
from tests.e2e.console.browser import chromium, require_chromium
from tests.e2e.driver import tabiji

CUSTOMERS, DAYS = "40", "100"
"""Enough for three cohorts, a second order here and there, and people who still wait at the end."""


@dataclass(frozen=True)
class Shown:
    """The console, and the services that its figures come from."""

    console: str
    bases: dict[str, str]
    key: str

    def get(self, service: str, path: str, **query: Any) -> Any:
        """What a service's API tells."""
        answer = httpx.get(
            self.bases[service] + path, params=query, timeout=60, headers={"Authorization": f"Bearer {self.key}"}
        )
        answer.raise_for_status()
        return answer.json()

    def text(self, service: str, path: str) -> str:
        """The same, as text."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.get(self.bases[service] + path, timeout=60, headers=headers).raise_for_status().text


@pytest.fixture(scope="module")
def shown() -> Iterator[Shown]:
    """A run of its own; or one of TABIJI_HOME that is up: SHOWN has the ports of console, journey, dispatch …"""
    require_chromium()
    given = os.environ.get("SHOWN", "")
    if given:
        ports = dict(zip(("console", "journey", "dispatch", "analytics", "ingest"), given.split(","), strict=True))
        bases = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        yield Shown(bases["console"], bases, keys.keys(default_home()).operator)
        return
    home = Path(tempfile.mkdtemp(prefix="tabiji-console-"))
    home.chmod(0o711)
    (home / "cache").symlink_to(default_home() / "cache")
    try:
        with tabiji(home, "demo", "--customers", CUSTOMERS, "--days", DAYS) as demo:
            said = ""
            assert demo.process.stdout is not None
            for line in demo.process.stdout:
                said += line
                if "Where to look" in line:
                    break
            assert "Where to look" in said, said[-3000:]
            names = ("console", "journey", "dispatch", "analytics", "ingest")
            bases = {name: f"http://127.0.0.1:{demo.environment[setting(name)]}" for name in names}
            yield Shown(bases["console"], bases, keys.keys(home).operator)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium."""
    with chromium() as found:
        yield found
