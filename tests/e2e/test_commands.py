"""The command line as a user has it: up, import, view, the demo, Ctrl-C."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from datetime import time as civil
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import psutil
import pytest

from tabiji_cli import cdnow
from tabiji_cli.demo import expected
from tests.architecture.tree import ROOT
from tests.e2e.driver import TABIJI, Command, surroundings, tabiji

TOKYO = ZoneInfo("Asia/Tokyo")


def eventually(look: Callable[[], Any], right: Callable[[Any], bool], seconds: float = 150.0) -> Any:
    """What ``look`` finds once it is ``right``, or at the end of patience."""
    deadline = time.monotonic() + seconds
    while not right(found := look()) and time.monotonic() < deadline:
        time.sleep(0.3)
    return found


def ready(command: Command) -> dict[str, str]:
    """The addresses that `tabiji up --json` prints, once it does."""
    assert command.process.stdout is not None
    text = ""
    for line in command.process.stdout:
        text += line
        if line.rstrip() == "}":
            break
    found: dict[str, str] = json.loads(text[text.index("{") :])
    return found


def history(folder: Path) -> tuple[Path, list[expected.Bought]]:
    """The CDNOW sample as a file to import, and the same orders as the driver knows them."""
    orders = [
        expected.Bought(
            order.order_id,
            order.customer_id,
            datetime.combine(order.ordered_on, civil(0), UTC),
            order.amount_minor,
        )
        for order in cdnow.orders(cdnow.dataset())
    ]
    path = folder / "cdnow.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["order_id", "customer_id", "ordered_at", "amount", "currency"])
        writer.writerows([o.order_id, o.customer, o.at.date().isoformat(), o.amount_minor, "USD"] for o in orders)
    return path, orders


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.timeout(600)
def test_imported_history_shows_in_the_views_and_ctrl_c_leaves_nobody(own_home: Path, tmp_path: Path) -> None:
    path, orders = history(tmp_path)
    with tabiji(own_home, "up", "--json") as up:
        addresses = ready(up)
        assert (own_home / "keys.json").stat().st_mode & 0o777 == 0o600
        family = up.family()
        assert len(family) > 5
        assert "6,696 orders accepted" in up.also("import", "orders", str(path))
        cells = expected.cohorts(orders, UTC)
        found = eventually(
            lambda: rows(up.also("view", "ltv_by_cohort", "--tz", "UTC", "--csv")),
            lambda table: sum(int(row["orders"]) for row in table) == len(orders),
        )
        assert [(row["cohort_month"], int(row["month_index"]), int(row["active_customers"])) for row in found] == [
            (cell.cohort_month, cell.month_index, cell.active_customers) for cell in cells
        ]
        assert [float(row["ltv_minor"]) for row in found] == pytest.approx([float(cell.ltv_minor) for cell in cells])
        url, key = f"{addresses['analytics']}/v1/views/ltv_by_cohort?tz=UTC&format=csv", addresses["operator_key"]
        assert httpx.get(url, timeout=30).status_code == 401
        asked = httpx.get(url, timeout=30, headers={"Authorization": f"Bearer {key}"})
        assert rows(asked.text) == found
        hand_out_keys(up, addresses)
        is_well(up)
        practise(up, tmp_path)
        assert "6,696 orders accepted" in up.also("import", "orders", str(path))  # again: harmless
        time.sleep(1)
        assert rows(up.also("view", "ltv_by_cohort", "--tz", "UTC", "--csv")) == found
        status, said = up.interrupt()
    assert status == 0
    assert "draining and stopping everything that was started" in said
    assert [
        name for name in ("ingest", "journey", "dispatch", "analytics", "console") if f"stopped {name}" not in said
    ] == []
    assert [member for member in family if member.is_running() and member.status() != psutil.STATUS_ZOMBIE] == []


def practise(up: Command, folder: Path) -> None:
    """docs/practice.md, step by step: a record that nobody can read is put aside, shown, and replayed to no avail."""
    page = (ROOT / "docs" / "practice.md").read_text("utf-8")
    (script,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (folder / "practice.py").write_text(script, "utf-8")
    words = [sys.executable, str(folder / "practice.py")]
    subprocess.run(words, env=up.environment, check=True, timeout=120)
    (steps,) = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    asked = [line.partition(" #")[0].split()[1:] for line in steps.splitlines() if "tabiji dlq" in line]
    assert [one[1] for one in asked] == ["list", "show", "replay", "replay"]
    letters = eventually(lambda: json.loads(up.also(*asked[0], "--json")), lambda found: len(found) == 3)
    assert {one["reason"] for one in letters} == {"ce_type: unknown type 'renamed' on events.customer.v1"}
    assert "practice-1" in up.also(*[letters[0]["id"] if word == "ID" else word for word in asked[1]])
    for words, status, said in (
        (asked[2], 0, "3 to replay"),
        (asked[3], 1, "3 are dead again: their cause is not mended"),
    ):
        done = subprocess.run([*TABIJI, *words], env=up.environment, capture_output=True, text=True, check=False)
        assert (done.returncode, said in done.stderr) == (status, True), done.stderr


def is_well(up: Command) -> None:
    """The doctor finds nothing bad, and every part of the installation."""
    told = json.loads(up.also("doctor", "--json"))
    assert [one for one in told["findings"] if one["level"] == "bad"] == []
    about = {one["about"]: one["level"] for one in told["findings"]}
    assert set(about) >= {
        "disk",
        "postgresql",
        "topics",
        "operator key",
        "stuck",
        "unknown",
        "dead letters",
        "durability",
    }
    for service in ("ingest", "journey", "dispatch", "analytics"):
        assert about[f"{service} schema"] == about[f"{service} ready"] == "ok"
    assert about["durability"] == "warn", "one broker is not durable, and that is said"


def test_where_nothing_runs_the_doctor_says_so_and_ends_with_1(own_home: Path) -> None:
    nowhere = {f"TABIJI_{name}_PORT": "1" for name in ("INGEST", "JOURNEY", "DISPATCH", "ANALYTICS")}
    environment = {
        **os.environ,
        **nowhere,
        "TABIJI_HOME": str(own_home),
        "TABIJI_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "TABIJI_POSTGRES_DSN": "postgresql://tabiji@127.0.0.1:1/tabiji",
    }
    done = subprocess.run(
        [*TABIJI, "doctor"], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1, done.stderr
    for part in ("postgresql", "topics", "journey ready", "does not answer", "no broker answers", "→"):
        assert part in done.stdout


def hand_out_keys(up: Command, addresses: dict[str, str]) -> None:
    """A key that is made, used and revoked by the command line."""
    mine = up.also("keys", "create", "hanako", "--scope", "read").strip()
    url, bearer = f"{addresses['analytics']}/v1/views", {"Authorization": f"Bearer {mine}"}
    assert httpx.get(url, headers=bearer, timeout=30).status_code == 200
    assert httpx.post(f"{addresses['analytics']}/v1/recompute", headers=bearer, timeout=30).status_code == 403

    assert "operator key hanako" in up.also("keys", "revoke", "hanako")
    look = lambda: httpx.get(url, headers=bearer, timeout=30).status_code  # noqa: E731 - one question, asked again
    assert eventually(look, lambda status: status == 401) == 401


@pytest.mark.timeout(600)
def test_the_demo_runs_once_with_status_0_and_leaves_nobody(own_home: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.svg"
    words = ("demo", "--customers", "30", "--days", "60", "--once", "--report", str(report))
    with tabiji(own_home, *words) as demo:
        said, _ = demo.process.communicate(timeout=480)
        assert demo.process.returncode == 0, said
    assert "every check holds" in said
    assert "no lift is expected" in said
    assert re.search(r"stopped Apache Kafka \(pid \d+\)", said)
    assert report.read_text("utf-8").startswith("<svg")
    assert _of_home(own_home) == []


@pytest.mark.timeout(600)
def test_ctrl_c_in_the_middle_of_the_demo_drains_and_says_so(own_home: Path) -> None:
    with tabiji(own_home, "demo", "--customers", "60", "--days", "200") as demo:
        assert demo.process.stdout is not None
        for line in demo.process.stdout:
            if re.search(r"  [1-9][\d,]* events  ", line):
                break
        status, said = demo.interrupt()
    assert status == 0, said  # it did what it was asked to
    said = " ".join(said.replace("│", " ").split())
    assert re.search(r"stopped at 199\d-.* of the way", said)
    assert "of that part" in said
    assert "draining and stopping everything that was started" in said
    assert _of_home(own_home) == []


def test_a_taken_port_is_named_with_the_setting_that_moves_it(own_home: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        environment = surroundings(own_home) | {"TABIJI_KAFKA_PORT": str(taken.getsockname()[1])}
        done = subprocess.run(
            [*TABIJI, "up"], env=environment, capture_output=True, text=True, timeout=180, check=False
        )
    assert done.returncode == 1
    assert "TABIJI_KAFKA_PORT" in done.stdout + done.stderr


def test_failpoints_and_topics_are_listed() -> None:
    listed = subprocess.run([*TABIJI, "failpoints"], capture_output=True, text=True, check=True).stdout
    for name in ("ingest.append.before", "runtime.turn.before_commit", "dispatch.send.before"):
        assert name in listed
    listed = subprocess.run([*TABIJI, "topics"], capture_output=True, text=True, check=True).stdout
    assert "events.purchase.v1" in listed


def _of_home(home: Path) -> list[int]:
    """Processes that still work in that home."""
    return [
        process.info["pid"]
        for process in psutil.process_iter(["pid", "environ"])
        if (process.info["environ"] or {}).get("TABIJI_HOME") == str(home)
    ]
