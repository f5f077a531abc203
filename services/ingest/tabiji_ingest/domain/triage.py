"""call -> records for the event topics, or a refusal that names the field and the rule."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from tabiji_common import events
from tabiji_common.identity import closed_id, looks_like_mail, mail_id
from tabiji_common.topics import CUSTOM, CUSTOMERS, PURCHASES, Record, Topic, derived_id
from tabiji_ingest.domain.call import Call, Receipt, Rules
from tabiji_ingest.domain.catalogue import BUILDERS, type_of
from tabiji_ingest.domain.identity import Who, read_id
from tabiji_ingest.domain.personal import PERSONAL, plain_spelling, split_properties, split_traits
from tabiji_ingest.domain.properties import Properties, read_text
from tabiji_ingest.domain.refusal import Kind, Refusal
from tabiji_ingest.domain.times import check_ahead, occurred_at, read_time

GROUP_JOINED = "group_joined"
"""What a group call becomes: a custom event of the customer, with the group's id and traits as properties."""

_PURCHASES = frozenset(events.PURCHASE_EVENTS)
_BUSINESS_IDS = {
    "order_completed": "order_id",
    "order_cancelled": "order_id",
    "order_refunded": "refund_id",
    "subscription_started": "subscription_id",
}
"""Fields that name the event itself, so that an event without an id can be recognised when it comes again."""


class Triaged(msgspec.Struct, frozen=True):
    """The records of one call, and its event's id; ``made`` says that nothing in the call could give it one."""

    records: list[Record[Any]]
    id: str
    made: bool


class _Stamp(msgspec.Struct, frozen=True):
    """What all records of one call share."""

    call: Call
    receipt: Receipt
    occurred_at: datetime
    day: str

    def record(self, topic: Topic[Any], type_: str, body: events.Event, id_: str) -> Record[Any]:
        return topic.record(
            body,
            id=id_,
            source=self.call.source,
            occurred_at=self.occurred_at,
            accepted_at=self.receipt.accepted_at,
            type=type_,
            mode=self.receipt.mode,
            body_hash=self.call.body_hash,
            day=self.day,
        )


def triage(call: Call, receipt: Receipt, rules: Rules, position: int = 0) -> Triaged:
    """The records that ``call`` becomes; ``position`` is its place in the request. Raises ``Refusal``."""
    stamp = _stamp(call, receipt, rules)
    id_ = read_text(call.id, call.names.id)
    match call.kind:
        case "alias":
            id_, made = _id_or_made(id_, receipt, position)
            return Triaged(_alias(stamp, rules, id_), id_, made)
        case "identify":
            id_, made = _id_or_made(id_, receipt, position)
            return Triaged(_identify(stamp, rules, id_), id_, made)
        case "group":
            id_, made = _id_or_made(id_, receipt, position)
            return Triaged([_membership(stamp, rules, id_)], id_, made)
        case "page" | "screen":
            return _event("page_viewed", stamp, rules, id_, position)
        case "track":
            return _event(type_of(call.name), stamp, rules, id_, position)


def _stamp(call: Call, receipt: Receipt, rules: Rules) -> _Stamp:
    own = read_time(call.time, call.names.time)
    sent = read_time(call.sent_at, call.names.sent) if own is not None and call.sent_at is not None else None
    when = occurred_at(own, sent, receipt.accepted_at)
    if not rules.stepped:
        check_ahead(when, receipt.accepted_at, call.names.time)
        when = min(when, receipt.accepted_at)  # what we are told of has happened
    return _Stamp(call, receipt, when, own.date().isoformat() if own else "")


def _event(type_: str | None, stamp: _Stamp, rules: Rules, id_: str | None, position: int) -> Triaged:
    call, workspace = stamp.call, stamp.receipt.workspace
    who = _who(call, workspace, rules, guests=type_ in _PURCHASES)
    told, personal = split_properties(call.properties, call.names.properties)
    base = {**_base(stamp, who), "name": call.name or None, "properties": told, "pii": personal}
    topic: Topic[Any] = CUSTOM
    body: events.Event
    if type_ is None:
        body = events.CustomEvent(**base)
    else:
        topic, build = BUILDERS[type_]
        body = build(base, Properties(call.properties, call.names.properties), call.context, rules)
    id_ = id_ or _business_id(type_, body, stamp)
    id_, made = _id_or_made(id_, stamp.receipt, position)
    records = [stamp.record(topic, type_ or call.name, body, id_)]
    if who.guest_email is not None and topic is PURCHASES:
        records.append(_guest(who, stamp, id_))
    if call.traits and type_ != "erased":
        records.append(stamp.record(CUSTOMERS, "identified", _told(stamp, who, rules), derived_id(id_, "traits")))
    return Triaged(records, id_, made)


def _base(stamp: _Stamp, who: Who) -> dict[str, Any]:
    """What every payload says of whose it is and whence the visit came."""
    return {
        "workspace": stamp.receipt.workspace,
        "customer": who.customer,
        "anonymous": who.anonymous,
        "anonymous_id": who.anonymous_id,
        "medium": _medium(stamp.call.context),
    }


