"""A customer's line of time: events, moves, messages and consent, out of what four services tell. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
_ORDER = {
    "campaign": 0,
    "given": 1,
    "email_clicked": 3,
    "unsubscribed": 4,
    "withdrawn": 6,
    "suppressed": 6,
    "erased": 7,
}
_OTHER, _CHAIN = 2, 5
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
    found += [*_moves(enrollments), *_messages(enrollments, deliveries), *_consents(contact)]
    sent = {one.row["message_key"]: one for one in found if one.kind == "message"}
    told = [_with_message(one, sent) for one in found]
    return sorted(told, key=lambda one: _place(one, sent), reverse=True)


def _with_message(moment: Moment, sent: Mapping[str, Moment]) -> Moment:
    """A reaction with the template of the message that it is one to, where that is known."""
    to = sent.get(moment.row.get("message_key") or "") if moment.kind == "event" else None
    return replace(moment, row={**moment.row, "template": to.row["template"]}) if to else moment


def _place(moment: Moment, sent: Mapping[str, Moment]) -> tuple[datetime, int, int, int, int]:
    """Where it stands: what happens in one instant is in the order of cause and effect.

    A visit and consent come before what else happens, which comes before the moves that it causes; a message stands
    behind the move that asked for it and before the one that its outcome causes, and so do reactions to it.
    """
    rank = _ORDER.get(moment.name, _OTHER)
    if moment.kind in {"move", "message"}:
        return moment.at, _CHAIN, moment.row["of"], moment.row["seq"], moment.kind == "message"
    to = sent.get(moment.row.get("message_key") or "") if moment.kind == "event" else None
    if to is not None and to.at == moment.at:
        return moment.at, _CHAIN, to.row["of"], to.row["seq"], rank
    return moment.at, rank, 0, 0, 0


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
    for nth, one in enumerate(enrollments):
        for move in one["history"]:
            sign = {"entered": "route", "finished": "circle-check", "exited": "log-out"}.get(move["kind"], "git-branch")
            row = {**move, "journey": one["journey"], "version": one["version"], "holdout": one["holdout"], "of": -nth}
            yield Moment(_at(move["at"]), "move", move["kind"], sign, row)


def _messages(enrollments: Sequence[Row], deliveries: Iterable[Row]) -> Iterable[Moment]:
    """Messages, each with the enrollment (``of``) and the number of the move (``seq``) that asked for it."""
    asked = {
        (one["id"], move["to_state"]): (-nth, move["seq"])
        for nth, one in enumerate(enrollments)
        for move in one["history"]
    }
    for row in deliveries:
        of, seq = asked.get((row.get("enrollment"), row.get("send_state")), (1, 0))
        when = row.get("at") or row.get("decided_at") or row["retry_at"]
        sign = _CHANNELS.get(row["channel"], "send")
        yield Moment(_at(when), "message", row["state"], sign, {**row, "of": of, "seq": seq})


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
