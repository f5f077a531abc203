"""Every panel of every dashboard has an answer: a real Prometheus scrapes the running services, by our own rules."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tabiji_cli.stack.ports import free_port
from tests.architecture.test_alerts import panel_queries
from tests.architecture.tree import ROOT
from tests.e2e.driver import tabiji
from tests.e2e.test_commands import ready

WITHIN = 240.0
TICK = """
id: tick
name: a moment
enter: {on: order_completed, reenter: after_end}
start: moment
states:
  moment: {wait: {for: 1s}, next: done}
  done: {end: true}
"""


def awake_zone() -> str:
    """A zone in which it is about noon: marketing goes out now."""
    ahead = 12 - datetime.now(UTC).hour  # noqa: TID251 - which zone is awake hangs on the wall's clock
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


def configured(folder: Path, addresses: dict[str, str]) -> Path:
    """Our own configuration, asking these processes, every second."""
    there = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text("utf-8"))
    there["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    there["rule_files"] = [str(ROOT / "deploy" / "prometheus" / "rules" / "*.yml")]
    jobs = [job for job in there["scrape_configs"] if f"{job['job_name']}_admin" in addresses]
    for job in jobs:
        job["static_configs"] = [{"targets": [addresses[f"{job['job_name']}_admin"].removeprefix("http://")]}]
    there["scrape_configs"] = jobs
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(there), "utf-8")
    return path


@contextmanager
def prometheus(folder: Path, addresses: dict[str, str]) -> Iterator[str]:
    """Its URL while the block runs."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("Prometheus is not installed (Debian: apt install prometheus)")
    listen = f"127.0.0.1:{free_port()}"
    words = [
        f"--config.file={configured(folder, addresses)}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={listen}",
        "--log.level=warn",
    ]
    process = subprocess.Popen([program, *words], cwd=folder)
    try:
        yield f"http://{listen}"
    finally:
        process.terminate()
        process.wait(30)


class Traffic:
    """What a shop and its people do, a little of it at every turn."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self.addresses = addresses
        self.turn = 0
        key = addresses.get("operator_key", "")
        self.client = httpx.Client(timeout=60, headers={"Authorization": f"Bearer {key}"} if key else {})

    def begin(self) -> None:
        answer = self.client.post(
            f"{self.addresses['journey']}/v1/journeys", params={"file": "tick.yaml"}, content=TICK
        )
        assert answer.status_code == 201, answer.text

    def go_on(self) -> None:
        self.turn += 1
        who = f"c-{self.turn}"
        batch = [
            {"type": "identify", "traits": {"email": f"{who}@example.com", "name": "花子", "timezone": awake_zone()}},
            {"type": "track", "event": "Consent Given", "properties": {"channel": "email"}},
            {
                "type": "track",
                "event": "Order Completed",
                "properties": {"order_id": f"o-{self.turn}", "total": 4980, "currency": "JPY"},
            },
        ]
        body = {"batch": [{**one, "userId": who, "messageId": f"{self.turn}-{n}"} for n, one in enumerate(batch)]}
        auth = (self.addresses["write_key"], "")
        answer = httpx.post(f"{self.addresses['ingest']}/v1/batch", json=body, auth=auth, timeout=60)
        assert answer.status_code == 200, answer.text
        for service, path in (("journey", "journeys"), ("dispatch", "counts"), ("analytics", "views")):
            assert self.client.get(f"{self.addresses[service]}/v1/{path}").status_code == 200
        if "console" in self.addresses:
            self.client.get(self.addresses["console"])


def has_answer(client: httpx.Client, url: str, query: str) -> bool:
    """Whether it gives at least one number."""
    answer = client.get(f"{url}/api/v1/query", params={"query": query}).json()
    assert answer["status"] == "success", answer
    return any(not math.isnan(float(one["value"][1])) for one in answer["data"]["result"])


def asked(addresses: dict[str, str]) -> dict[tuple[str, str], str]:
    """The panels' queries; those of a service that is not started here (its job is named in them) are left out."""
    jobs = {name.removesuffix("_admin") for name in addresses if name.endswith("_admin")}
    found: dict[tuple[str, str], str] = {}
    for where, query in panel_queries():
        named = set(re.findall(r'job="(\w+)"', query))
        if named <= jobs:
            found[where, query] = query
    return found


@pytest.mark.timeout(600)
def test_every_panel_of_every_dashboard_is_answered_with_figures(own_home: Path, tmp_path: Path) -> None:
    if shutil.which("prometheus") is None:
        pytest.skip("Prometheus is not installed (Debian: apt install prometheus)")
    with tabiji(own_home, "up", "--json") as up:
        addresses: dict[str, Any] = ready(up)
        with prometheus(tmp_path, addresses) as url, httpx.Client(timeout=60) as client:
            traffic = Traffic(addresses)
            traffic.begin()
            open_ = asked(addresses)
            assert len(open_) > 60
            until = time.monotonic() + WITHIN
            while open_ and time.monotonic() < until:
                traffic.go_on()
                time.sleep(1)
                if traffic.turn % 5 == 0:
                    open_ = {where: query for where, query in open_.items() if not has_answer(client, url, query)}
            assert open_ == {}
            targets = client.get(f"{url}/api/v1/targets").json()["data"]["activeTargets"]
            assert {target["health"] for target in targets} == {"up"}
            firing = client.get(f"{url}/api/v1/alerts").json()["data"]["alerts"]
            assert [one["labels"]["alertname"] for one in firing if one["state"] == "firing"] == [], json.dumps(firing)
        up.interrupt()
