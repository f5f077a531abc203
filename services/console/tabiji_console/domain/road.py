"""What a journey's map shows: its states with their people, out of what journey and analytics tell. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Row = Mapping[str, Any]

_SENT = ("sent", "delivered")


@dataclass(frozen=True)
class Stop:
    """One state. ``kind`` is send, wait, split, branch or end; ``told`` is the state as the journey service tells it.

    reached     came into it
    waiting     stand in it now
    converted   reached the goal while they stood in it
    exited      were taken out of it
    sent, held, unknown, failed     its messages, by what became of them; the holdout's are in none of these
    """

    name: str
    kind: str
    told: Row
    reached: int = 0
    waiting: int = 0
    converted: int = 0
    exited: int = 0
    finished: int = 0
    sent: int = 0
    held: int = 0
    unknown: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Way:
    """From one state to another: how many took it, their share of those who reached the state, and by what."""

    source: str
    target: str
    people: int
    share: float | None
    by: str


@dataclass(frozen=True)
class Standing:
    """Where everybody is: entered = waiting + finished + exited."""

    entered: int
    waiting: int
    finished: int
    exits: Mapping[str, int] = field(default_factory=dict)

    @property
    def exited(self) -> int:
        return sum(self.exits.values())

    @property
    def balance(self) -> int:
        return self.entered - self.waiting - self.finished - self.exited


@dataclass(frozen=True)
class Arm:
    """Those that the journey treats, or its holdout: how many entered, and how many reached the goal."""

    people: int
    converted: int

    @property
    def share(self) -> float | None:
        return self.converted / self.people if self.people else None


@dataclass(frozen=True)
class Road:
    """A journey's version as a map."""

    start: str
    stops: Sequence[Stop]
    ways: Sequence[Way]
    standing: Standing
    treated: Arm
    holdout: Arm

    @property
    def converted(self) -> int:
        return self.treated.converted + self.holdout.converted

    def stop(self, name: str) -> Stop | None:
        return next((stop for stop in self.stops if stop.name == name), None)


def road(journey: Row, version: int, funnel: Iterable[Row], flow: Iterable[Row], outcomes: Iterable[Row]) -> Road:
    """The map of one version, holdout and treated taken together.

    ``journey`` is ``GET /v1/journeys/{journey}?version=``; the others are rows of analytics' views, of any journey.
    """
    mine = [row for row in funnel if _of(row, journey, version)]
    counts = [row for row in journey["counts"] if row["version"] == version]
    stops = {told["state"]: _stop(told, mine, counts) for told in journey["states"]}
    for row in outcomes:
        if _of(row, journey, version) and row["send_state"] in stops and row["reason"] != "holdout":
            stops[row["send_state"]] = _with_message(stops[row["send_state"]], row)
    people: dict[tuple[str, str], int] = {}
    for row in flow:
        if _of(row, journey, version):
            pair = (row["from_state"], row["to_state"])
            people[pair] = people.get(pair, 0) + row["transitions"]
    return Road(
        journey["start"],
        list(stops.values()),
        [_way(stops, told["state"], way, people) for told in journey["states"] for way in _merged(told["ways"])],
        _standing(mine, counts),
        _arm(mine, holdout=False),
        _arm(mine, holdout=True),
    )


def _of(row: Row, journey: Row, version: int) -> bool:
    return bool(row["journey"] == journey["journey"] and row["version"] == version)


def _stop(told: Row, funnel: Sequence[Row], counts: Sequence[Row]) -> Stop:
    name, kind = told["state"], told["kind"]
    tally = {
        step: sum(row["transitions"] for row in funnel if row["state"] == name and row["step"] == step)
        for step in ("reached", "converted", "exited", "finished")
    }
    waiting = sum(row["enrollments"] for row in counts if row["status"] == "waiting" and row["state"] == name)
    finished = sum(row["enrollments"] for row in counts if row["status"] == "finished" and row["state"] == name)
    reached = finished if kind == "end" else tally["reached"]
    return Stop(name, kind, told, reached, waiting, tally["converted"], tally["exited"], finished)


def _with_message(stop: Stop, row: Row) -> Stop:
    sent = row["messages"] if row["outcome"] in _SENT else 0
    held = row["messages"] if row["outcome"] == "suppressed" else 0
    unknown = row["messages"] if row["outcome"] == "unknown" else 0
    failed = row["messages"] if row["outcome"] == "failed" else 0
    return replace(
        stop,
        sent=stop.sent + sent,
        held=stop.held + held,
        unknown=stop.unknown + unknown,
        failed=stop.failed + failed,
    )


def _merged(ways: Sequence[Row]) -> list[Row]:
    """One way for each target; its first reason names it."""
    found: dict[str, Row] = {}
    for way in ways:
        found.setdefault(way["to"], way)
    return list(found.values())


def _way(stops: Mapping[str, Stop], source: str, way: Row, people: Mapping[tuple[str, str], int]) -> Way:
    took = people.get((source, way["to"]), 0)
    reached = stops[source].reached
    return Way(source, way["to"], took, took / reached if reached else None, way["by"])


def _standing(funnel: Sequence[Row], counts: Sequence[Row]) -> Standing:
    exits: dict[str, int] = {}
    for row in counts:
        if row["status"] == "exited":
            exits[row["reason"]] = exits.get(row["reason"], 0) + row["enrollments"]
    by = {
        status: sum(row["enrollments"] for row in counts if row["status"] == status)
        for status in ("waiting", "finished")
    }
    entered = sum(row["transitions"] for row in funnel if row["step"] == "entered")
    return Standing(entered, by["waiting"], by["finished"], exits)


def _arm(funnel: Sequence[Row], *, holdout: bool) -> Arm:
    mine = [row for row in funnel if row["holdout"] is holdout]
    people = sum(row["enrollments"] for row in mine if row["step"] == "entered")
    return Arm(people, sum(row["enrollments"] for row in mine if row["step"] == "converted"))
