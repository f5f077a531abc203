"""Lines -> SVG with labels at their ends, and a column under every x that shows the figures when it is pointed at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10

from markupsafe import Markup

from tabiji_console.domain.cohorts import Line
from tabiji_console.domain.layout import pooled

TOP, BOTTOM = 14.0, 28.0
APART = 14.0  # labels at the ends of lines
NAMED = 6  # of the lines have a name at their end
KINDS = ("first", "second", "third")
Say = Callable[[float], str]


@dataclass(frozen=True)
class Paper:
    """How big a drawing is, and what is left beside it for words."""

    kind: str
    width: float
    height: float
    left: float
    right: float


PAPERS = (Paper("wide", 640.0, 320.0, 56.0, 84.0), Paper("narrow", 340.0, 240.0, 44.0, 62.0))


@dataclass(frozen=True)
class Scale:
    """Where a value is on the paper."""

    paper: Paper
    x_high: float
    y_high: float

    def x(self, value: float) -> float:
        """Along."""
        return self.paper.left + (self.paper.width - self.paper.left - self.paper.right) * value / self.x_high

    def y(self, value: float) -> float:
        """Down."""
        return self.paper.height - BOTTOM - (self.paper.height - TOP - BOTTOM) * value / self.y_high


@dataclass(frozen=True)
class Axis:
    """Values that have a word, and what is at either end."""

    ticks: Sequence[float]
    low: float
    high: float


def axis(highest: float, most: int = 5) -> Axis:
    """Round values from 0 to beyond ``highest``."""
    raw = max(highest, 1e-9) / most
    scale = 10.0 ** floor(log10(raw))
    step = next(step * scale for step in (1, 2, 2.5, 5, 10) if step * scale >= raw)
    count = ceil(highest / step) or 1
    return Axis([step * n for n in range(count + 1)], 0.0, step * count)


def draw(
    lines: Sequence[Line], title: str, ticks: Sequence[tuple[float, str]], amount: Say, at: Say, *, exact: Say
) -> Markup:
    """The curves, on a wide and on a narrow paper, of which a style sheet shows one.

    ``ticks`` are the words under x, ``amount`` (shorter) and ``exact`` write a y, ``at`` an x.
    """
    highest = axis(max((y for line in lines for _, y in line.points), default=0.0))
    x_high = max((x for line in lines for x, _ in line.points), default=1.0) or 1.0
    drawings = []
    for paper in PAPERS:
        scale = Scale(paper, x_high, highest.high)
        shown = [tick for n, tick in enumerate(ticks) if paper.kind == "wide" or n % 2 == 0 or len(ticks) < 5]
        parts = [
            *(_rule(scale, y, amount(y)) for y in highest.ticks),
            *(_under(scale, x, word) for x, word in shown if x <= x_high),
            *(_line(scale, line) for line in sorted(lines, key=lambda line: -line.rank)),
            *_labels(scale, lines),
            *_columns(scale, lines, exact, at),
        ]
        drawings.append(
            Markup(
                '<svg class="curves curves-{}" viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}" tabindex="0"'
                " data-arrows>{}</svg>"
            ).format(paper.kind, paper.width, paper.height, title, Markup(" ").join(parts))
        )
    return Markup("").join(drawings)


def _rule(scale: Scale, value: float, word: str) -> Markup:
    paper, y = scale.paper, scale.y(value)
    return Markup(
        '<path class="curve-rule" d="M{:.0f},{:.1f}H{:.0f}"/>'
        '<text class="curve-tick" x="{:.0f}" y="{:.1f}" text-anchor="end">{}</text>'
    ).format(paper.left, y, paper.width - paper.right, paper.left - 8, y + 4, word)


def _under(scale: Scale, value: float, word: str) -> Markup:
    return Markup('<text class="curve-tick" x="{:.1f}" y="{:.0f}" text-anchor="middle">{}</text>').format(
        scale.x(value), scale.paper.height - 6, word
    )


def _kind(line: Line) -> str:
    return KINDS[line.rank] if line.rank < len(KINDS) else "rest"


def _line(scale: Scale, line: Line) -> Markup:
    spots = [(scale.x(x), scale.y(y)) for x, y in line.points]
    path = "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    end_x, end_y = spots[-1]
    return Markup('<g class="curve {}"><path d="{}"/><circle cx="{:.1f}" cy="{:.1f}" r="3.5"/></g>').format(
        _kind(line), path, end_x, end_y
    )


def _labels(scale: Scale, lines: Sequence[Line]) -> list[Markup]:
    """At the ends of the lines that stand out, moved apart as little as it takes."""
    named = sorted((line for line in lines if line.rank < NAMED), key=lambda line: scale.y(line.points[-1][1]))
    wanted = [scale.y(line.points[-1][1]) - APART * n for n, line in enumerate(named)]
    apart = [y + APART * n for n, y in enumerate(pooled(wanted, [1.0] * len(wanted)))]
    return [
        Markup('<text class="curve-name {}" x="{:.1f}" y="{:.1f}">{}</text>').format(
            _kind(line), scale.x(line.points[-1][0]) + 9, y + 4, line.name
        )
        for line, y in zip(named, apart, strict=True)
    ]


def _columns(scale: Scale, lines: Sequence[Line], amount: Say, at: Say) -> list[Markup]:
    """Under every x a rectangle to point at, and a card that shows what the named lines are worth there."""
    paper = scale.paper
    every = sorted({x for line in lines for x, _ in line.points})
    edges = [paper.left - 6, *(scale.x((a + b) / 2) for a, b in pairwise(every)), paper.width - paper.right + 6]
    found = []
    for (begin, end), x in zip(pairwise(edges), every, strict=True):
        values = [(line, dict(line.points).get(x)) for line in lines if line.rank < NAMED]
        told = [(line, value) for line, value in values if value is not None]
        said = f"{at(x)}: " + ", ".join(f"{line.name} {amount(value)}" for line, value in told)
        card = _card(scale, scale.x(x), at(x), [(line, amount(value)) for line, value in told])
        found.append(
            Markup(
                '<g class="curve-column" data-said="{}"><rect x="{:.1f}" y="{:.0f}" width="{:.1f}" height="{:.0f}"/>'
                '<path class="curve-here" d="M{:.1f},{:.0f}V{:.0f}"/>{}</g>'
            ).format(
                said, begin, TOP, end - begin, paper.height - TOP - BOTTOM, scale.x(x), TOP, paper.height - BOTTOM, card
            )
        )
    return found


def _card(scale: Scale, x: float, title: str, told: Sequence[tuple[Line, str]]) -> Markup:
    width, height = 148.0, 30.0 + 17 * len(told)
    left = x + 12 if x + 12 + width < scale.paper.width - 4 else x - 12 - width
    rows = [
        Markup(
            '<text class="curve-row {}" x="{:.1f}" y="{:.1f}">{}</text> '
            '<text class="curve-row" x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>'
        ).format(_kind(line), left + 12, TOP + 38 + 17 * n, line.name, left + width - 12, TOP + 38 + 17 * n, worth)
        for n, (line, worth) in enumerate(told)
    ]
    return Markup(
        '<g class="curve-card"><rect x="{:.1f}" y="{:.0f}" width="{:.0f}" height="{:.0f}" rx="8"/>'
        '<text class="curve-head" x="{:.1f}" y="{:.0f}">{}</text> {}</g>'
    ).format(left, TOP, width, height, left + 12, TOP + 20, title, Markup(" ").join(rows))
