"""Every topic as a typed constant, and the records that go through them (CloudEvents in Kafka binary mode).

``PURCHASES.record(...)`` makes an outgoing record; ``PURCHASES.decode(type, value)`` reads a payload.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec

from tabiji_common import commands, events
from tabiji_common.cause import cause
from tabiji_common.errors import Reject

P = TypeVar("P")

Headers = list[tuple[str, bytes]]


class Mode(StrEnum):
    """How a record came in: as it happened, as imported history, or read again."""

    LIVE = "live"
    BACKFILL = "backfill"
    REPLAY = "replay"


class Record(msgspec.Struct, Generic[P], frozen=True):
    """An event or command on its way into a topic. ``key`` is ``workspace:customer``; times are aware UTC.

    ``body_hash`` is a hash of the client's event (without ``sentAt``), ``day`` the UTC day (ISO) of the client's raw
    timestamp: both stay the same when the client sends the event again.
    """

    topic: Topic[P]
    key: str
    id: str
    type: str
    source: str
    occurred_at: datetime
    accepted_at: datetime
    body: P
    mode: Mode = Mode.LIVE
    body_hash: str = ""
    day: str = ""

    def value(self) -> bytes:
        """The JSON value."""
        return msgspec.json.encode(self.body)

    def headers(self) -> Headers:
        """CloudEvents attributes in Kafka binary mode, plus ``ce_acceptedat``, ``mode``, ``bodyhash`` and ``day``."""
        return cloud_headers(
            self.id,
            self.type,
            self.source,
            self.occurred_at,
            self.accepted_at,
            self.mode.value,
            self.body_hash,
            self.day,
        )


def cloud_headers(
    id_: str,
    type_: str,
    source: str,
    occurred_at: datetime,
    accepted_at: datetime,
    mode: str,
    body_hash: str = "",
    day: str = "",
) -> Headers:
    """The headers of a record: CloudEvents 1.0, Kafka binding, binary mode; an empty body hash or day is left out."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", id_.encode()),
        ("ce_type", type_.encode()),
        ("ce_source", source.encode()),
        ("ce_time", _time_header(occurred_at)),
        ("ce_acceptedat", _time_header(accepted_at)),
        ("content-type", b"application/json"),
        ("mode", mode.encode()),
    ]
    if body_hash:
        headers.append(("bodyhash", body_hash.encode()))
    if day:
        headers.append(("day", day.encode()))
    return headers


@dataclass(frozen=True)
class Topic(Generic[P]):
    """A topic's name (without the installation's prefix), what it holds, and how long it is kept."""

    name: str
    types: Mapping[str, type[P]]
    holds: str
    fallback: type[P] | None = None
    retention: timedelta = timedelta(days=30)
    decoders: dict[str, msgspec.json.Decoder[P]] = field(default_factory=dict, compare=False, repr=False)

    def __hash__(self) -> int:
        return hash(self.name)

    def decode(self, type_: str, value: bytes) -> P:
        """Read a payload of ``type_``; raises ``Reject`` where it is not of that type or unknown here."""
        decoder = self.decoders.get(type_)
        if decoder is None:
            payload = self.types.get(type_, self.fallback)
            if payload is None:
                raise Reject(f"unknown type {type_!r} on {self.name}", "ce_type")
            decoder = self.decoders[type_] = msgspec.json.Decoder(payload)
        try:
            return decoder.decode(value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Reject(str(error), "value") from error

    def type_of(self, body: P) -> str:
        """The ``ce_type`` of a payload of this topic."""
        for name, payload in self.types.items():
            if type(body) is payload:
                return name
        raise TypeError(f"{type(body).__name__} does not belong on {self.name}")

    def record(
        self,
        body: P,
        *,
        id: str | None = None,  # noqa: A002 - the CloudEvents attribute's name
        source: str | None = None,
        occurred_at: datetime | None = None,
        accepted_at: datetime | None = None,
        type: str | None = None,  # noqa: A002 - the CloudEvents attribute's name
        mode: Mode | None = None,
        body_hash: str = "",
        day: str = "",
    ) -> Record[P]:
        """A record of ``body`` under its customer's key.

        In a handler without state what is left out comes from the event at hand: its times and mode, the service's
        source, and an id derived from the event's, so that a repeat makes the same record.
        """
        payload: Any = body
        if id is None or source is None or occurred_at is None or accepted_at is None:
            of = cause()
            id = id or derived_id(of.service, *of.identity, self.name, of.next_number(self.name))  # noqa: A001
            source, mode = source or f"tabiji/{of.service}", mode or Mode(of.mode)
            occurred_at, accepted_at = occurred_at or of.occurred_at, accepted_at or of.accepted_at
        return Record(
            self,
            customer_key(payload.workspace, payload.customer),
            id,
            type or self.type_of(body),
            source,
            occurred_at,
            accepted_at,
            body,
            mode or Mode.LIVE,
            body_hash,
            day,
        )


def customer_key(workspace: str, customer: str) -> str:
    """The record key of a customer: the same on every topic, hence one partition number everywhere."""
    return f"{workspace}:{customer}"


def split_key(key: str) -> tuple[str, str]:
    """(workspace, customer) of a record key; a workspace has no colon."""
    workspace, _, customer = key.partition(":")
    return workspace, customer


@lru_cache(maxsize=16_384)
def partition_of(key: str, partitions: int) -> int:
    """The partition number of a key: Kafka's default partitioner (murmur2, positive, modulo).

    Remembered, because the hash is Python and a turn asks several times for each of its customers.
    """
    from aiokafka.partitioner import murmur2  # noqa: PLC0415 - keeps this module free of the client until asked

    return int((murmur2(key.encode()) & 0x7FFFFFFF) % partitions)


def format_time(when: datetime) -> str:
    """RFC 3339 in UTC with microseconds only where present."""
    return when.isoformat().replace("+00:00", "Z")


@lru_cache(maxsize=1024)
def _time_header(when: datetime) -> bytes:
    """Remembered, because the records of one request or turn share most of their times."""
    return format_time(when.astimezone(UTC)).encode()


def parse_time(text: str) -> datetime:
    """The inverse of ``format_time``."""
    return datetime.fromisoformat(text)


NAMESPACE = uuid.UUID("8f0e51c2-6f0e-5c5e-9a53-0b8ad1b1c6a7")
_NAMESPACE_BYTES = NAMESPACE.bytes
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}  # RFC 9562: the digit's high bits are 10


