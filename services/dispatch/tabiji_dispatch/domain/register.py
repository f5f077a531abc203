"""A turn's events about customers, folded into contacts, consent and what is to be left alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from tabiji_common.commands import Withdraw
from tabiji_common.events import ConsentGiven, Erased, ErasureDone
from tabiji_common.topics import CUSTOMERS, DISPATCH_COMMANDS, Record, derived_id
from tabiji_dispatch.domain.consent import (
    ADDRESSED,
    Consent,
    Contact,
    Listing,
    address_field,
    address_hash,
    bad_address,
    fold,
    withdrawn,
)
from tabiji_dispatch.domain.triage import Change

SOURCE = "tabiji/dispatch"
MOST_HOPS = 32  # a no that stands already goes no further; this ends what goes round those who said yes later


@dataclass(frozen=True, slots=True)
class Tie:
    """``contact`` turned out to be ``other``, or (``known``) is said to be the same person; told of ``at``."""

    contact: Contact
    other: str
    known: bool
    at: datetime


@dataclass(slots=True)
class Folded:
    """What a turn's events amount to."""

    contacts: dict[str, Contact] = field(default_factory=dict)
    listings: list[Listing] = field(default_factory=list)
    erased: dict[str, Contact] = field(default_factory=dict)
    ties: list[Tie] = field(default_factory=list)
    relisted: dict[bytes, datetime] = field(default_factory=dict)
    records: list[Record[Any]] = field(default_factory=list)


def concerns(event: object) -> bool:
    """Whether dispatch keeps anything of this event."""
    return not isinstance(event, ErasureDone)


def came_back(changes: Iterable[Change]) -> dict[str, str]:
    """The messages, by key with their customer's key, whose addresses ``fold_all`` wants to know."""
    return {
        change.event.message_key: change.customer_key
        for change in changes
        if bad_address(change.event) and change.event.message_key
    }


def fold_all(
    loaded: Mapping[str, Contact],
    changes: Iterable[Change],
    secret: str,
    now: datetime,
    sent_to: Mapping[str, bytes] = MappingProxyType({}),
) -> Folded:
    """The contacts that changed, listings to add and lift, and who is to be forgotten (with the answer to that).

    ``sent_to`` is where the messages of ``came_back`` went.
    """
    folded = Folded()
    for change in changes:
        before = folded.contacts.get(change.customer_key, loaded[change.customer_key])
        after = fold(before, change.event, change.occurred_at)
        if isinstance(change.event, Erased):
            _erase(folded, before, after, change, secret, now)
        elif isinstance(change.event, ConsentGiven) and (hashed := _hash(after, change.event.channel, secret)):
            folded.relisted[hashed] = change.occurred_at
        elif (bad := bad_address(change.event)) and (hashed := _meant(before, change, bad[0], secret, sent_to)):
            folded.listings.append(Listing(after.workspace, bad[0], hashed, bad[1], bad[2], change.occurred_at))
        if after is not before:
            folded.contacts[change.customer_key] = after
            known = len(after.others) > len(before.others)
            folded.ties += [Tie(after, other, known, change.occurred_at) for other in after.same - before.same]
        folded.records += _passed_on(before, after, change, now)
    return folded


def _passed_on(before: Contact, after: Contact, change: Change, now: datetime) -> list[Record[Any]]:
    """A no of somebody who is another customer by now is that customer's too; a yes is not.

    What stands is told with the merge, what comes later as it comes; a no that was told before says nothing new, so
    that it goes along a chain of merges, and comes to rest in a circle. It goes by the log, since the other one's
    owner may be another process.
    """
    hops = change.event.hops + 1 if isinstance(change.event, Withdraw) else 1
    channel = withdrawn(change.event)
    said: dict[str, datetime] = {}
    if new := after.same - before.same:
        said = {name: word.at for name, word in after.consents.items() if not word.given}
    elif channel and hops <= MOST_HOPS and before.consents.get(channel) != Consent(given=False, at=change.occurred_at):
        new, said = after.same, {channel: change.occurred_at}
    return [_withdraw(after, other, name, said[name], hops, now) for other in sorted(new) for name in said]


def _withdraw(contact: Contact, target: str, channel: str, at: datetime, hops: int, now: datetime) -> Record[Any]:
    workspace, source = contact.workspace, contact.customer
    body = Withdraw(workspace=workspace, customer=target, channel=channel, hops=hops)
    id_ = derived_id("withdraw", workspace, source, target, channel, at.isoformat())
    return DISPATCH_COMMANDS.record(body, id=id_, source=SOURCE, occurred_at=at, accepted_at=now)


def _erase(folded: Folded, before: Contact, after: Contact, change: Change, secret: str, now: datetime) -> None:
    """A repeat is answered again, and changes nothing."""
    if after is not before:
        folded.erased[change.customer_key] = after
        folded.ties = [tie for tie in folded.ties if tie.contact.key != after.key]
        for channel in ADDRESSED:
            if hashed := _hash(before, channel, secret):
                folded.listings.append(
                    Listing(before.workspace, channel, hashed, "marketing", "erased", change.occurred_at)
                )
    until = max(change.occurred_at, change.accepted_at or change.occurred_at)
    done = ErasureDone(workspace=before.workspace, customer=before.customer, service="dispatch", until=until)
    folded.records.append(
        CUSTOMERS.record(
            done, id=derived_id(change.id, "dispatch", "erasure_done"), source=SOURCE, occurred_at=now, accepted_at=now
        )
    )


def _meant(contact: Contact, change: Change, channel: str, secret: str, sent_to: Mapping[str, bytes]) -> bytes | None:
    """The address that is bad: the one told, else where the message went, else the one the customer had by then.

    It may not be the present one, which nothing is said of.
    """
    name = address_field(channel) or ""
    told = change.event.pii.get(name)
    if isinstance(told, str) and told.strip():
        return address_hash(secret, contact.workspace, channel, told)
    if sent := sent_to.get(change.event.message_key or ""):
        return sent
    word = contact.fields.get(name)
    return _hash(contact, channel, secret) if word is not None and word.at <= change.occurred_at else None


def _hash(contact: Contact, channel: str, secret: str) -> bytes | None:
    name = address_field(channel)
    address = contact.value(name) if name else ""
    return address_hash(secret, contact.workspace, channel, address) if address else None
