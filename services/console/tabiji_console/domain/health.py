"""A service's state out of its admin port. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tabiji_console.domain.gauges import Gauges

Row = Mapping[str, Any]
MUCH = 1000


@dataclass(frozen=True)
class State:
    """What is shown of a service; ``mood`` is good, warn, bad or away."""

    service: str
    mood: str
    lag: int | None
    owned: int
    partitions: int
    due: int | None
    rejected: int | None
    retries: int | None
    unpublished: int | None
    durability: str
    now: str
    next_due: str
    started: float | None
    restored: str
    leapt: bool
    version: str = ""
    accepted: int | None = None

    @property
    def stateful(self) -> bool:
        """Whether it has a log to be behind of."""
        return self.service != "ingest"


def state(service: str, idle: Row | None, ready: Row | None, restore: Row | None, gauges: Gauges) -> State:
    """A service as its admin port tells it; without an answer it is away."""
    known = idle or {}
    why = str((restore or {}).get("why", ""))
    leapt = bool(gauges.total("tabiji_runtime_clock_leapt"))
    return State(
        service=service,
        mood=_mood(idle, ready, stopped=bool(why) or leapt),
        lag=known.get("lag"),
        owned=len(known.get("owned", ())),
        partitions=known.get("partitions", 0),
        due=known.get("due"),
        rejected=_whole(gauges.total("tabiji_runtime_rejected_total")),
        retries=_whole(gauges.total("tabiji_runtime_retries_total")),
        unpublished=known.get("unpublished"),
        durability=str((ready or {}).get("durability", "")),
        now=str(known.get("now", "")),
        next_due=str(known.get("next_due") or ""),
        started=gauges.total("process_start_time_seconds"),
        restored=why,
        leapt=leapt,
        version=str(known.get("version", "")),
        accepted=_whole(gauges.total("tabiji_ingest_events_accepted_total")),
    )


def _mood(idle: Row | None, ready: Row | None, *, stopped: bool) -> str:
    if idle is None:
        return "away"
    if stopped:
        return "bad"
    behind = idle["lag"] > MUCH or len(idle["owned"]) < idle["partitions"]
    return "warn" if behind or ready is None or ready.get("status") != "ready" else "good"


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def standing(told: Row, workspace: str) -> dict[str, int]:
    """Who waits in this shop's journeys without anything that would move them on, and who is late or held."""
    rows = [row for row in told["journeys"] if row["workspace"] == workspace]
    return {name: sum(row[name] for row in rows) for name in ("stuck", "overdue", "paused", "parked")}