def derived_id(*parts: str) -> str:
    """A UUIDv5 of the parts; a pure function, so the same inputs always give the same id.

    Spelled out because ``uuid.uuid5`` takes three times as long, and every transition, visit and message has one.
    """
    text = hashlib.sha1(_NAMESPACE_BYTES + "\x1f".join(parts).encode(), usedforsecurity=False).hexdigest()
    variant = _VARIANT[text[16]]
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


def identity_hash(workspace: str, source: str, id_: str) -> bytes:
    """The 16-byte hash of an event's identity (workspace, ce_source, ce_id)."""
    return hashlib.blake2b("\x1f".join((workspace, source, id_)).encode(), digest_size=16).digest()


PURCHASES: Topic[events.PurchaseEvent] = Topic(
    "events.purchase.v1", events.PURCHASE_EVENTS, "orders, refunds, deliveries and subscriptions"
)
PAGE_VIEWS: Topic[events.PageViewEvent] = Topic(
    "events.page_view.v1",
    events.PAGE_VIEW_EVENTS,
    "page, product and list views, search, cart and checkout steps",
)
ENGAGEMENTS: Topic[events.EngagementEvent] = Topic(
    "events.engagement.v1",
    events.ENGAGEMENT_EVENTS,
    "opens, clicks, bounces, complaints, unsubscribes, LINE, surveys",
)
CUSTOMERS: Topic[events.CustomerEvent] = Topic(
    "events.customer.v1", events.CUSTOMER_EVENTS, "traits, consent, merges and erasure"
)
CUSTOM: Topic[events.CustomEvent] = Topic(
    "events.custom.v1", {}, "any other name a shop tracks", fallback=events.CustomEvent
)
JOURNEY_COMMANDS: Topic[commands.JourneyCommand] = Topic(
    "journey.command.v1", commands.JOURNEY_COMMANDS, "enroll, exit, pause, unpark, replay, handover"
)
DISPATCH_COMMANDS: Topic[commands.DispatchCommand] = Topic(
    "dispatch.command.v1", commands.DISPATCH_COMMANDS, "settle, withdraw, unpark, replay"
)
ANALYTICS_COMMANDS: Topic[commands.AnalyticsCommand] = Topic(
    "analytics.command.v1", commands.ANALYTICS_COMMANDS, "unpark, replay"
)
ANALYTICS_HANDOVERS: Topic[commands.FactsHandover] = Topic(
    "analytics.handover.v1", {"facts": commands.FactsHandover}, "an anonymous visitor's facts"
)
TRANSITIONS: Topic[commands.Transition] = Topic(
    "journey.transition.v1",
    {"transition": commands.Transition},
    "an enrollment moved: from, to, cause",
)
SENDS: Topic[commands.SendCommand] = Topic(
    "dispatch.send.v1", commands.SEND_COMMANDS, "send this message, or cancel it"
)
OUTCOMES: Topic[commands.Outcome] = Topic(
    "dispatch.outcome.v1",
    {"outcome": commands.Outcome},
    "sent, suppressed, failed, unknown, delivered",
)

EVENT_TOPICS: tuple[Topic[Any], ...] = (PURCHASES, PAGE_VIEWS, ENGAGEMENTS, CUSTOMERS, CUSTOM)
TOPICS: dict[str, Topic[Any]] = {
    topic.name: topic
    for topic in (
        *EVENT_TOPICS,
        JOURNEY_COMMANDS,
        DISPATCH_COMMANDS,
        ANALYTICS_COMMANDS,
        ANALYTICS_HANDOVERS,
        TRANSITIONS,
        SENDS,
        OUTCOMES,
    )
}


def dead_letter_name(topic: str, group: str) -> str:
    """``<topic>.<group>.dlq``: what ``group`` could not apply."""
    return f"{topic}.{group}.dlq"


def anchor_name(group: str) -> str:
    """The topic whose only use is the membership of ``group``; it holds no records."""
    return f"{group}.members.v1"
