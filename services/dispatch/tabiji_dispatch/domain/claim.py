"""May this message go out now? Decided at the claim, with what is known now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tabiji_dispatch.domain.consent import Consent, agreed
from tabiji_dispatch.domain.message import MARKETING, Delivery
from tabiji_dispatch.domain.outcomes import Capability, Keyed
from tabiji_dispatch.domain.quiet import QuietHours, quiet_until, zone_of


@dataclass(frozen=True, slots=True)
class Send:
    """It may."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Not now: until the instant, or (``None``) until the reason is lifted."""

    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Suppress:
    """Never."""

    reason: str


@dataclass(frozen=True, slots=True)
class Controls:
    """What people have decided: switches as (scope, workspace, name), the restore flag, clusters they accepted.

    ``brakes`` that are on, as (kind, workspace, name), and since when others are released (``waived``).
    """

    switches: frozenset[tuple[str, str, str]] = frozenset()
    restore: bool = False
    clusters: frozenset[str] = frozenset()
    brakes: frozenset[tuple[str, str, str]] = frozenset()
    waived: Mapping[tuple[str, str, str], datetime] = field(default_factory=dict)

    def stops(self, delivery: Delivery) -> str | None:
        """The reason of the widest switch that stops ``delivery``."""
        if not self.switches:
            return None
        asked = (
            ("global", "", ""),
            ("workspace", delivery.workspace, ""),
            ("provider", "", delivery.provider),
            ("journey", delivery.workspace, delivery.journey),
        )
        return next((switch_reason(*one) for one in asked if one in self.switches), None)

    def stopped(self) -> frozenset[str]:
        """The providers that a switch stops."""
        return frozenset(name for scope, _, name in self.switches if scope == "provider")

    def in_force(self) -> list[str]:
        """The hold reasons that still stand."""
        reasons = [switch_reason(*one) for one in sorted(self.switches)] + (["restore"] if self.restore else [])
        return reasons + [brake_reason(*one) for one in sorted(self.brakes)]


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that the decision looks at; ``age`` is the key's in wall seconds, ``recent`` counts marketing sent."""

    delivery: Delivery
    address: str
    zone: str
    consents: Mapping[str, Consent] = field(default_factory=dict)
    erased_at: datetime | None = None
    known: bool = True
    listed: Mapping[str, str] = field(default_factory=dict)  # scope -> reason
    recent: int = 0
    age: float = 0.0
    capability: Capability | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """The workspace's own: quiet hours, its zone, and how many marketing messages within ``cap_window``.

    ``repeats`` of one template to one customer in an hour, and messages above ``surge`` times the usual, from
    ``surge_floor`` an hour on, ask a person. 0 is without limit.
    """

    quiet: QuietHours = field(default_factory=QuietHours)
    timezone: str = "Asia/Tokyo"
    cap: int = 0
    cap_window: timedelta = timedelta(days=1)
    repeats: int = 0
    surge: float = 0.0
    surge_floor: int = 1_000


def decide(case: Case, controls: Controls, rules: Rules, cluster: str, now: datetime) -> Send | Hold | Suppress:
    """Send, hold or suppress. Restore mode comes first, since nothing that is known then can be trusted."""
    if controls.restore:
        return Hold("restore")
    return _gone(case, now) or _waits(case, controls, rules, cluster, now) or _unwanted(case, rules) or Send()


def _gone(case: Case, now: datetime) -> Suppress | None:
    delivery = case.delivery
    if delivery.cancelled:
        return Suppress("cancelled")
    if case.erased_at is not None and (not case.known or delivery.decided_at <= case.erased_at):
        return Suppress("erased")
    if now > delivery.not_after:
        return Suppress("late")
    return None


def _waits(case: Case, controls: Controls, rules: Rules, cluster: str, now: datetime) -> Hold | None:
    delivery = case.delivery
    if reason := controls.stops(delivery):
        return Hold(reason)
    if delivery.cluster and delivery.cluster != cluster and delivery.cluster not in controls.clusters:
        return Hold(f"other_cluster:{delivery.cluster}")
    if delivery.in_doubt and isinstance(case.capability, Keyed) and not case.capability.fresh(case.age):
        return Hold("key_expired")
    if delivery.message_class == MARKETING and (
        until := quiet_until(now, zone_of(case.zone, rules.timezone), rules.quiet)
    ):
        return Hold("quiet", until)
    return None


def _unwanted(case: Case, rules: Rules) -> Suppress | None:
    marketing = case.delivery.message_class == MARKETING
    if marketing and not agreed(case.consents, case.delivery.channel):
        return Suppress("no_consent")
    if not case.address:
        return Suppress("no_address")
    if "all" in case.listed or (marketing and "marketing" in case.listed):
        return Suppress("suppression_list")
    if marketing and rules.cap and case.recent >= rules.cap:
        return Suppress("cap")
    return None


def switch_reason(scope: str, workspace: str, name: str) -> str:
    """How a hold by this switch is written down."""
    return ":".join(part for part in ("switch", scope, workspace, name) if part)


def brake_reason(kind: str, workspace: str, name: str) -> str:
    """How a hold by this brake is written down."""
    return ":".join(part for part in ("brake", kind, workspace, name) if part)
