"""Contacts and consent as folds over events: for every field the last word by occurred_at stands."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tabiji_common import events
from tabiji_common.commands import Withdraw

EVERY_CHANNEL = "*"
FIELDS = ("email", "phone", "line_id", "name", "timezone")
ADDRESSED = ("email", "sms", "line")  # channels whose address is a field of the contact
_FIRST = ("first_name", "firstName", "firstname")
_LAST = ("last_name", "lastName", "lastname")


@dataclass(frozen=True, slots=True)
class Word:
    """A value and when it was said."""

    value: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Consent:
    """Whether marketing on a channel was agreed to, and when that was last said."""

    given: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Contact:
    """What dispatch knows of a customer: fields by name, consent by channel, and who it turned out to be.

    ``others`` are known customers who are said to be the same person, any number of them: a no of one is everyone's.
    """

    workspace: str
    customer: str
    p: int
    fields: Mapping[str, Word] = field(default_factory=dict)
    consents: Mapping[str, Consent] = field(default_factory=dict)
    erased_at: datetime | None = None
    merged_into: str = ""
    others: frozenset[str] = frozenset()

    @property
    def same(self) -> frozenset[str]:
        """Whose a no of this customer is too."""
        return self.others | {self.merged_into} if self.merged_into else self.others

    @property
    def key(self) -> str:
        """The record key of its customer."""
        return f"{self.workspace}:{self.customer}"

    def value(self, name: str) -> str:
        """A field's value, empty where nothing is known."""
        word = self.fields.get(name)
        return word.value if word else ""


@dataclass(frozen=True, slots=True)
class Listing:
    """An address (or with channel ``*`` a customer) that is to be left alone; only its keyed hash is kept."""

    workspace: str
    channel: str
    hash: bytes
    scope: str  # all, or marketing
    reason: str
    at: datetime


def fold(contact: Contact, event: Any, occurred_at: datetime) -> Contact:  # noqa: PLR0911 - one row an event
    """The contact after ``event``; what does not concern it, or was said before an erasure, changes nothing."""
    if contact.erased_at is not None and occurred_at <= contact.erased_at:
        return contact
    match event:
        case events.Identified():
            return _say(contact, _fields_of(event), occurred_at)
        case events.ConsentGiven():
            return _consent(contact, event.channel, Consent(given=True, at=occurred_at))
        case events.Merged() if (other := _other(contact, event)) and other not in contact.same:
            return _met(contact, event, other)
        case events.Erased():
            return Contact(contact.workspace, contact.customer, contact.p, erased_at=occurred_at)
        case _ if channel := withdrawn(event):
            return _consent(contact, channel, Consent(given=False, at=occurred_at))
        case _:
            return contact


def _other(contact: Contact, event: events.Merged) -> str:
    """Whose a no of ``contact`` is too: the target's, and of two known customers each one's the other's."""
    if event.source == event.target:
        return ""
    if contact.customer == event.source:
        return event.target
    return event.source if event.known and contact.customer == event.target else ""


def _met(contact: Contact, event: events.Merged, other: str) -> Contact:
    """Of several merges of a visitor the first stands: a browser may be a family's. A known customer's all stand."""
    if event.known:
        return replace(contact, others=contact.others | {other})
    return contact if contact.merged_into else replace(contact, merged_into=other)


def withdrawn(event: Any) -> str | None:
    """The channel on which ``event`` forbids marketing, ``*`` for every one."""
    match event:
        case events.ConsentWithdrawn() | Withdraw():
            return event.channel
        case events.Unsubscribed():
            return event.channel or EVERY_CHANNEL
        case events.EmailComplained():
            return "email"
        case events.LineBlocked():
            return "line"
        case _:
            return None


def agreed(consents: Mapping[str, Consent], channel: str) -> bool:
    """Whether marketing on ``channel`` is allowed: given there, and not withdrawn for every channel since."""
    here, everywhere = consents.get(channel), consents.get(EVERY_CHANNEL)
    if here is None or not here.given:
        return False
    return everywhere is None or everywhere.given or everywhere.at < here.at


def bad_address(event: Any) -> tuple[str, str, str] | None:
    """(channel, scope, reason) where ``event`` says that the customer's address is to be left alone."""
    match event:
        case events.EmailBounced(hard=True):
            return "email", "all", "bounced"
        case events.EmailComplained():
            return "email", "marketing", "complained"
        case _:
            return None


def address_field(channel: str) -> str | None:
    """The contact's field that holds the address on ``channel``; ``None`` where the customer's id is the address."""
    return {"email": "email", "sms": "phone", "phone": "phone", "line": "line_id"}.get(channel)


def address_hash(secret: str, workspace: str, channel: str, address: str) -> bytes:
    """A keyed 16-byte hash of a normalised address: it can be recognised, and not read."""
    normal = unicodedata.normalize("NFKC", address).strip().lower()
    text = "\x1f".join(("suppression", workspace, channel, normal))
    return hmac.new(secret.encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()[:16]


def _say(contact: Contact, said: Mapping[str, str], at: datetime) -> Contact:
    fields = dict(contact.fields)
    for name, value in said.items():
        if name not in fields or fields[name].at <= at:
            fields[name] = Word(value, at)
    return replace(contact, fields=fields)


def _consent(contact: Contact, channel: str, said: Consent) -> Contact:
    known = contact.consents.get(channel)
    # At the same instant, "no" stands.
    if known is not None and (known.at > said.at or (known.at == said.at and not known.given)):
        return contact
    return replace(contact, consents={**contact.consents, channel: said})


def _fields_of(event: events.Identified) -> dict[str, str]:
    said: dict[str, Any] = {
        "email": event.pii.get("email"),
        "phone": event.pii.get("phone"),
        "line_id": event.pii.get("line_id"),
        "name": event.pii.get("name") or _full_name(event.pii),
        "timezone": event.traits.get("timezone", event.pii.get("timezone")),
    }
    return {name: value.strip() for name, value in said.items() if isinstance(value, str)}


def _full_name(pii: Mapping[str, Any]) -> str | None:
    """Family name first, as in Japanese."""
    last = next((pii[name] for name in _LAST if isinstance(pii.get(name), str)), "")
    first = next((pii[name] for name in _FIRST if isinstance(pii.get(name), str)), "")
    return f"{last} {first}".strip() or None
