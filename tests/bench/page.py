"""Where figures are kept (docs/performance.json), and how they are shown: a table, and docs/performance.md."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from rich.table import Table

from tabiji_common.clock import LiveClock
from tests.bench.figure import Figure

DOCS = Path(__file__).parents[2] / "docs"
PAGE, DATA = DOCS / "performance.md", DOCS / "performance.json"
PACKAGES = ("aiokafka", "asyncpg", "fastapi", "uvicorn", "uvloop", "httptools", "msgspec", "httpx")
HEAD = """# Performance

Written by `make bench` (`ONLY=ingest` runs one group, `ROUNDS=n` sets the rounds); not by hand. Every figure is a ratio
to a ceiling that is measured in the same rounds, one after the other, on a real Apache Kafka and PostgreSQL on the same
machine; medians of the rounds, with the lowest and the highest ratio, which says how far to trust it. Absolute numbers
are what the machine did with whatever else ran on it, so only ratios compare. `/CPU-s` is events for each CPU-second of
service, broker and database together (the client, which runs on the machine too, is left out); CPU µs an event say who
had them.
"""


def keep(found: list[dict[str, Any]], figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """``found`` with where and when, over what was kept of other figures before; what is defined otherwise now goes."""
    kept = json.loads(DATA.read_text("utf-8"))["figures"] if DATA.exists() else []
    known = {one["figure"]: one for one in kept}
    known |= {one["figure"]: {**one, **machine()} for one in found}
    defined = {figure.name: (figure.title, figure.against, figure.unit, str(figure.aim)) for figure in figures}
    return [one for name, ways in defined.items() if (one := known.get(name)) and _ways(one) == ways]


def _ways(one: dict[str, Any]) -> tuple[str, ...]:
    return one["title"], one["against"], one["unit"], one["aim"]


def machine() -> dict[str, Any]:
    """When and where."""
    return {
        "at": LiveClock().now().isoformat(timespec="minutes"),
        "code": _commit(),
        "machine": f"{_processor()}, {psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB",
        "versions": f"Python {platform.python_version()}, Apache Kafka 4.4.0, PostgreSQL 18, "
        + ", ".join(f"{name} {version(name)}" for name in PACKAGES),
    }


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--exclude=*"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def cells(one: dict[str, Any]) -> list[str]:
    """One figure as the cells of a row."""
    ceiling = f"{one['against']}: {_number(one['ceiling'])}{one['unit']}" if one["against"] else "–"
    spread = f" ({_number(one['lowest'])}–{_number(one['highest'])})" if one["rounds"] > 1 else ""
    cpu = " / ".join(f"{one['cpu_us'].get(name, 0):,.0f}" for name in ("service", "kafka", "postgres"))
    return [
        f"`{one['figure']}`",
        one["title"],
        f"{_number(one['measured'])}{one['unit']}",
        ceiling,
        f"**{_number(one['ratio'])}**{spread}",
        one["aim"],
        "yes" if one["met"] else "no",
        cpu if one["cpu_us"] else "–",
    ]


COLUMNS = (
    "figure",
    "what",
    "measured",
    "ceiling",
    "ratio",
    "aim",
    "met",
    "CPU µs an event: service / Kafka / PostgreSQL",
)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def line(one: dict[str, Any]) -> str:
    """One figure as it is done."""
    return f"{one['figure']}: {_number(one['ratio'])} (aim {one['aim']}), {_number(one['measured'])}{one['unit']}"


def table(figures: list[dict[str, Any]]) -> Table:
    """For the terminal."""
    made = Table(*(column for column in COLUMNS), title="Figures, each a ratio to a ceiling in the same rounds")
    for one in figures:
        made.add_row(*(cell.replace("**", "").strip("`") for cell in cells(one)))
    return made


def write(figures: list[dict[str, Any]], every: Sequence[Figure]) -> None:
    """The JSON file and the page, which names those of ``every`` figure that nobody has run yet."""
    DATA.write_text(json.dumps({"figures": figures}, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")
    rows = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    rows += ["| " + " | ".join(cells(one)) + " |" for one in figures]
    more = [f"* `{one['figure']}`: {_values(one['values'])}" for one in figures if one["values"]]
    known = {one["figure"] for one in figures}
    if missing := [f"`{figure.name}`" for figure in every if figure.name not in known]:
        more.append(f"* Not run yet: {', '.join(missing)}")
    parts = [HEAD, "\n".join(rows), *(["Beside them:\n\n" + "\n".join(more)] if more else []), _runs(figures)]
    PAGE.write_text("\n\n".join(part.strip() for part in parts) + "\n", "utf-8")


def _values(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {_number(value)}" for name, value in values.items())


def _runs(figures: list[dict[str, Any]]) -> str:
    """Which figures were taken when, on what code."""
    runs: dict[tuple[str, ...], list[str]] = {}
    for one in figures:
        key = (one["at"], one["code"], str(one["rounds"]), one["machine"], one["versions"])
        runs.setdefault(key, []).append(f"`{one['figure']}`")
    lines = [
        f"* {at}, code {code}, {count} rounds: {', '.join(names)}. {where}. {what}."
        for (at, code, count, where, what), names in runs.items()
    ]
    return "## Runs\n\n" + "\n".join(lines)
