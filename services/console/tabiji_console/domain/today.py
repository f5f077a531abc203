"""A day's facts as the figures of a page. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tabiji_console.domain.gauges import Gauges
from tabiji_console.domain.reasons import family

Row = Mapping[str, Any]
STATES = ("sent", "suppressed", "unknown", "failed")


@dataclass(frozen=True)
class Messages:
    """A day's messages by state (delivered is sent), and those that were not sent by (state, reason), most first."""

    by_state: Mapping[str, int]
    reasons: Sequence[tuple[str, str, int]]

    @property
    def all(self) -> int:
        """Every message of the day."""
        return sum(self.by_state.values())


def messages(rows: Sequence[Row]) -> Messages:
    """The rows of ``/v1/day`` added up."""
    states: Counter[str] = Counter()
    reasons: Counter[tuple[str, str]] = Counter()
    for row in rows:
        state = "sent" if row["state"] == "delivered" else row["state"]
        states[state] += row["messages"]
        if state != "sent":
            reasons[state, family(row["reason"])] += row["messages"]
    most = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return Messages({state: states[state] for state in STATES}, [(*key, count) for key, count in most])


@dataclass(frozen=True)
class Promises:
    """Figures that must be 0; ``None`` is not known."""

    lost: int | None
    drift: int | None
    cells: int
    doubled: int | None
    sent: int

    @property
    def kept(self) -> bool:
        """Nothing that is known is anything but 0."""
        return not any((self.lost, self.drift, self.doubled))

    @property
    def known(self) -> bool:
        """Whether there is a figure for each."""
        return None not in (self.lost, self.drift, self.doubled)


def promises(standing: Row | None, drift: Gauges | None, day: Row | None) -> Promises:
    """What conservation, the last recomputation and the day tell; each may be missing."""
    differ = drift.total("tabiji_analytics_drift_cells") if drift else None
    cells = drift.total("tabiji_analytics_checked_cells") if drift else None
    return Promises(
        standing["lost"] if standing else None,
        int(differ) if differ is not None and cells else None,
        int(cells or 0),
        day["doubled"] if day else None,
        messages(day["messages"]).by_state["sent"] if day else 0,
    )


def ahead(gauges: Gauges) -> dict[str, int]:
    """How many messages are still to go, and how many are held."""
    found = gauges.by("tabiji_dispatch_waiting_messages", "state")
    return {state: int(found.get(state, 0)) for state in ("queued", "held")}


REACTIONS = ("email_opened", "email_clicked", "unsubscribed")


def reactions(day: Row) -> dict[str, int]:
    """What customers did with messages, by kind; every opt-out is one."""
    found = {row["action"]: row["reactions"] for row in day["reactions"]}
    return {name: found.get(name, 0) for name in REACTIONS}


def waiting(standing: Row, workspace: str) -> list[tuple[str, int]]:
    """Journeys by how many people wait in them, most first."""
    found = [(row["journey"], row["waiting"]) for row in standing["journeys"] if row["workspace"] == workspace]
    return sorted((one for one in found if one[1]), key=lambda one: (-one[1], one[0]))


def is_quiet(day: Row) -> bool:
    """Whether it is known that nothing happened on a day so far; false where it is not known."""
    return bool(day) and not any(day[what] for what in ("orders", "messages", "moves", "reactions"))


def entered(day: Row) -> int:
    """How many people came into journeys."""
    return sum(row["enrollments"] for row in day["moves"] if row["what"] == "entered")
