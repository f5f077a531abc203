"""A turn's events about customers, folded into contacts, consent and what is to be left alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tabiji_common.events import ConsentGiven, Erased, ErasureDone
from tabiji_common.topics import CUSTOMERS, Record, derived_id
from tabiji_dispatch.domain.consent import Contact, Listing, address_field, address_hash, bad_address, fold
from tabiji_dispatch.domain.triage import Change

SOURCE = "tabiji/dispatch"


@dataclass(slots=True)
class Folded:
    """What a turn's events amount to."""

    contacts: dict[str, Contact] = field(default_factory=dict)
    listings: list[Listing] = field(default_factory=list)
    erased: dict[str, Contact] = field(default_factory=dict)
    relisted: dict[bytes, datetime] = field(default_factory=dict)
    records: list[Record[Any]] = field(default_factory=list)


def concerns(event: object) -> bool:
    """Whether dispatch keeps anything of this event."""
    return not isinstance(event, ErasureDone)


def fold_all(loaded: Mapping[str, Contact], changes: Iterable[Change], secret: str, now: datetime) -> Folded:
    """The contacts that changed, listings to add and lift, and who is to be forgotten (with the answer to that)."""
    folded = Folded()
    for change in changes:
        before = folded.contacts.get(change.customer_key, loaded[change.customer_key])
        after = fold(before, change.event, change.occurred_at)
        if isinstance(change.event, Erased):
            _erase(folded, before, after, change, secret, now)
        elif isinstance(change.event, ConsentGiven) and (hashed := _hash(after, change.event.channel, secret)):
            folded.relisted[hashed] = change.occurred_at
        elif (bad := bad_address(change.event)) and (hashed := _hash(before, bad[0], secret)):
            folded.listings.append(Listing(after.workspace, bad[0], hashed, bad[1], bad[2], change.occurred_at))
        if after is not before:
            folded.contacts[change.customer_key] = after
    return folded


def _erase(folded: Folded, before: Contact, after: Contact, change: Change, secret: str, now: datetime) -> None:
    """A repeat is answered again, and changes nothing."""
    if after is not before:
        folded.erased[change.customer_key] = after
        for channel in ("email", "sms"):
            if hashed := _hash(before, channel, secret):
                folded.listings.append(
                    Listing(before.workspace, channel, hashed, "marketing", "erased", change.occurred_at)
                )
    done = ErasureDone(workspace=before.workspace, customer=before.customer, service="dispatch")
    folded.records.append(
        CUSTOMERS.record(
            done, id=derived_id(change.id, "dispatch", "erasure_done"), source=SOURCE, occurred_at=now, accepted_at=now
        )
    )


def _hash(contact: Contact, channel: str, secret: str) -> bytes | None:
    name = address_field(channel)
    address = contact.value(name) if name else ""
    return address_hash(secret, contact.workspace, channel, address) if address else None
