"""The anomaly brake: one message to a customer again and again, or far more than usual, waits for a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tabiji_dispatch.domain.claim import Controls, Rules, brake_reason
from tabiji_dispatch.domain.pick import Candidate

WINDOW = timedelta(hours=1)  # what is counted, and how long a released brake stays open
USUAL = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Counts:
    """Messages of the last hour: by (customer key, template), and by workspace; ``usual`` is a workspace's an hour."""

    repeats: Mapping[tuple[str, str], int] = field(default_factory=dict)
    volumes: Mapping[str, int] = field(default_factory=dict)
    usual: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Brake:
    """A stop that asks a person; ``name`` is template and customer, or empty for a whole workspace."""

    kind: str
    workspace: str
    name: str
    seen: int
    allowed: int

    @property
    def reason(self) -> str:
        """How a hold by it is written down."""
        return brake_reason(self.kind, self.workspace, self.name)


def braked(
    found: Iterable[Candidate], counts: Counts, controls: Controls, rules: Rules, now: datetime
) -> dict[str, Brake]:
    """The brake of each message that has to wait for one."""
    out: dict[str, Brake] = {}
    for one in found:
        for brake in _brakes(one, counts, rules):
            key = (brake.kind, brake.workspace, brake.name)
            released = controls.waived.get(key)
            fresh = released is None or now - released >= WINDOW
            if key in controls.brakes or (brake.seen >= brake.allowed and fresh):
                out[one.delivery.key] = brake
                break
    return out


def _brakes(one: Candidate, counts: Counts, rules: Rules) -> Iterable[Brake]:
    d = one.delivery
    if rules.surge:
        allowed = int(max(rules.surge_floor, rules.surge * counts.usual.get(d.workspace, 0.0)))
        yield Brake("volume", d.workspace, "", counts.volumes.get(d.workspace, 0), allowed)
    if rules.repeats:
        seen = counts.repeats.get((d.customer_key, d.template), 0)
        yield Brake("repeat", d.workspace, f"{d.template} {d.customer}", seen, rules.repeats)
