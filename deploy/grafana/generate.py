"""Writes the dashboards: ``python deploy/grafana/generate.py``. A test holds that the files are what this writes."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "dashboards"
ROOT = Path(__file__).parents[2]
Panel = tuple[str, str, list[tuple[str, str]]]  # title, unit, [(query, legend)]

WITHOUT_TURNS = ("ingest", "console")  # they apply no records
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))

OVERVIEW: list[Panel] = [
    ("Processes that answer", "short", [("sum by (job) (up)", "{{job}}")]),
    (
        "Promises: all 0",
        "short",
        [
            ("max(tabiji_journey_stuck_enrollments)", "stuck"),
            ("max(tabiji_journey_unbalanced_enrollments)", "unbalanced"),
            ("sum(tabiji_analytics_drift_cells) or vector(0)", "drift"),
            ("sum(tabiji_runtime_parked_customers)", "parked"),
            ("sum(tabiji_dispatch_unknown_messages)", "unknown"),
        ],
    ),
    ("Requests a second", "reqps", [("tabiji:http_requests:rate5m", "{{job}}")]),
    (
        "Share of 5xx",
        "percentunit",
        [("tabiji:http_errors:rate5m / tabiji:http_requests:rate5m or vector(0)", "{{job}}")],
    ),
    ("Answer time, 95 %", "s", [("tabiji:http_seconds:p95_5m", "{{job}}")]),
    (
        "Events accepted a second",
        "short",
        [("sum by (mode) (rate(tabiji_ingest_events_accepted_total[5m]))", "{{mode}}")],
    ),
    ("Records applied a second", "short", [("tabiji:records:rate5m", "{{job}}")]),
    ("Lag, records", "short", [("tabiji:lag:records", "{{job}}")]),
    ("Event to send, 95 %", "s", [("tabiji:event_to_send_seconds:p95_10m", "{{class}}")]),
    ("Timer lateness, 95 %", "s", [("tabiji:timer_lateness_seconds:p95_10m", "late")]),
    ("Outcomes a second", "short", [("sum by (state) (rate(tabiji_dispatch_outcomes_total[5m]))", "{{state}}")]),
    ("Dead letters in an hour", "short", [("sum by (job) (increase(tabiji_runtime_rejected_total[1h]))", "{{job}}")]),
]


def http(service: str) -> list[Panel]:
    """Rate, errors, duration of a service's API."""
    job = f'job="{service}"'
    return [
        ("Requests a second", "reqps", [(f"tabiji:http_requests:rate5m{{{job}}}", "requests")]),
        (
            "Share of 5xx",
            "percentunit",
            [(f"tabiji:http_errors:rate5m{{{job}}} / tabiji:http_requests:rate5m{{{job}}} or vector(0)", "errors")],
        ),
        ("Answer time, 95 %", "s", [(f"tabiji:http_seconds:p95_5m{{{job}}}", "p95")]),
    ]


def loop(service: str) -> list[Panel]:
    """The same of a service's turns, and what the runtime watches over."""
    job = f'job="{service}"'
    return [
        ("Records applied a second", "short", [(f"tabiji:records:rate5m{{{job}}}", "records")]),
        ("A turn, 95 %", "s", [(f"tabiji:turn_seconds:p95_5m{{{job}}}", "p95")]),
        ("Lag, records", "short", [(f"tabiji:lag:records{{{job}}}", "lag")]),
        (
            "Partition numbers",
            "short",
            [
                (f"sum(tabiji_runtime_owned_partitions{{{job}}})", "owned"),
                (f"max(tabiji_runtime_partitions{{{job}}})", "there are"),
            ],
        ),
        (
            "Outbox",
            "short",
            [
                (f"sum(tabiji_runtime_outbox_records{{{job}}})", "records"),
                (f"sum(tabiji_runtime_held_records{{{job}}})", "wait for their barrier"),
            ],
        ),
        ("Outbox, age of its head", "s", [(f"tabiji:outbox_age:seconds{{{job}}}", "age")]),
        (
            "Trouble",
            "short",
            [
                (f"sum(tabiji_runtime_parked_customers{{{job}}})", "parked"),
                (f"sum(increase(tabiji_runtime_rejected_total{{{job}}}[1h]))", "dead letters in an hour"),
                (f"sum(increase(tabiji_runtime_retries_total{{{job}}}[1h])) or vector(0)", "retries in an hour"),
                (f"sum(increase(tabiji_runtime_fenced_total{{{job}}}[1h])) or vector(0)", "fenced in an hour"),
            ],
        ),
    ]