def _membership(stamp: _Stamp, rules: Rules, id_: str) -> Record[Any]:
    """The customer belongs to a group; the group's personal traits lie apart from the customer's."""
    call = stamp.call
    group = read_text(call.group, call.names.group)
    if group is None:
        raise Refusal(call.names.group, "is required")
    who = _who(call, stamp.receipt.workspace, rules)
    told, personal = split_properties(call.traits, call.names.traits)
    body = events.CustomEvent(
        **_base(stamp, who),
        name=GROUP_JOINED,
        properties={**told, "group_id": group},
        pii={"group": personal} if personal else {},
    )
    return stamp.record(CUSTOM, GROUP_JOINED, body, id_)


def _told(stamp: _Stamp, who: Who, rules: Rules) -> events.Identified:
    """What the call says of its customer; PostHog's clients say it on events of any kind."""
    traits, personal = split_traits(stamp.call.traits, rules.plain, stamp.call.names.traits)
    return events.Identified(**_base(stamp, who), traits=traits, pii=personal)


def _identify(stamp: _Stamp, rules: Rules, id_: str) -> list[Record[Any]]:
    call, workspace = stamp.call, stamp.receipt.workspace
    who = _who(call, workspace, rules)
    records = [stamp.record(CUSTOMERS, "identified", _told(stamp, who, rules), id_)]
    if who.anonymous_id is not None:
        records += _merged(stamp, who.anonymous_id, who.customer, id_)
    return records


def _alias(stamp: _Stamp, rules: Rules, id_: str) -> list[Record[Any]]:
    call, names, workspace = stamp.call, stamp.call.names, stamp.receipt.workspace
    who = _who(call, workspace, rules)
    if who.anonymous:
        raise Refusal(names.user, "is required", Kind.IDENTITY)
    previous = read_id(call.previous, names.previous)
    if previous is None and who.anonymous_id is None:
        raise Refusal(names.previous, "is required", Kind.IDENTITY)
    records: list[Record[Any]] = []
    if previous is not None:
        source = closed_id(previous, rules.secret, workspace)
        if source == who.customer:
            raise Refusal(names.previous, "must differ from the user's id", Kind.IDENTITY)
        records += _merged(stamp, source, who.customer, id_, known=source != previous)
        if who.anonymous_id == source:
            return records
    if who.anonymous_id is not None:
        records += _merged(stamp, who.anonymous_id, who.customer, id_)
    return records


def _merged(stamp: _Stamp, source: str, target: str, id_: str, *, known: bool = False) -> list[Record[Any]]:
    """``merged`` under both keys: the visitor's owner hands over, the customer's owner knows whence it comes."""
    workspace = stamp.receipt.workspace
    return [
        stamp.record(
            CUSTOMERS,
            "merged",
            events.Merged(
                workspace=workspace,
                customer=side,
                anonymous=side == source and not known,
                source=source,
                target=target,
                known=known,
            ),
            derived_id(id_, "merged", source, target, side),
        )
        for side in (source, target)
    ]


def _guest(who: Who, stamp: _Stamp, id_: str) -> Record[Any]:
    """A guest is known by the address alone, so the order tells it to whoever keeps contacts."""
    body = events.Identified(workspace=stamp.receipt.workspace, customer=who.customer, pii={"email": who.guest_email})
    return stamp.record(CUSTOMERS, "identified", body, derived_id(id_, "guest"))


def _who(call: Call, workspace: str, rules: Rules, *, guests: bool = False) -> Who:
    names = call.names
    user = read_id(call.user, names.user)
    anonymous = read_id(call.anonymous, names.anonymous)
    if user is not None:
        customer = closed_id(user, rules.secret, workspace)
        visitor = anonymous and closed_id(anonymous, rules.secret, workspace)
        return Who(customer, anonymous=False, anonymous_id=None if visitor == customer else visitor)
    if anonymous is not None:
        return Who(closed_id(anonymous, rules.secret, workspace), anonymous=True)
    if guests and (address := _guest_email(call)):
        return Who(mail_id(rules.secret, workspace, address), anonymous=False, guest_email=address)
    raise Refusal(names.user, f"is required (or else {names.anonymous})", Kind.IDENTITY)


def _guest_email(call: Call) -> str | None:
    traits = call.context.get("traits")
    for values in (call.properties, traits if isinstance(traits, dict) else {}):
        for key, value in values.items():
            if PERSONAL.get(plain_spelling(key)) == "email" and isinstance(value, str) and looks_like_mail(value):
                return value.strip()
    return None


def _business_id(type_: str | None, body: events.Event, stamp: _Stamp) -> str | None:
    own = getattr(body, _BUSINESS_IDS[type_], None) if type_ in _BUSINESS_IDS else None
    return derived_id(stamp.receipt.workspace, stamp.call.source, type_ or "", own) if own else None


def _id_or_made(id_: str | None, receipt: Receipt, position: int) -> tuple[str, bool]:
    return (id_, False) if id_ else (derived_id(receipt.id, str(position)), True)


def _medium(context: dict[str, Any]) -> str | None:
    campaign = context.get("campaign")
    medium = campaign.get("medium") if isinstance(campaign, dict) else None
    return medium[:100] if isinstance(medium, str) and medium else None
