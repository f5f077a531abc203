"""``tabiji demo``: the stack up, one run, its report, and everything down again when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import uvloop
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tabiji_cli.demo.palette import BAD, FAINT, GOAL
from tabiji_cli.demo.play import Options, Outcome, played
from tabiji_cli.demo.report import report
from tabiji_cli.demo.runs import LiveRows
from tabiji_cli.demo.shop import NotAccepted
from tabiji_cli.demo.timemaster import RunFailed
from tabiji_cli.local import Say, Stack, stack, stop_on_signals
from tabiji_cli.processes import SERVICES, Installation, Ports
from tabiji_cli.stack.errors import StackError

EXPORT_WIDTH = 110


def demo(options: Options, console: Console, *, once: bool, save: Path | None) -> int:
    """Run the demo; the exit status: 0 where every check holds, 1 where one fails or nothing could be run."""

    def say(line: str) -> None:
        console.print(Text("· ", style=FAINT) + Text(line, style=FAINT))

    try:
        ports = Ports.from_environment()
        ports.require_free()
        with stack(say) as running:
            return uvloop.run(_demo(running, options, console, say, ports, once=once, save=save))
    except (StackError, LiveRows, RunFailed, NotAccepted) as error:
        console.print(Text(f"✗ {error}", style=BAD))
        return 1
    except asyncio.CancelledError:
        console.print(Text("✗ stopped at once", style=BAD))
        return 1


async def _demo(
    running: Stack, options: Options, console: Console, say: Say, ports: Ports, *, once: bool, save: Path | None
) -> int:
    stop = stop_on_signals()
    async with played(running, options, console, say, ports=ports, stop=stop) as outcome:
        shown = Group(report(outcome.evidence, outcome.checks), verdict(outcome))
        console.print(shown)
        if save:
            _save(shown, outcome, save)
            say(f"written to {save}")
        if not once and outcome.complete:
            console.print(where_to_look(outcome.installation, outcome.folder))
            await stop.wait()
    say("draining and stopping everything that was started")
    return 0 if outcome.ok else 1


def verdict(outcome: Outcome) -> Panel:
    """The last word, in one line."""
    held = sum(check.ok for check in outcome.checks)
    colour = GOAL if outcome.ok else BAD
    word = "every check holds" if outcome.ok else f"{len(outcome.checks) - held} of {len(outcome.checks)} checks fail"
    if not outcome.complete:
        word = f"stopped before the end; {word}"
    speed = f"{outcome.seconds:.1f} s, {outcome.ticks:,} ticks, {sum(outcome.evidence.events.values()):,} events"
    return Panel(Text.assemble((word, f"bold {colour}"), (f" · {speed}", FAINT)), border_style=colour, expand=False)


def where_to_look(installation: Installation, folder: Path) -> Panel:
    """URLs of the running services, until Ctrl-C."""
    grid = Table.grid(padding=(0, 2))
    for service in SERVICES:
        url, admin = installation.url(service), installation.admin(service)
        grid.add_row(Text(service, style="bold"), f"{url}/docs", f"{admin}/metrics", f"{admin}/readyz")
    grid.add_row("retention", f"{installation.url('analytics')}/v1/views/retention_monthly")
    grid.add_row("journeys", f"{installation.url('journey')}/v1/journeys")
    grid.add_row("database", installation.dsn.partition("@")[2])
    grid.add_row("the run's files", str(folder))
    return Panel(grid, title="Where to look · Ctrl-C stops everything", title_align="left", border_style=FAINT)


def _save(shown: Group, outcome: Outcome, path: Path) -> None:
    """The report as .svg, .html or plain text, or the digest as .json, by the name's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json":
        path.write_bytes(msgspec.json.format(msgspec.json.encode(outcome.digest)))
        return
    with Path("/dev/null").open("w") as nowhere:
        paper = Console(record=True, width=EXPORT_WIDTH, file=nowhere, force_terminal=True, color_system="truecolor")
        paper.print(shown)
    exports: dict[str, Callable[[], str]] = {
        ".svg": lambda: paper.export_svg(title="tabiji demo"),
        ".html": paper.export_html,
    }
    path.write_text(exports.get(path.suffix, paper.export_text)(), "utf-8")
