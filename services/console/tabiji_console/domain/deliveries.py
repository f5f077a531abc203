"""Outcomes added up by provider and template, and the switch that a form asks for. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]
AHEAD = ("queued", "held", "sending")
ENDS = ("sent", "suppressed", "failed", "unknown")
DONE = frozenset({"settled", "stopped", "running", "released", "listed", "unlisted", "notlisted"})
SCOPES = ("workspace", "journey", "provider", "global")
_LATER = ("opened", "clicked", "bounced", "complained", "unsubscribed")


@dataclass
class Lane:
    """What became of the messages of one provider and template; ``later`` is what customers did with them."""

    provider: str
    channel: str
    template: str
    ends: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ENDS, 0))
    later: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_LATER, 0))

    @property
    def all(self) -> int:
        """Every message of the lane."""
        return sum(self.ends.values())

    def rate(self, what: str) -> float | None:
        """A reaction as a share of what was sent."""
        return self.later[what] / self.ends["sent"] if self.ends["sent"] else None


def lanes(rows: Sequence[Row]) -> list[Lane]:
    """The rows of ``message_outcomes`` by provider, channel and template, most messages first; delivered is sent."""
    found: dict[tuple[str, str, str], Lane] = {}
    for row in rows:
        key = row["provider"], row["channel"], row["template"]
        lane = found.setdefault(key, Lane(*key))
        end = "sent" if row["outcome"] == "delivered" else row["outcome"]
        lane.ends[end] = lane.ends.get(end, 0) + row["messages"]
        for name in _LATER:
            lane.later[name] += row[name]
    return sorted(found.values(), key=lambda lane: (-lane.all, lane.provider, lane.template))


def newest(brakes: Sequence[Row], most: int = 10) -> list[Row]:
    """Brakes that hold, then the newest of those that were released."""
    return sorted(brakes, key=lambda row: row["released_at"] is not None)[:most]


def switch_of(form: Mapping[str, str], workspace: str) -> dict[str, Any]:
    """The body of a switch: a scope is named by nothing more than dispatch asks for."""
    scope = form.get("scope", "workspace")
    named = {"scope": scope, "on": form.get("on") == "yes", "reason": form.get("reason", "").strip()[:200]}
    if scope in {"workspace", "journey"}:
        named["workspace"] = form.get("workspace") or workspace
    if scope in {"journey", "provider"}:
        named["name"] = form.get("name", "").strip()
    return named


def wrong_with(asked: Mapping[str, Any], known: Collection[str]) -> str:
    """What is wrong with a switch that is asked for: ``name`` where it has none, ``journey`` where there is no such.

    ``known`` are the shop's journeys; empty where nobody can tell, for a stop must not wait for another service.
    """
    if "name" not in asked:
        return ""
    if not asked["name"]:
        return "name"
    return "journey" if asked["on"] and asked["scope"] == "journey" and known and asked["name"] not in known else ""
