"""The payloads between services: commands, transitions, sends and outcomes. No personal data in any of them but
``Handover``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec


class Payload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every payload between services carries."""

    workspace: str
    customer: str


class LetsGo:
    """Marks the command of each service with which the runtime lets a parked customer go on."""

    __slots__ = ()


class TakesBack:
    """Marks the command of each service with which the runtime applies a dead letter once more.

    ``dead_letter`` is its id, ``attempt`` how often it had been replayed before: each attempt is made once.
    """

    __slots__ = ()

    dead_letter: str
    attempt: int


class JourneyCommand(Payload, frozen=True, kw_only=True, omit_defaults=True):
    """A request to the journey service about one customer."""


class Enroll(JourneyCommand, frozen=True, kw_only=True, omit_defaults=True):
    """Enter the journey without its trigger; ``key`` as in ``enter.key``."""

    journey: str
    key: str = ""


class Exit(JourneyCommand, frozen=True, kw_only=True, omit_defaults=True):
    """Leave the journey (every enrollment in it, or the one named)."""

    journey: str
    enrollment: str | None = None
    reason: str = "command"


class Pause(JourneyCommand, frozen=True, kw_only=True, omit_defaults=True):
    """Hold (``on``) or resume this customer's timers and sends in ``journey``."""

    journey: str
    on: bool = True


class Unpark(JourneyCommand, LetsGo, frozen=True, kw_only=True, omit_defaults=True):
    """Apply the customer's parked records, in order, and let it go on."""


class Replay(JourneyCommand, TakesBack, frozen=True, kw_only=True, omit_defaults=True):
    """Apply a dead letter once more, as it was received."""

    dead_letter: str
    attempt: int


class Handover(JourneyCommand, frozen=True, kw_only=True, omit_defaults=True):
    """One kept record of an anonymous visitor, passed on to the customer it turned out to be.

    ``value`` is the original record's value as text; the ``original_*`` fields are its headers. ``hops`` counts
    how often it was passed on (three at most).
    """

    original_id: str
    original_type: str
    original_source: str
    original_topic: str
    occurred_at: datetime
    value: str
    mode: str = "live"
    body_hash: str = ""
    hops: int = 1


class DispatchCommand(Payload, frozen=True, kw_only=True, omit_defaults=True):
    """A request to the dispatch service about one customer."""


class Settle(DispatchCommand, frozen=True, kw_only=True, omit_defaults=True):
    """A person says what became of an unknown message."""

    message_key: str
    outcome: Literal["sent", "failed", "resend"]
    by: str = "operator"


class Withdraw(DispatchCommand, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody who turned out to be this customer wants no more marketing on ``channel`` (``*``: on any).

    The record's ``ce_time`` is when that was said; ``hops`` counts how often it was passed on along a chain of merges.
    """

    channel: str
    hops: int = 1


class UnparkDispatch(DispatchCommand, LetsGo, frozen=True, kw_only=True, omit_defaults=True):
    """Apply the customer's parked records, in order, and let it go on."""


class ReplayDispatch(DispatchCommand, TakesBack, frozen=True, kw_only=True, omit_defaults=True):
    """Apply a dead letter once more, as it was received."""

    dead_letter: str
    attempt: int


class AnalyticsCommand(Payload, frozen=True, kw_only=True, omit_defaults=True):
    """A request to the analytics service about one customer."""


class UnparkAnalytics(AnalyticsCommand, LetsGo, frozen=True, kw_only=True, omit_defaults=True):
    """Apply the customer's parked records, in order, and let it go on."""


class ReplayAnalytics(AnalyticsCommand, TakesBack, frozen=True, kw_only=True, omit_defaults=True):
    """Apply a dead letter once more, as it was received."""

    dead_letter: str
    attempt: int


class FactsHandover(Payload, frozen=True, kw_only=True, omit_defaults=True):
    """Facts of an anonymous visitor, on ``analytics.handover.v1`` under the customer's key: minus there, plus here."""

    source: str
    facts: list[dict[str, Any]]
    hops: int = 1


class Transition(Payload, frozen=True, kw_only=True, omit_defaults=True):
    """An enrollment moved.

    ``kind``: entered, moved, finished, exited, converted (the goal; moves nobody), suppressed (a message that was
    decided and not sent), corrected (a late outcome). ``cause`` says why in one closed word (event, timer, outcome,
    command, entry, revoked), ``cause_id`` is the record or timer behind it, ``reason`` the exit's or suppression's.
    """

    enrollment: str
    journey: str
    version: int
    kind: Literal["entered", "moved", "finished", "exited", "converted", "suppressed", "corrected"]
    at: datetime
    from_state: str | None = None
    to_state: str | None = None
    cause: str = ""
    cause_id: str = ""
    reason: str = ""
    holdout: bool = False
    key: str = ""
    seq: int = 0
    message_key: str | None = None
    arms: dict[str, str] = {}


class Seen(msgspec.Struct, frozen=True):
    """What the sender had applied: next offsets by unprefixed topic, for the partition number of the record's key."""

    cluster: str
    offsets: dict[str, int]


class SendCommand(Payload, frozen=True, kw_only=True, omit_defaults=True):
    """A request to the dispatch service about one message."""

    message_key: str


class SendMessage(SendCommand, frozen=True, kw_only=True, omit_defaults=True):
    """Send this message. No address and no name: dispatch fills them in from its own contacts."""

    journey: str
    version: int
    enrollment: str
    state: str
    channel: str
    template: str
    message_class: Literal["marketing", "transactional"] = "marketing"
    provider: str | None = None
    variables: dict[str, Any] = {}
    decided_at: datetime
    not_after: datetime
    priority: int = 0
    seen: Seen | None = None


class CancelMessage(SendCommand, frozen=True, kw_only=True, omit_defaults=True):
    """Do not send this message, if there is still time."""

    reason: str


class Outcome(Payload, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a message. ``at`` is when it became so (``sent_at`` for ``sent``)."""

    message_key: str
    state: Literal["sent", "suppressed", "failed", "unknown", "delivered"]
    reason: str = ""
    channel: str
    provider: str = ""
    journey: str
    version: int = 0
    enrollment: str
    send_state: str
    template: str = ""
    at: datetime
    token: int = 0
    sent_after_exit: bool = False


JOURNEY_COMMANDS: dict[str, type[JourneyCommand]] = {
    "enroll": Enroll,
    "exit": Exit,
    "pause": Pause,
    "unpark": Unpark,
    "replay": Replay,
    "handover": Handover,
}
DISPATCH_COMMANDS: dict[str, type[DispatchCommand]] = {
    "settle": Settle,
    "withdraw": Withdraw,
    "unpark": UnparkDispatch,
    "replay": ReplayDispatch,
}
ANALYTICS_COMMANDS: dict[str, type[AnalyticsCommand]] = {"unpark": UnparkAnalytics, "replay": ReplayAnalytics}
SEND_COMMANDS: dict[str, type[SendCommand]] = {"send": SendMessage, "cancel": CancelMessage}
