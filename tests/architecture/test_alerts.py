"""Alerts, dashboards and runbooks speak of what there is: metrics that the code declares, commands that exist."""

import importlib.util
import json
import re
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

import pytest

from tabiji_cli.__main__ import app
from tests.architecture.deploy import load, services
from tests.architecture.tree import ROOT

RUNBOOKS = ROOT / "docs" / "runbooks"
PARTS = ["Meaning", "Impact", "Three commands", "Fix"]
RULES = ("tabiji", "alerts")
OF_PROMETHEUS = {"up"}


def rules(name: str) -> list[dict[str, Any]]:
    return [rule for group in load(f"deploy/prometheus/rules/{name}.yml")["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules("alerts") if "alert" in rule]


@cache
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "deploy" / "grafana" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def panel_queries() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            yield from ((f"{path.stem}: {panel['title']}", target["expr"]) for target in panel["targets"])


@cache
def declared() -> frozenset[str]:
    """What /metrics may show, from the declarations in the metrics modules."""
    found: set[str] = set()
    for path in (*ROOT.glob("libs/*/tabiji_*/metrics.py"), *ROOT.glob("services/*/tabiji_*/metrics.py")):
        for kind, name in re.findall(r'(Counter|Gauge|Histogram)\(\s*"(tabiji_\w+)"', path.read_text("utf-8")):
            suffixes = ["_bucket", "_count", "_sum"] if kind == "Histogram" else [""]
            found |= {name + suffix for suffix in suffixes}
    return frozenset(found)


def names_in(query: str) -> set[str]:
    """The metrics that a query asks for: ours, recorded ones and `up`."""
    without_labels = re.sub(r"\{[^}]*\}|\b(by|without)\s*\([^)]*\)", "", query)
    return {name for name in re.findall(r"[a-z][\w:]*", without_labels) if name.startswith("tabiji") or name == "up"}


def test_the_dashboards_are_what_the_generator_writes() -> None:
    module = generator()
    written = {path.stem: path.read_text("utf-8") for path in module.FOLDER.glob("*.json")}
    assert written == {name: module.text(made) for name, made in module.dashboards().items()}
    assert set(services()) | {"overview"} == set(written)


def test_rules_and_panels_ask_for_metrics_that_the_code_declares() -> None:
    recorded = {rule["record"] for name in RULES for rule in rules(name) if "record" in rule}
    known = declared() | recorded | OF_PROMETHEUS
    asked = [(rule.get("alert") or rule["record"], rule["expr"]) for name in RULES for rule in rules(name)]
    unknown = {where: names_in(query) - known for where, query in [*asked, *panel_queries()]}
    assert {where: names for where, names in unknown.items() if names} == {}
    assert all(names_in(query) for _, query in [*asked, *panel_queries()])


def test_a_metric_that_nobody_declares_would_be_found() -> None:
    assert names_in('sum by (job) (rate(tabiji_nothing_total{job="x"}[5m])) > 0') == {"tabiji_nothing_total"}
    assert "tabiji_nothing_total" not in declared()
    assert "tabiji_runtime_turn_seconds_bucket" in declared()


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_an_alert_has_a_runbook_of_four_parts_with_three_commands(alert: dict[str, Any]) -> None:
    path = ROOT / alert["annotations"]["runbook"]
    assert path == RUNBOOKS / f"{alert['alert']}.md"
    text = path.read_text("utf-8")
    assert text.startswith(f"# {alert['alert']}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == PARTS
    assert all(len(part.split("\n", 1)[1].strip()) > 40 for part in text.split("\n## ")[1:])
    assert len(commands(text)) == 3
    assert alert["labels"]["severity"] in {"page", "ticket"}


def test_there_is_no_runbook_without_an_alert() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == {str(alert["alert"]) for alert in alerts()} | {"README"}


def commands(text: str) -> list[str]:
    found = re.search(r"```sh\n(.*?)```", text, re.DOTALL)
    return found[1].splitlines() if found else []


def test_the_commands_of_runbooks_exist() -> None:
    there = {command.name or str(command.callback.__name__) for command in app.registered_commands if command.callback}
    there |= {str(group.name) for group in app.registered_groups}
    said = {
        word
        for path in RUNBOOKS.glob("*.md")
        for line in commands(path.read_text("utf-8"))
        for word in re.findall(r"^tabiji (\w+)", line)
    }
    assert said - there == set()


def test_the_routes_of_runbooks_exist() -> None:
    admin = (ROOT / "libs" / "common" / "tabiji_common" / "admin.py").read_text("utf-8")
    parked = (ROOT / "libs" / "common" / "tabiji_common" / "parked.py").read_text("utf-8")
    missing = []
    for path in RUNBOOKS.glob("*.md"):
        for port, route in re.findall(r"http://127\.0\.0\.1:(\d+)(/[\w/-]*)", path.read_text("utf-8")):
            service = {"1": "ingest", "2": "journey", "3": "dispatch", "4": "analytics"}[port[2]]
            home = ROOT / "services" / service / f"tabiji_{service}"
            code = "".join(file.read_text("utf-8") for file in (*home.glob("api.py"), *home.glob("api/*.py")))
            where = admin if port.startswith("9") else code + parked
            if not re.search(rf'"{re.escape(route)}["{{]', where):
                missing.append(f"{path.name}: {port}{route}")
    assert missing == []
