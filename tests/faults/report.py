"""The fault suite's table, on the terminal and as docs/faults.md."""

from __future__ import annotations

import platform
import statistics
import subprocess
import tomllib
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

import psutil
from rich import box
from rich.table import Table

from tests.faults.results import Kept, read
from tests.faults.suite import LIST, ROWS

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "faults.md"
COLUMNS = ("row", "fault", "runs", "faults", "events", "lost", "doubled", "inversions", "unknown", "stalls", "others")


def code() -> str:
    """The commit that runs, marked where the tree, but for what is written here, differs from it."""
    commit = _git("rev-parse", "--short=10", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", f":!{DOCUMENT.relative_to(ROOT)}")
    return f"{commit}-dirty" if changed else commit or "unknown"


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def rule_of_three(count: int, trials: int) -> str:
    """A count; none in ``trials`` independent ones is said as what it excludes with 95 % confidence."""
    if count or not trials:
        return f"{count:,}"
    return f"0 (< 3/{trials:,})"


def others(kept: Kept) -> str:
    """A row's own figures: median, and the worst where runs differ."""
    found: dict[str, list[float]] = defaultdict(list)
    for run in kept.runs:
        for name, value in run.figures.other.items():
            found[name].append(value)
    shown = []
    for name, values in found.items():
        middle, most = statistics.median(values), max(values)
        shown.append(f"{name} {middle:,.4g}" + (f" (most {most:,.4g})" if most > middle else ""))
    return "; ".join(shown)


def cells(number: int) -> list[str]:
    """One line of the table."""
    fault, holds = LIST[number]
    kept = read(number)
    if number not in ROWS and number != 33:
        return [str(number), f"{fault} → {holds}", "not built", *[""] * 8]
    if not kept.runs:
        return [str(number), f"{fault} → {holds}", "not run", *[""] * 8]
    failed = sum(not run.clean for run in kept.runs)
    faults = kept.sum("faults")
    return [
        str(number),
        f"{fault} → {holds}",
        f"{len(kept.runs)}" + (f", **{failed} failed**" if failed else ""),
        f"{faults:,}",
        f"{kept.sum('events'):,}",
        *(rule_of_three(kept.sum(name), faults) for name in ("lost", "doubled", "inversions")),
        f"{kept.sum('unknown'):,}",
        rule_of_three(kept.sum("stalls"), faults),
        others(kept),
    ]


def on_terminal(numbers: list[int]) -> Table:
    """The rows asked for."""
    table = Table(*COLUMNS, box=box.SIMPLE)
    for number in numbers:
        first, _, *rest = cells(number)
        table.add_row(first, LIST[number][0][:40], *rest)
    return table


def kafka_version() -> str:
    """As the lock file pins it."""
    endpoint = tomllib.loads((ROOT / "deploy" / "local" / "jgo.lock.toml").read_text("utf-8"))
    found = next(jar for jar in endpoint["dependencies"] if jar["artifactId"] == "kafka-clients")
    return f"Apache Kafka {found['version']}"


def machine() -> str:
    """Cores, memory and system."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{psutil.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}, {platform.machine()}"
    )


def versions() -> str:
    """What the figures hang on beside our own code."""
    names = ("aiokafka", "asyncpg", "fastapi", "aiosmtplib", "uvloop")
    found = [f"Python {platform.python_version()}"]
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except ModuleNotFoundError:
            continue
    return ", ".join(found)


def document(servers: str) -> str:
    """docs/faults.md."""
    kept = {number: read(number) for number in LIST}
    lines = [
        "# Faults: what was broken on purpose, and what held",
        "",
        "Written by `make faults` (`ROW=17` for one row, `N=` runs a row); `make soak` writes row 33. Every run is on",
        "the real broker and database; ledgers outside the system (what clients were told, what providers took, rows",
        "and log read from outside) decide. None in n faults is shown as “0 (< 3/n)”, the bound that n excludes with",
        "95 % confidence. A run in which anything was lost, doubled, out of order or stood still has failed, and so",
        "has one whose checkers complained.",
        "",
        f"Machine: {machine()} (shared with other work: times are noisy). {versions()}. {servers}",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|---" * len(COLUMNS) + "|",
        *("| " + " | ".join(cells(number)) + " |" for number in LIST),
        "",
        "## Smaller than the list asks",
        "",
        *(f"* Row {number}: {ROWS[number].note}" for number in LIST if number in ROWS and ROWS[number].note),
        "",
        "## When, on which code",
        "",
        *_dates(kept),
    ]
    failures = [
        f"* Row {number}, seed {run.seed}: {' '.join(run.failure.split())[:400] or run.figures}"
        for number in LIST
        for run in kept[number].runs
        if not run.clean
    ]
    if failures:
        lines += ["", "## Failed runs", "", *failures]
    return "\n".join(lines) + "\n"


def _dates(kept: dict[int, Kept]) -> list[str]:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for number, one in kept.items():
        for at in dict.fromkeys(run.code for run in one.runs):
            found[one.date, at].append(str(number))
    return [f"* {date}, commit {at}: rows {', '.join(numbers)}" for (date, at), numbers in sorted(found.items())]
