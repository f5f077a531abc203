"""A customer's line of time: events, moves, messages and consent, out of what four services tell. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tabiji_console.domain import figures

Row = Mapping[str, Any]
_ICONS = {
    "order_completed": "shopping-bag",
    "order_refunded": "undo-2",
    "order_cancelled": "circle-x",
    "order_shipped": "package",
    "order_delivered": "package",
    "product_added": "shopping-bag",
    "email_opened": "mail-open",
    "email_clicked": "mouse-pointer-click",
    "email_bounced": "triangle-alert",
    "email_complained": "triangle-alert",
    "unsubscribed": "bell-off",
    "campaign": "link",
    "merged": "users",
}
_CHANNELS = {"email": "mail", "line": "message-circle", "sms": "message-circle"}
_FACTS = {("orders", "order_completed"), ("refunds", "order_refunded"), ("touches", "campaign"), ("reactions", "")}


@dataclass(frozen=True)
class Moment:
    """One entry: ``kind`` is event, move, message or consent; ``name`` what happened; ``row`` as it was told."""

    at: datetime
    kind: str
    name: str
    icon: str
    row: Row = field(default_factory=dict)


def line(
    events: Sequence[Row], facts: Row, enrollments: Sequence[Row], deliveries: Sequence[Row], contact: Row
) -> list[Moment]:
    """Everything, the newest first; an order that two services tell of is there once."""
    found = [*_facts(facts)]
    ordered = {moment.row.get("order_id") for moment in found if moment.name == "order_completed"}
    found += [moment for moment in _events(events) if not _told(moment, ordered, found)]
    found += [*_moves(enrollments), *map(_message, deliveries), *_consents(contact)]
    return sorted(found, key=_place, reverse=True)


def _place(moment: Moment) -> tuple[datetime, int, int]:
    """Where it stands: what happens in one instant is in the order of cause and effect."""
    outcome = moment.kind == "move" and moment.row.get("cause") == "outcome"
    rank = 3 if outcome else {"move": 1, "message": 2}.get(moment.kind, 0)
    return moment.at, rank, int(moment.row.get("seq", 0))


def _told(moment: Moment, ordered: set[Any], found: Iterable[Moment]) -> bool:
    if moment.name == "order_completed":
        return moment.row.get("order_id") in ordered
    return any(one.name == moment.name and one.at == moment.at for one in found)


def _facts(facts: Row) -> Iterable[Moment]:
    for group, name in sorted(_FACTS):
        for row in facts.get(group, ()):
            what = name or str(row["action"])
            if row.get("occurred_at"):
                yield Moment(_at(row["occurred_at"]), "event", what, icon(what), row)


def _events(events: Iterable[Row]) -> Iterable[Moment]:
    for row in events:
        yield Moment(_at(row["occurred_at"]), "event", row["type"], icon(row["type"]), row)


def _moves(enrollments: Iterable[Row]) -> Iterable[Moment]:
    for one in enrollments:
        for move in one["history"]:
            sign = {"entered": "route", "finished": "circle-check", "exited": "log-out"}.get(move["kind"], "git-branch")
            row = {**move, "journey": one["journey"], "holdout": one["holdout"]}
            yield Moment(_at(move["at"]), "move", move["kind"], sign, row)


def _message(row: Row) -> Moment:
    when = row.get("at") or row.get("decided_at") or row["retry_at"]
    return Moment(_at(when), "message", row["state"], _CHANNELS.get(row["channel"], "send"), row)


def _consents(contact: Row) -> Iterable[Moment]:
    for row in contact.get("consents", ()):
        given = "given" if row["given"] else "withdrawn"
        yield Moment(_at(row["at"]), "consent", given, "check" if row["given"] else "bell-off", row)
    for row in contact.get("suppressed", ()):
        yield Moment(_at(row["at"]), "consent", "suppressed", "ban", row)
    if contact.get("erased_at"):
        yield Moment(_at(contact["erased_at"]), "consent", "erased", "user-x")


def icon(name: str) -> str:
    """The icon of a kind of event."""
    return _ICONS.get(name, "circle-dot")


def _at(text: str) -> datetime:
    return figures.instant(text)
