"""The picture while a run goes on: where time stands, how fast, who is where, what became of messages."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tabiji_cli.demo.evidence import JourneyCount
from tabiji_cli.demo.inputs import SHOP_ZONE
from tabiji_cli.demo.palette import BAD, FAINT, GOAL, ROAD, WARN, bar

LINE_EVERY = 5.0  # seconds between two lines where there is no terminal
STATE_COLOURS = {"sent": ROAD, "delivered": ROAD, "suppressed": FAINT, "failed": BAD, "unknown": WARN}


@dataclass(frozen=True)
class Scene:
    """One moment of a run."""

    title: str
    start: datetime
    end: datetime
    now: datetime
    elapsed: float
    ticks: int
    events: int
    rate: float
    lag: int
    journeys: Sequence[JourneyCount] = ()
    outcomes: Mapping[str, int] = field(default_factory=dict)
    mails: int = 0
    reactions: Mapping[str, int] = field(default_factory=dict)
    note: str = ""

    @property
    def share(self) -> float:
        """How much of simulated time has passed."""
        return min(max((self.now - self.start) / (self.end - self.start), 0.0), 1.0)

    @property
    def eta(self) -> float | None:
        """Seconds left at the pace so far; ``None`` in the first moments."""
        return self.elapsed * (1 - self.share) / self.share if self.share > 0.01 else None


def render(scene: Scene) -> RenderableType:
    """The whole picture."""
    return Panel(
        Group(_clock(scene), Text(), Columns([_journeys(scene), _messages(scene)], padding=(0, 4))),
        title=f"[bold]旅路 Tabiji[/] · {scene.title}",
        title_align="left",
        border_style=FAINT,
        padding=(1, 2),
    )


def line(scene: Scene) -> str:
    """The moment in one line, for logs."""
    waiting = sum(sum(count.waiting.values()) for count in scene.journeys)
    return (
        f"{_civil(scene.now)}  {scene.share:4.0%}  ETA {_span(scene.eta)}  {scene.events:,} events  "
        f"{scene.rate:,.0f}/s  "
        f"lag {scene.lag}  {waiting:,} waiting  {scene.mails:,} mails{'  ' + scene.note if scene.note else ''}"
    )


def _clock(scene: Scene) -> RenderableType:
    row = Table.grid(padding=(0, 3))
    row.add_row(
        Text(_civil(scene.now), style=f"bold {ROAD}"),
        ProgressBar(total=1.0, completed=scene.share, width=36, complete_style=ROAD, finished_style=GOAL),
        Text(f"{scene.share:4.0%}", style="bold"),
        Text(f"ETA {_span(scene.eta)}", style=FAINT),
    )
    facts = (
        f"{scene.events:,} events accepted · {scene.rate:,.0f}/s · lag {scene.lag:,} · "
        f"{scene.ticks:,} ticks · {_span(scene.elapsed)} so far"
    )
    note = Text(scene.note, style=WARN) if scene.note else Text()
    return Group(row, Text(facts, style=FAINT), note)


def _journeys(scene: Scene) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(min_width=18)
    grid.add_column(justify="right", min_width=7)
    grid.add_column()
    for count in scene.journeys:
        grid.add_row(
            Text(count.journey, style="bold"), Text(f"{count.entered:,}", style="bold"), Text("entered", style=FAINT)
        )
        for state, people in count.waiting.items():
            grid.add_row(Text(f"  {state}"), f"{people:,}", bar(people / (count.entered or 1), 16))
        for reason, people in count.exited.items():
            colour = GOAL if reason == "converted" else FAINT
            grid.add_row(
                Text(f"  ↗ {reason}", style=colour), f"{people:,}", bar(people / (count.entered or 1), 16, colour)
            )
        grid.add_row(
            Text("  ■ finished", style=FAINT),
            f"{count.finished:,}",
            bar(count.finished / (count.entered or 1), 16, FAINT),
        )
    return grid


def _messages(scene: Scene) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(min_width=18)
    grid.add_column(justify="right", min_width=7)
    grid.add_column()
    total = sum(scene.outcomes.values()) or 1
    grid.add_row(Text("messages", style="bold"), Text(f"{sum(scene.outcomes.values()):,}", style="bold"), "")
    for name, count in scene.outcomes.items():
        colour = STATE_COLOURS.get(name.split()[0], FAINT)
        grid.add_row(Text(f"  {name}", style=colour), f"{count:,}", bar(count / total, 16, colour))
    grid.add_row(Text("mailbox", style="bold"), Text(f"{scene.mails:,}", style="bold"), "")
    for what, count in scene.reactions.items():
        grid.add_row(Text(f"  {what}"), f"{count:,}", bar(count / (scene.mails or 1), 16))
    return grid


def _civil(when: datetime) -> str:
    return f"{when.astimezone(SHOP_ZONE):%Y-%m-%d %a %H:%M} 東京"


def _span(seconds: float | None) -> str:
    return "–:––" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Display:
    """Shows scenes: a live panel on a terminal, a line now and then elsewhere."""

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
            self._live.update(render(scene), refresh=True)
        elif time.monotonic() - self._told > LINE_EVERY:
            self._told = time.monotonic()
            self._console.print(line(scene), highlight=False, soft_wrap=True)
