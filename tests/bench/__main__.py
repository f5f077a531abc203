"""``make bench``: every figure in interleaved rounds with its ceiling; a table, a JSON file and a page.

``SHAPE=peers`` takes the shapes that other systems were measured at. ``ONLY=ingest`` (a group or a figure, several with
commas), ``ROUNDS=3`` (0 writes the page again). Figures that were not run keep what the JSON file says of them, unless
they are defined otherwise now.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tabiji_common import logs
from tests.bench import analytics, dispatch, ingest, journey, owners, page, peers, road, timers
from tests.bench.figure import Figure, Pair, Run, summary
from tests.bench.stage import Stage, stage

FIGURES: tuple[Figure, ...] = (
    *ingest.FIGURES,
    *journey.FIGURES,
    *timers.FIGURES,
    *dispatch.FIGURES,
    *analytics.FIGURES,
    *road.FIGURES,
    *owners.FIGURES,
)
SHAPES = {"": FIGURES, "peers": peers.FIGURES}
EVERY = (*FIGURES, *peers.FIGURES)


def chosen(only: str, shape: str) -> list[Figure]:
    """The figures that ``only`` names; all of the ``shape`` where it is empty."""
    names = {name for name in only.split(",") if name}
    figures = EVERY if names else SHAPES[shape]
    found = [figure for figure in figures if not names or names & {figure.name, figure.group}]
    unknown = names - {figure.name for figure in EVERY} - {figure.group for figure in EVERY}
    if unknown:
        sys.exit(f"no figure is called {', '.join(sorted(unknown))}; there are {', '.join(f.name for f in EVERY)}")
    return found


async def rounds(figure: Figure, on: Stage, count: int, step: Any) -> list[tuple[Run, Run]]:
    """``count`` rounds of the measurement and its ceiling, whichever goes first in turn."""
    done: list[tuple[Run, Run]] = []
    async with figure.open(on) as pair:
        step()
        for number in range(count):
            done.append(await _round(pair, ceiling_first=bool(number % 2)))
            step()
    return done


async def _round(pair: Pair, *, ceiling_first: bool) -> tuple[Run, Run]:
    if pair.ceiling is None:
        run = await pair.measure()
        return run, run
    if ceiling_first:
        ceiling = await pair.ceiling()
        return await pair.measure(), ceiling
    return await pair.measure(), await pair.ceiling()


async def run(figures: list[Figure], count: int, console: Console) -> list[dict[str, Any]]:
    """Every figure's summary, written down as it is known; one that fails is said, and the others go on."""
    found = []
    columns = (TextColumn("{task.description:<18}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with stage() as on, Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(figures) * (count + 1))
        for figure in figures:
            progress.update(task, description=figure.name)
            try:
                took = await rounds(figure, on, count, lambda: progress.advance(task))
            except Exception:  # noqa: BLE001 - shown, and the run fails at its end
                console.print_exception()
                continue
            found.append(summary(figure, took))
            page.write(page.keep(found[-1:], EVERY), EVERY)
            console.print(page.line(found[-1]))
    return found


def main() -> None:
    """Run what is asked for, then write it all down."""
    console = Console()
    logs.configure("bench", "ERROR")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what was started, as Ctrl-C does
    only, count = os.environ.get("ONLY", ""), int(os.environ.get("ROUNDS", "3"))
    figures = chosen(only, os.environ.get("SHAPE", ""))
    found = uvloop.run(run(figures, count, console)) if count else []
    page.write(page.keep([], EVERY), EVERY)
    console.print(page.table(page.keep([], EVERY)))
    console.print(f"{page.PAGE.name} and {page.DATA.name} are written in docs/")
    sys.exit(bool(count) and len(found) < len(figures))


if __name__ == "__main__":
    main()
