"""A small simulated run that stays up, and a browser: for one module at a time, for no loop runs beside it."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tabiji_cli import keys
from tabiji_cli.demo.runs import Run
from tabiji_cli.demo.world import PARTITIONS
from tabiji_cli.processes import setting
from tabiji_cli.stack.home import default_home
from tabiji_cli.stack.ports import ADMIN
from tabiji_common.kafka.client import Cluster
from tabiji_console.domain.gauges import Gauges, read_gauges
from tests.e2e.console.browser import chromium, require_chromium
from tests.e2e.driver import TABIJI, tabiji

CUSTOMERS, DAYS = "40", "100"
"""Enough for three cohorts, a second order here and there, and people who still wait at the end."""


@dataclass(frozen=True)
class Shown:
    """The console, and the services that its figures come from."""

    console: str
    bases: dict[str, str]
    key: str
    write_key: str
    environment: dict[str, str]
    log: Cluster
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=60))

    def get(self, service: str, path: str, **query: Any) -> Any:
        """What a service's API tells."""
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = self.http.get(self.bases[service] + path, params=query, headers=headers)
        answer.raise_for_status()
        return answer.json()

    def gauges(self, service: str) -> Gauges:
        """What a service counts."""
        return read_gauges(self._admin(service, "/metrics").text)

    def idle(self, service: str) -> Any:
        """What a service has still to do."""
        return self._admin(service, "/idle").json()

    def _admin(self, service: str, path: str) -> httpx.Response:
        host, port = self.bases[service].rsplit(":", 1)
        return self.http.get(f"{host}:{int(port) + ADMIN}{path}").raise_for_status()

    def happens(self, *events: dict[str, Any]) -> None:
        """Tell ingest what customers did."""
        body = {"batch": [{"messageId": secrets.token_hex(8), **event} for event in events]}
        answer = self.http.post(f"{self.bases['ingest']}/v1/batch", json=body, auth=(self.write_key, ""))
        assert answer.status_code == 200, answer.text

    def tabiji(self, *words: str) -> str:
        """What a command says beside the run."""
        done = subprocess.run(
            [*TABIJI, *words], env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def text(self, service: str, path: str) -> str:
        """The same, as text."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return self.http.get(self.bases[service] + path, headers=headers).raise_for_status().text


@pytest.fixture(scope="module")
def shown(request: pytest.FixtureRequest) -> Iterator[Shown]:
    """A run of the module's own, of its ``RUN`` customers and days.

    Or one of TABIJI_HOME that is up: SHOWN has the ports of console, journey, dispatch, analytics, ingest.
    """
    require_chromium()
    given = os.environ.get("SHOWN", "")
    if given:
        ports = dict(zip(("console", "journey", "dispatch", "analytics", "ingest"), given.split(","), strict=True))
        bases = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        yield _shown(default_home(), bases, dict(os.environ))
        return
    home = Path(tempfile.mkdtemp(prefix="tabiji-console-"))
    home.chmod(0o711)
    (home / "cache").symlink_to(default_home() / "cache")
    try:
        customers, days = getattr(request.module, "RUN", (CUSTOMERS, DAYS))
        with tabiji(home, "demo", "--customers", customers, "--days", days) as demo:
            said = ""
            assert demo.process.stdout is not None
            for line in demo.process.stdout:
                said += line
                if "Where to look" in line:
                    break
            assert "Where to look" in said, said[-3000:]
            names = ("console", "journey", "dispatch", "analytics", "ingest")
            bases = {name: f"http://127.0.0.1:{demo.environment[setting(name)]}" for name in names}
            yield _shown(home, bases, demo.environment)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _shown(home: Path, bases: dict[str, str], environment: dict[str, str]) -> Shown:
    run = Run.numbered(home, int((home / "demo" / "last").read_text()))
    log = Cluster(f"127.0.0.1:{environment['TABIJI_KAFKA_PORT']}", run.prefix, PARTITIONS)
    return Shown(bases["console"], bases, keys.keys(home).operator, keys.keys(run.folder).live, environment, log)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium."""
    with chromium() as found:
        yield found
