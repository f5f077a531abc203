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

from tabiji_cli import keys
from tabiji_cli.already import require_unused
from tabiji_cli.demo.play import Options, Outcome, Stopped, played
from tabiji_cli.demo.report import report
from tabiji_cli.demo.runs import LiveRows
from tabiji_cli.demo.shop import NotAccepted
from tabiji_cli.demo.timemaster import RunFailed
from tabiji_cli.local import Say, Stack, stack, stop_on_signals
from tabiji_cli.palette import BAD, FAINT, GOAL, WARN
from tabiji_cli.processes import Ports
from tabiji_cli.services import CONSOLE, SERVICES, has_api
from tabiji_cli.stack.errors import StackError
from tabiji_cli.stack.home import default_home

EXPORT_WIDTH = 110


def demo(options: Options, console: Console, *, once: bool, save: Path | None) -> int:
    """Run the demo; the exit status: 0 where every check holds, 1 where one fails or nothing could be run.

    A run that is stopped has done what it was asked to, unless it is asked to run ``once``, to the end.
    """

    def say(line: str) -> None:
        console.print(Text("· ", style=FAINT) + Text(line, style=FAINT))

    try:
        ports = Ports.from_environment()
        require_unused(default_home())
        ports.require_free()
        with stack(say) as running:
            return uvloop.run(_demo(running, options, console, say, ports, once=once, save=save))
    except (KeyboardInterrupt, Stopped):
        say("stopped before the first tick, as asked")
        return int(once)
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
        shown = Group(*partial(outcome), report(outcome.evidence, outcome.checks), verdict(outcome))
        console.print(shown)
        if save:
            _save(shown, outcome, save)
            say(f"written to {save}")
        if not once and outcome.complete:
            console.print(where_to_look(outcome))
            await stop.wait()
        else:
            say(f"some of the mails, to be opened: {outcome.letters.folder}")
    say("draining and stopping everything that was started")
    return status(outcome, once=once)


def status(outcome: Outcome, *, once: bool) -> int:
    """The exit status: a stop is no failure, unless the run was to go to its end."""
    return 0 if outcome.held and (outcome.complete or not once) else 1


def partial(outcome: Outcome) -> list[Panel]:
    """Ahead of the tables of a run that was stopped: how far it came, and that they are of that part."""
    if outcome.complete:
        return []
    word = Text.assemble((f"Stopped at {outcome.reached}", "bold"), "; everything below is of that part of the log")
    return [Panel(word, border_style=WARN, style=WARN, expand=False)]


def verdict(outcome: Outcome) -> Panel:
    """The last word, in one line."""
    held = sum(check.ok for check in outcome.checks)
    colour = GOAL if outcome.held else BAD
    word = "every check holds" if outcome.held else f"{len(outcome.checks) - held} of {len(outcome.checks)} checks fail"
    if not outcome.complete:
        word = f"stopped at {outcome.reached}: the tables are of that part\n{word} so far"
        colour = WARN if outcome.held else BAD
    speed = f"{outcome.seconds:.1f} s, {outcome.ticks:,} ticks, {sum(outcome.evidence.events.values()):,} events"
    return Panel(Text.assemble((word, f"bold {colour}"), (f" · {speed}", FAINT)), border_style=colour, expand=False)


def where_to_look(outcome: Outcome) -> Panel:
    """URLs of the running services, until Ctrl-C, and the mails that they sent."""
    installation = outcome.installation
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(CONSOLE, style=f"bold {GOAL}"), Text(installation.url(CONSOLE), style="bold"))
    for service in SERVICES:
        api = f"{installation.url(service)}/docs  " if has_api(service) else ""
        where = Text.assemble(api, (f"{installation.admin(service)}/metrics", FAINT))
        grid.add_row(Text(service, style="bold"), where)
    grid.add_row("retention", f"{installation.url('analytics')}/v1/views/retention_monthly")
    grid.add_row("journeys", f"{installation.url('journey')}/v1/journeys")
    grid.add_row("operator key", keys.keys(default_home()).operator)
    grid.add_row("", Text("curl -H 'Authorization: Bearer …', and Authorize in /docs", style=FAINT))
    grid.add_row("database", installation.dsn.partition("@")[2])
    grid.add_row("files", str(outcome.folder))
    grid.add_row("mails", f"{outcome.letters.folder}: some of each kind, as .eml and .html")
    if page := outcome.letters.page():
        grid.add_row("open one", page)
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
