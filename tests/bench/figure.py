"""What a figure is: something measured, a ceiling measured in the same round, and the ratio that is aimed at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tests.bench.stage import Stage


@dataclass(frozen=True)
class Run:
    """One measurement: how many in how long, the CPU-seconds spent meanwhile by whom, and other values by name."""

    count: int
    seconds: float
    cpu: Mapping[str, float] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        return self.count / self.seconds

    @property
    def per_core(self) -> float:
        """Events for each CPU-second of everybody but the client."""
        return self.count / max(sum(self.cpu.values()), 1e-9)


Ratio = Callable[[Run, Run], float]


def by_rate(one: Run, other: Run) -> float:
    """Events a second."""
    return one.per_second / other.per_second


def by_core(one: Run, other: Run) -> float:
    """Events a CPU-second: what a neighbour on the machine takes does not count."""
    return one.per_core / other.per_core


def by_value(name: str) -> Ratio:
    """A value of the measurement's over the same value of the ceiling's."""
    return lambda one, other: one.values[name] / other.values[name]


def alone(name: str) -> Ratio:
    """A value of the measurement's, as it is: there is no ceiling."""
    return lambda one, _other: one.values[name]


@dataclass(frozen=True)
class Aim:
    """What the ratio should be, at least or (``most``) at most."""

    value: float
    most: bool = False
    unit: str = ""

    def met(self, ratio: float) -> bool:
        return ratio <= self.value if self.most else ratio >= self.value

    def __str__(self) -> str:
        return f"{'≤' if self.most else '≥'} {self.value:g}{self.unit}"


@dataclass(frozen=True)
class Pair:
    """What is run in every round; ``ceiling`` is None where a figure stands by itself."""

    measure: Callable[[], Awaitable[Run]]
    ceiling: Callable[[], Awaitable[Run]] | None


@dataclass(frozen=True)
class Figure:
    """``open`` prepares once and yields the pair; ``shows`` names the one of its numbers that is printed."""

    name: str
    title: str
    against: str
    aim: Aim
    ratio: Ratio
    open: Callable[[Stage], AbstractAsyncContextManager[Pair]]
    shows: str = "per_second"
    unit: str = "/s"

    @property
    def group(self) -> str:
        return self.name.partition("-")[0]

    def shown(self, run: Run) -> float:
        """The number of ``run`` that is printed."""
        return run.values[self.shows] if self.shows in run.values else float(getattr(run, self.shows))


def summary(figure: Figure, rounds: list[tuple[Run, Run]]) -> dict[str, Any]:
    """The medians of the rounds, as they go into the page and the JSON."""
    ratios = sorted(figure.ratio(*one) for one in rounds)
    measured = [one for one, _ in rounds]
    who = sorted({name for run in measured for name in run.cpu})
    return {
        "figure": figure.name,
        "title": figure.title,
        "against": figure.against,
        "unit": figure.unit,
        "rounds": len(rounds),
        "ratio": median(ratios),
        "lowest": ratios[0],
        "highest": ratios[-1],
        "aim": str(figure.aim),
        "met": figure.aim.met(median(ratios)),
        "measured": median(figure.shown(run) for run in measured),
        "ceiling": median(figure.shown(run) for _, run in rounds) if figure.against else None,
        "cpu_us": {name: median(run.cpu[name] / run.count * 1e6 for run in measured) for name in who},
        "cpu_us_ceiling": median(sum(run.cpu.values()) / run.count * 1e6 for _, run in rounds),
        "values": {name: median(run.values[name] for run in measured) for name in measured[0].values},
    }