OWN: dict[str, list[Panel]] = {
    "ingest": [
        (
            "Events accepted a second",
            "short",
            [("sum by (mode) (rate(tabiji_ingest_events_accepted_total[5m]))", "{{mode}}")],
        ),
        (
            "Refused a second",
            "short",
            [("sum by (kind) (rate(tabiji_ingest_events_refused_total[5m])) or vector(0)", "{{kind}}")],
        ),
        (
            "Appends without an ack in an hour",
            "short",
            [("sum(increase(tabiji_ingest_appends_failed_total[1h]))", "failed")],
        ),
        ("Bytes in flight", "bytes", [("sum(tabiji_ingest_flight_bytes)", "bytes")]),
        (
            "Opens, clicks, unsubscribes a second",
            "short",
            [("sum by (kind, by) (rate(tabiji_ingest_links_total[5m])) or vector(0)", "{{kind}} by {{by}}")],
        ),
        ("Write keys", "short", [("max(tabiji_ingest_write_keys)", "keys")]),
    ],
    "journey": [
        ("Waiting", "short", [("max by (journey) (tabiji_journey_waiting_enrollments)", "{{journey}}")]),
        ("Entered a second", "short", [("sum by (journey) (rate(tabiji_journey_entered_total[5m]))", "{{journey}}")]),
        ("Moves a second", "short", [("sum by (kind) (rate(tabiji_journey_transitions_total[5m]))", "{{kind}}")]),
        ("Timers fired a second", "short", [("sum(rate(tabiji_journey_timers_fired_total[5m]))", "fired")]),
        ("Timer lateness, 95 %", "s", [("tabiji:timer_lateness_seconds:p95_10m", "late")]),
        (
            "Stuck, unbalanced, miscounted: 0",
            "short",
            [
                ("max(tabiji_journey_stuck_enrollments)", "stuck"),
                ("max(tabiji_journey_unbalanced_enrollments)", "unbalanced"),
                ("max(tabiji_journey_miscounted_enrollments)", "miscounted"),
                ("max(tabiji_journey_overdue_enrollments)", "overdue"),
            ],
        ),
    ],
    "dispatch": [
        ("Outcomes a second", "short", [("sum by (state) (rate(tabiji_dispatch_outcomes_total[5m]))", "{{state}}")]),
        ("Waiting", "short", [("sum by (state) (tabiji_dispatch_waiting_messages)", "{{state}}")]),
        ("Unknown", "short", [("sum(tabiji_dispatch_unknown_messages)", "unknown")]),
        ("Event to send, 95 %", "s", [("tabiji:event_to_send_seconds:p95_10m", "{{class}}")]),
        (
            "One attempt, 95 %",
            "s",
            [
                (
                    "histogram_quantile(0.95, sum by (provider, le) (rate(tabiji_dispatch_send_seconds_bucket[5m])))",
                    "{{provider}}",
                )
            ],
        ),
        ("In flight", "short", [("sum by (provider) (tabiji_dispatch_in_flight_sends)", "{{provider}}")]),
        ("Stopped", "short", [("max by (provider) (tabiji_dispatch_provider_stopped)", "{{provider}}")]),
    ],
    "analytics": [
        ("New facts a second", "short", [("sum by (kind) (rate(tabiji_analytics_facts_total[5m]))", "{{kind}}")]),
        ("Drift: 0", "short", [("sum(tabiji_analytics_drift_cells) or vector(0)", "cells")]),
        (
            "Cells compared by the last recomputation",
            "short",
            [("sum(tabiji_analytics_checked_cells) or vector(0)", "cells")],
        ),
        (
            "Refunds without their order, in an hour",
            "short",
            [("sum(increase(tabiji_analytics_refunds_waiting_total[1h]))", "refunds")],
        ),
    ],
}


def dashboard(name: str, panels: list[Panel]) -> dict[str, Any]:
    """One dashboard, panels three in a row."""
    return {
        "uid": f"tabiji-{name}",
        "title": f"Tabiji: {name}",
        "tags": ["tabiji"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "panels": [_panel(n, *panel) for n, panel in enumerate(panels)],
    }


def _panel(n: int, title: str, unit: str, queries: list[tuple[str, str]]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "prometheus"}
    return {
        "id": n + 1,
        "type": "timeseries",
        "title": title,
        "datasource": source,
        "gridPos": {"h": 8, "w": 8, "x": n % 3 * 8, "y": n // 3 * 8},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(65 + k), "datasource": source, "expr": query, "legendFormat": legend}
            for k, (query, legend) in enumerate(queries)
        ],
    }


def dashboards() -> dict[str, dict[str, Any]]:
    """Every dashboard by the name of its file."""
    made = {"overview": dashboard("overview", OVERVIEW)}
    for name in SERVICES:
        of_loop = [] if name in WITHOUT_TURNS else loop(name)
        made[name] = dashboard(name, [*http(name), *of_loop, *OWN.get(name, [])])
    return made


def text(made: dict[str, Any]) -> str:
    """A dashboard as its file has it."""
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    for name, made in dashboards().items():
        (FOLDER / f"{name}.json").write_text(text(made), "utf-8")
