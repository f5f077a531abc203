"""One moment of a run, as the picture needs it; names keep their places from one moment to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import yaml

from tabiji_cli.demo.evidence import JourneyCount
from tabiji_cli.demo.life import SHOP_ZONE


@dataclass(frozen=True)
class Scene:
    """Where a run stands.

    elapsed  machine seconds             rate   accepted events a second of them
    states   of every journey, in the order of its road
    """

    title: str
    start: datetime
    end: datetime
    now: datetime
    elapsed: float = 0.0
    ticks: int = 0
    events: int = 0
    rate: float = 0.0
    lag: int = 0
    journeys: Sequence[JourneyCount] = ()
    outcomes: Mapping[str, int] = field(default_factory=dict)
    mails: int = 0
    reactions: Mapping[str, int] = field(default_factory=dict)
    note: str = ""
    states: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """How much of simulated time has passed."""
        return min(max((self.now - self.start) / (self.end - self.start), 0.0), 1.0)

    @property
    def eta(self) -> float | None:
        """Seconds left at the pace so far; ``None`` in the first moments."""
        return self.elapsed * (1 - self.share) / self.share if self.share > 0.01 else None

    def counted(self, journeys: Sequence[JourneyCount], outcomes: Mapping[str, int]) -> Scene:
        """The scene with new counts; a name that has been seen keeps its place, at 0 where nobody is there now."""
        before = {count.journey: count for count in self.journeys}
        return replace(
            self,
            journeys=[
                _steady(before.get(count.journey, count), count, self.states.get(count.journey, ()))
                for count in journeys
            ],
            outcomes=_in_place(self.outcomes, outcomes),
        )


def _steady(before: JourneyCount, now: JourneyCount, states: Sequence[str]) -> JourneyCount:
    places = {state: place for place, state in enumerate(states)}
    waiting = _in_place(before.waiting, now.waiting)
    ordered = dict(sorted(waiting.items(), key=lambda item: places.get(item[0], len(places))))
    return replace(now, waiting=ordered, exited=_in_place(before.exited, now.exited))


def _in_place(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    return {**dict.fromkeys(before, 0), **now}


def shipped_states(folder: Path) -> dict[str, list[str]]:
    """The states of the ready-made journeys in ``folder``, in the order of their documents."""
    documents = (yaml.safe_load(path.read_text("utf-8")) for path in sorted(folder.glob("*.yaml")))
    return {document["id"]: list(document["states"]) for document in documents}


def civil(when: datetime) -> str:
    """A moment on the shop's clock."""
    return f"{when.astimezone(SHOP_ZONE):%Y-%m-%d %a %H:%M} 東京"


def span(seconds: float | None) -> str:
    """Minutes and seconds."""
    return "–:––" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
