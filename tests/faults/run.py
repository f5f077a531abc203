"""``make faults``: every row in order, resumable. ROW=17 (or 1,2,8) for some, N= runs a row, FRESH=1 begins anew."""

from __future__ import annotations

import asyncio
import os
import sys
import time
import traceback

import asyncpg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tabiji_common.clock import LiveClock
from tests.conformance.harness import Stalled
from tests.faults import report, results
from tests.faults.ground import Ground, ground
from tests.faults.results import Run
from tests.faults.rows import register
from tests.faults.suite import ROWS, Figures, Row, Skipped


async def one(row: Row, place: Ground, seed: int, code: str) -> Run:
    """Tell the scenario once; whatever it raises is a failed run, but ``Skipped``."""
    begun = time.monotonic()
    failure, figures = "", Figures()
    try:
        async with asyncio.timeout(row.seconds):
            figures = await row.scenario(place, seed)
    except Skipped:
        raise
    except (TimeoutError, Stalled) as error:
        failure, figures = f"stalled: {error!r}", Figures(stalls=1)
    except Exception as error:  # noqa: BLE001 - a run that ends badly is a figure, too
        where = traceback.extract_tb(error.__traceback__)[-1]
        failure = f"{type(error).__name__}: {error} ({where.name}:{where.lineno})"
    return Run(seed, code, round(time.monotonic() - begun, 1), figures, failure)


async def tell(row: Row, place: Ground, seeds: list[int], code: str, progress: Progress) -> None:
    """All missing runs of a row, some at once; each is kept when it ends."""
    task = progress.add_task(f"{row.number:>2} {row.fault[:60]}", total=len(seeds))
    free = asyncio.Semaphore(row.at_once)

    async def tell_one(seed: int) -> None:
        async with free:
            try:
                run = await one(row, place, seed, code)
            except Skipped as reason:
                progress.console.print(f"row {row.number} is left out: {reason}", style="yellow")
                progress.advance(task)
                return
        kept = results.read(row.number)
        kept.runs = sorted([*kept.runs, run], key=lambda run: run.seed)
        kept.date = LiveClock().now().date().isoformat()
        results.keep(kept)
        if not run.clean:
            progress.console.print(f"row {row.number}, seed {seed}: {run.failure or run.figures}", style="red")
        progress.advance(task)

    await asyncio.gather(*(tell_one(seed) for seed in seeds))


async def servers(place: Ground) -> str:
    """Which broker and database."""
    connection = await asyncpg.connect(place.postgres.dsn())
    try:
        found = await connection.fetchval("SHOW server_version")
    finally:
        await connection.close()
    return f"PostgreSQL {found}, {report.kafka_version()}."


async def suite(place: Ground, rows: list[Row], console: Console) -> None:
    """The rows in order, then the document."""
    code = report.code()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        for row in rows:
            seeds = results.missing(row, int(os.environ.get("N") or row.runs))
            if seeds:
                await tell(row, place, seeds, code, progress)
    report.DOCUMENT.write_text(report.document(await servers(place)), "utf-8")


def main() -> int:
    """Run; 1 where a row asked for is not clean."""
    register()
    console = Console()
    asked = [int(word) for word in (os.environ.get("ROW") or "").replace(",", " ").split()] or sorted(ROWS)
    if unknown := [number for number in asked if number not in ROWS]:
        console.print(f"not built: {unknown}; there are {sorted(ROWS)}")
        return 2
    if os.environ.get("FRESH"):
        for number in asked:
            results.path(number).unlink(missing_ok=True)
    with ground() as place:
        asyncio.run(suite(place, [ROWS[number] for number in asked], console))
    console.print(report.on_terminal(asked))
    return int(any(not run.clean for number in asked for run in results.read(number).runs))


if __name__ == "__main__":
    sys.exit(main())
