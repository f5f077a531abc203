"""What analytics keeps of the log: facts, one kind each, with the identity that makes a repeat a repeat.

Identities are 16-byte hashes. Orders and refunds go by their business identity, everything else by its event's.
Facts are msgspec structs, so that an anonymous visitor's facts can travel in a handover as they are.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

import msgspec

Who = tuple[str, str]
"""(workspace, customer)."""


class Fact(msgspec.Struct, frozen=True, gc=False, tag_field="kind", omit_defaults=True):
    """Something that happened and is kept for good."""


class OrderPlaced(Fact, frozen=True, gc=False, tag="order"):
    """An order of ``amount_minor``; the first one under this identity counts."""

    key: bytes
    order_id: str
    occurred_at: datetime
    amount_minor: int
    currency: str
    medium: str | None = None


class RefundGiven(Fact, frozen=True, gc=False, tag="refund"):
    """``amount_minor`` of the order ``order`` was given back; ``None`` is what is left of it."""

    order: bytes
    key: bytes
    occurred_at: datetime
    amount_minor: int | None = None
    currency: str | None = None


class OrderDropped(Fact, frozen=True, gc=False, tag="cancel"):
    """The order ``order`` counts as never placed."""

    order: bytes


class Touched(Fact, frozen=True, gc=False, tag="touch"):
    """A customer came by way of ``medium``."""

    key: bytes
    occurred_at: datetime
    medium: str


class Engaged(Fact, frozen=True, gc=False, tag="engagement"):
    """A customer, or a machine, reacted; ``action`` is the event's type."""

    key: bytes
    occurred_at: datetime
    action: str
    channel: str | None = None
    message_key: str | None = None
    machine: bool = False


class Moved(Fact, frozen=True, gc=False, tag="transition"):
    """An enrollment moved; ``arms`` are its split arms as ``state=arm``, sorted and joined by commas."""

    key: bytes
    occurred_at: datetime
    enrollment: str
    journey: str
    version: int
    what: str
    from_state: str | None = None
    to_state: str | None = None
    reason: str = ""
    holdout: bool = False
    arms: str = ""
    seq: int = 0


class Concluded(Fact, frozen=True, gc=False, tag="outcome"):
    """What was said to have become of a message; later truth may differ, see ``messages.truth``."""

    key: bytes
    occurred_at: datetime
    message_key: str
    state: str
    journey: str
    version: int
    enrollment: str
    send_state: str
    channel: str = ""
    provider: str = ""
    template: str = ""
    reason: str = ""
    token: int = 0
    sent_after_exit: bool = False


Movable = OrderPlaced | RefundGiven | OrderDropped | Touched | Engaged
"""What an anonymous visitor can have, and what is handed over to another customer."""


def order_key(workspace: str, order_id: str) -> bytes:
    """The identity of an order: unique within its workspace, whoever reports it."""
    return _hash("order", workspace, order_id)


def refund_key(order: bytes, refund_id: str) -> bytes:
    """The identity of a refund that has an id of its own."""
    return _hash("refund", order.hex(), refund_id)


def _hash(*parts: str) -> bytes:
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).digest()
