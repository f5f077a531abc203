"""The picture while a run goes on: where time stands, how fast, who is where, what became of messages."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tabiji_cli.demo.evidence import JourneyCount
from tabiji_cli.demo.scene import Scene, civil, span
from tabiji_cli.palette import BAD, FAINT, GOAL, ROAD, WARN, bar

LINE_EVERY = 5.0  # seconds between two lines where there is no terminal
AROUND = 10  # lines of the picture that are not blocks
GOALS = {"converted", "purchased"}
STATES = {"sent": ROAD, "delivered": ROAD, "suppressed": FAINT, "failed": BAD, "unknown": WARN}


@dataclass(frozen=True)
class Line:
    """One line of a block: a name, how many, and what share of all that is."""

    name: str
    count: int
    share: float
    colour: str = ROAD


@dataclass(frozen=True)
class Block:
    """A list under a heading."""

    heading: str
    total: int
    lines: Sequence[Line]

    def render(self, most: int) -> RenderableType:
        """At most ``most`` lines: those with nobody are left out first, then the smallest."""
        kept = list(self.lines)
        for line in sorted(self.lines, key=lambda line: line.count)[: max(0, len(kept) - most)]:
            kept.remove(line)
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=22, no_wrap=True, overflow="ellipsis")
        grid.add_column(justify="right", min_width=6)
        grid.add_column()
        grid.add_row(Text(self.heading, style="bold"), Text(f"{self.total:,}", style="bold"))
        for line in kept:
            style = line.colour if line.count else FAINT
            grid.add_row(Text(f" {line.name}", style=style), f"{line.count:,}", bar(line.share, 6, line.colour))
        return grid


class Picture:
    """A scene, drawn to the size of the terminal."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Blocks stand side by side where there is room, and lose lines where there is none."""
        blocks = [*map(_journey, self._scene.journeys), _messages(self._scene)]
        columns = max(1, min(len(blocks), (options.max_width - 6) // 38))
        rows = -(-len(blocks) // columns)
        most = max(4, (console.height - AROUND) // rows - 2) if console.is_terminal else 99
        grid = Table.grid(padding=(0, 2, 1, 0))
        for first in range(0, len(blocks), columns):
            grid.add_row(*(block.render(most) for block in blocks[first : first + columns]))
        yield Panel(
            Group(_clock(self._scene, options.max_width), Text(), grid),
            title=f"[bold]旅路 Tabiji[/] · {self._scene.title}",
            title_align="left",
            border_style=FAINT,
            padding=(1, 2, 0, 2),
        )


def _clock(scene: Scene, width: int) -> RenderableType:
    row = Table.grid(padding=(0, 3))
    row.add_row(
        Text(civil(scene.now), style=f"bold {ROAD}"),
        ProgressBar(
            total=1.0, completed=scene.share, width=max(10, width - 60), complete_style=ROAD, finished_style=GOAL
        ),
        Text(f"{scene.share:4.0%}", style="bold"),
        Text(f"{span(scene.eta)} left", style=FAINT),
    )
    facts = (
        f"{scene.events:,} events accepted · {scene.rate:,.0f}/s · lag {scene.lag:,} · "
        f"{scene.ticks:,} ticks · {span(scene.elapsed)} so far"
    )
    return Group(row, Text.assemble((facts, FAINT), (f"  {scene.note}" if scene.note else "", WARN)))


def _journey(count: JourneyCount) -> Block:
    everyone = count.entered or 1
    lines = [Line(state, people, people / everyone) for state, people in count.waiting.items()]
    lines += [
        Line(f"↗ {reason}", people, people / everyone, GOAL if reason in GOALS else FAINT)
        for reason, people in count.exited.items()
    ]
    lines.append(Line("■ finished", count.finished, count.finished / everyone, FAINT))
    return Block(f"{count.journey}", count.entered, lines)


def _messages(scene: Scene) -> Block:
    everything = sum(scene.outcomes.values())
    lines = [
        Line(name, count, count / (everything or 1), STATES.get(name.split()[0], FAINT))
        for name, count in scene.outcomes.items()
    ]
    lines += [Line(f"✉ {what}", count, count / (scene.mails or 1)) for what, count in scene.reactions.items()]
    return Block("messages", everything, lines)


def told(scene: Scene) -> str:
    """The moment in one line, for logs."""
    waiting = sum(sum(count.waiting.values()) for count in scene.journeys)
    return "  ".join(
        [
            f"{civil(scene.now)}  {scene.share:4.0%}  {span(scene.eta)} left",
            f"{scene.events:,} events  {scene.rate:,.0f}/s  lag {scene.lag:,}",
            f"{waiting:,} waiting  {scene.mails:,} mails",
            scene.note,
        ]
    ).rstrip()


class Display:
    """Shows scenes: a live picture on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._told = 0.0

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, scene: Scene) -> None:
        """Show ``scene``; cheap enough for several calls a second."""
        if self._live:
            self._live.update(Picture(scene), refresh=True)
        elif time.monotonic() - self._told > LINE_EVERY:
            self._told = time.monotonic()
            self._console.print(told(scene), highlight=False, soft_wrap=True)
