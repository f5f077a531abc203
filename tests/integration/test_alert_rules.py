"""Prometheus' own tool on our rules, configuration and metrics: an alert fires in one case and is silent in another."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.architecture.test_alerts import alerts
from tests.architecture.tree import ROOT

RULES = sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))
Series = dict[str, str]

JOURNEY = 'job="journey",group="journey"'
SLOW = 'tabiji_runtime_http_request_seconds_bucket{job="analytics",group="analytics",le='
LATE = 'tabiji_dispatch_event_to_send_seconds_bucket{class="transactional",le='
ANSWERS = 'tabiji_runtime_http_requests_total{job="journey",group="journey",status='

# alert -> labels it fires with, series that make it fire, the same series when all is well; one value a minute
CASES: dict[str, tuple[dict[str, str], Series, Series]] = {
    "TabijiDown": (
        {"job": "journey", "instance": "a"},
        {'up{job="journey",instance="a"}': "0x40"},
        {'up{job="journey",instance="a"}': "1x40"},
    ),
    "TabijiErrors": (
        {"job": "journey"},
        {f'{ANSWERS}"2xx"}}': "0+60x40", f'{ANSWERS}"5xx"}}': "0+10x40"},
        {f'{ANSWERS}"2xx"}}': "0+60x40", f'{ANSWERS}"5xx"}}': "0+1x40"},
    ),
    "TabijiSlow": (
        {"job": "analytics"},
        {f'{SLOW}"1"}}': "0x40", f'{SLOW}"2.5"}}': "0+60x40", f'{SLOW}"+Inf"}}': "0+60x40"},
        {f'{SLOW}"1"}}': "0+60x40", f'{SLOW}"2.5"}}': "0+60x40", f'{SLOW}"+Inf"}}': "0+60x40"},
    ),
    "TabijiLag": (
        {"job": "journey"},
        {f"tabiji_runtime_lag_records{{{JOURNEY}}}": "20000+100x40"},
        {f"tabiji_runtime_lag_records{{{JOURNEY}}}": "200000-2000x40"},
    ),
    "TabijiUnowned": (
        {"job": "journey"},
        {
            f"tabiji_runtime_partitions{{{JOURNEY}}}": "12x40",
            f'tabiji_runtime_owned_partitions{{{JOURNEY},instance="a"}}': "6x40",
            f'tabiji_runtime_owned_partitions{{{JOURNEY},instance="b"}}': "5x40",
        },
        {
            f"tabiji_runtime_partitions{{{JOURNEY}}}": "12x40",
            f'tabiji_runtime_owned_partitions{{{JOURNEY},instance="a"}}': "6x40",
            f'tabiji_runtime_owned_partitions{{{JOURNEY},instance="b"}}': "6x40",
        },
    ),
    "TabijiOutboxOld": (
        {"job": "journey"},
        {f"tabiji_runtime_outbox_age_seconds{{{JOURNEY}}}": "0+60x40"},
        {f"tabiji_runtime_outbox_age_seconds{{{JOURNEY}}}": "0.01x40"},
    ),
    "TabijiRetrying": (
        {"job": "journey"},
        {f"tabiji_runtime_retries_total{{{JOURNEY}}}": "0+10x40"},
        {f"tabiji_runtime_retries_total{{{JOURNEY}}}": "0+1x40"},
    ),
    "TabijiInbox": (
        {"job": "journey"},
        {f"tabiji_runtime_inbox_missing_partitions{{{JOURNEY}}}": "2x40"},
        {f"tabiji_runtime_inbox_missing_partitions{{{JOURNEY}}}": "8x5 0x35"},
    ),
    "TabijiStuck": (
        {},
        {"tabiji_journey_unbalanced_enrollments": "1x40"},
        {"tabiji_journey_stuck_enrollments": "0x40"},
    ),
    "TabijiParked": (
        {"job": "journey"},
        {f"tabiji_runtime_parked_customers{{{JOURNEY}}}": "1x40"},
        {f"tabiji_runtime_parked_customers{{{JOURNEY}}}": "0x40"},
    ),
    "TabijiUnknown": ({}, {"tabiji_dispatch_unknown_messages": "2x40"}, {"tabiji_dispatch_unknown_messages": "0x40"}),
    "TabijiDrift": (
        {"view": "ltv_by_cohort"},
        {'tabiji_analytics_drift_cells{view="ltv_by_cohort"}': "1x40"},
        {'tabiji_analytics_drift_cells{view="ltv_by_cohort"}': "0x40"},
    ),
    "TabijiDeadLetters": (
        {"job": "journey"},
        {f"tabiji_runtime_rejected_total{{{JOURNEY}}}": "0x25 1x15"},
        {f"tabiji_runtime_rejected_total{{{JOURNEY}}}": "7x40"},
    ),
    "TabijiTimersLate": (
        {},
        {"tabiji_journey_overdue_enrollments": "5x40"},
        {"tabiji_journey_overdue_enrollments": "0x40"},
    ),
    "TabijiTimersHeld": (
        {"job": "journey"},
        {f"tabiji_runtime_restored{{{JOURNEY}}}": "1x40"},
        {f"tabiji_runtime_restored{{{JOURNEY}}}": "0x40"},
    ),
    "TabijiSendsSlow": (
        {"class": "transactional"},
        {f'{LATE}"60"}}': "0x40", f'{LATE}"300"}}': "0+6x40", f'{LATE}"+Inf"}}': "0+6x40"},
        {f'{LATE}"60"}}': "0+6x40", f'{LATE}"300"}}': "0+6x40", f'{LATE}"+Inf"}}': "0+6x40"},
    ),
    "TabijiProviderStopped": (
        {"provider": "smtp"},
        {'tabiji_dispatch_provider_stopped{provider="smtp"}': "1x40"},
        {'tabiji_dispatch_provider_stopped{provider="smtp"}': "0x40"},
    ),
}


def promtool(*words: str, said: bytes | None = None) -> str:
    """What it says; fails where it finds anything."""
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed (Debian: apt install prometheus)")
    done = subprocess.run([tool, *words], input=said, capture_output=True, check=False)
    told = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, told
    return told


def case(alert: dict[str, Any], series: Series, fires_with: dict[str, str] | None) -> dict[str, Any]:
    labels = {} if fires_with is None else {**alert["labels"], **fires_with}
    expected = [{"exp_labels": labels, "exp_annotations": alert["annotations"]}] if labels else []
    return {
        "name": alert["alert"],
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"eval_time": "30m", "alertname": alert["alert"], "exp_alerts": expected}],
    }


def test_every_alert_fires_when_it_should_and_is_silent_when_all_is_well(tmp_path: Path) -> None:
    assert set(CASES) == {alert["alert"] for alert in alerts()}
    tests = []
    for alert in alerts():
        labels, firing, silent = CASES[alert["alert"]]
        tests += [case(alert, firing, labels), case(alert, silent, None)]
    written = {"rule_files": [str(path) for path in RULES], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "rules.test.yml").write_text(yaml.safe_dump(written, sort_keys=False), "utf-8")
    promtool("test", "rules", str(tmp_path / "rules.test.yml"))


def test_the_rules_and_the_configuration_are_sound(tmp_path: Path) -> None:
    promtool("check", "rules", *map(str, RULES))
    text = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text("utf-8")
    here = tmp_path / "prometheus.yml"
    here.write_text(text.replace("/etc/prometheus", str(ROOT / "deploy" / "prometheus")), "utf-8")
    promtool("check", "config", str(here))


SHOW = """
import importlib, sys
from prometheus_client import generate_latest
for name in sys.argv[1:]:
    importlib.import_module(name)
sys.stdout.buffer.write(generate_latest())
"""


def test_the_metrics_are_named_and_described_as_prometheus_asks() -> None:
    found = [*ROOT.glob("libs/*/tabiji_*/metrics.py"), *ROOT.glob("services/*/tabiji_*/metrics.py")]
    names = [f"{path.parent.name}.metrics" for path in found]
    shown = subprocess.run([sys.executable, "-c", SHOW, *names], capture_output=True, check=True)
    assert len(names) >= 5
    promtool("check", "metrics", said=shown.stdout)
