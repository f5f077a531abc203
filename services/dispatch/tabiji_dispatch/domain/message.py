"""What dispatch knows of a message: the delivery, the letter that goes out, and the intent to send it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

MARKETING = "marketing"
TRANSACTIONAL = "transactional"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that was asked for. ``key`` is the message key, ``send_state`` the journey's state that sends it.

    ``cluster`` and ``seen_*`` are what the journey had applied (next offsets); an empty cluster: it did not say.
    ``attempts`` counts those that were burned, ``in_doubt`` says that one of them may have reached the customer.
    """

    key: str
    p: int
    workspace: str
    customer: str
    journey: str
    version: int
    enrollment: str
    send_state: str
    channel: str
    template: str
    message_class: str
    provider: str
    decided_at: datetime
    not_after: datetime
    variables: dict[str, Any] = field(default_factory=dict)
    priority: int = 0
    cluster: str = ""
    seen_customer: int = 0
    seen_engagement: int = 0
    token: int = 0
    attempts: int = 0
    in_doubt: bool = False
    cancelled: bool = False
    first_attempt_at: datetime | None = None

    @property
    def customer_key(self) -> str:
        """The record key of its customer."""
        return f"{self.workspace}:{self.customer}"


@dataclass(frozen=True, slots=True)
class Letter:
    """What reaches the customer, frozen at the first attempt.

    ``unsubscribe_url`` is empty where the class needs none. ``dated`` is business time.
    """

    key: str
    channel: str
    address: str
    subject: str
    text: str
    html: str
    unsubscribe_url: str
    dated: datetime
    template_version: str

    def digest(self) -> bytes:
        """The request's hash: two attempts with one digest ask for the same thing."""
        parts = (self.key, self.address, self.subject, self.text, self.html, self.unsubscribe_url)
        return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class Intent:
    """A committed decision to send: ``token`` names the attempt, ``since`` is machine time when it was taken."""

    delivery: Delivery
    letter: Letter
    token: int
    since: float
    lease: float

    @property
    def id(self) -> tuple[str, int]:
        """Message key and token."""
        return self.delivery.key, self.token
