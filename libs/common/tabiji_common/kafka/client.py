"""How this installation's Kafka is reached, and what a raw record of the client becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

from tabiji_common.clock import from_millis
from tabiji_common.kafka.turn import Received
from tabiji_common.settings import Settings
from tabiji_common.topics import Mode, parse_time

SESSION_TIMEOUT_MS = 6000
METADATA_MAX_AGE_MS = 2000  # a leader that looked before a topic was known assigns nothing until it looks again
FETCH_BYTES = 256 * 1024


@dataclass(frozen=True)
class Cluster:
    """Where Kafka is, and the prefix of this installation's topics and groups."""

    bootstrap: str
    prefix: str
    partitions: int

    @classmethod
    def of(cls, settings: Settings) -> Cluster:
        """The cluster that the settings name."""
        return cls(settings.kafka_bootstrap, settings.topic_prefix, settings.partitions)

    def name(self, topic: str) -> str:
        """The topic's or group's full name."""
        return self.prefix + topic

    def plain(self, name: str) -> str:
        """The name without the installation's prefix."""
        return name.removeprefix(self.prefix)

    def member(self, group: str) -> AIOKafkaConsumer:
        """A consumer that is only there to be a member of ``group`` (the anchor topic)."""
        return AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            group_id=self.name(f"{group}.members"),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=500,
            metadata_max_age_ms=METADATA_MAX_AGE_MS,
            max_poll_interval_ms=2**31 - 1,  # a member that never polls would leave silently
            partition_assignment_strategy=(StickyPartitionAssignor,),
        )

    def reader(self) -> AIOKafkaConsumer:
        """A consumer that reads what it is told to.

        It has no group: with one, the client's coordination task dies (an assertion) when places are assigned again
        while it looks for its coordinator.
        """
        return AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=100,
        )

    def teller(self, group: str) -> AIOKafkaConsumer:
        """A consumer that only tells Kafka the offsets of ``group``."""
        return AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=self.name(group), enable_auto_commit=False)

    def stateless(self, group: str) -> AIOKafkaConsumer:
        """A consumer of a group whose offsets live in Kafka; it commits them itself."""
        return AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            group_id=self.name(group),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=500,
            metadata_max_age_ms=METADATA_MAX_AGE_MS,
            max_poll_interval_ms=2**31 - 1,  # a batch may be retried for longer than any limit
            fetch_max_wait_ms=100,
        )

    def prober(self) -> AIOKafkaConsumer:
        """A consumer without a group that asks for end offsets."""
        return AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=None, enable_auto_commit=False)


class IgnoreRebalances(ConsumerRebalanceListener):  # type: ignore[misc]
    """Decisions about ownership are made in the loop, never in a listener."""

    def on_partitions_revoked(self, revoked: Any) -> None:
        """Nothing."""

    def on_partitions_assigned(self, assigned: Any) -> None:
        """Nothing."""


class Raw(Protocol):
    """What a client gives us: a record with its append time in milliseconds."""

    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


def received(topic: str, raw: Raw) -> Received:
    """A client's record as ours. What is wrong with its key or headers is named in ``fault``; its body is then refused.

    PostgreSQL keeps no NUL: it is shown as U+FFFD, so that such a record can be dead-lettered.
    """
    fault = ""
    headers = {name: value.decode("utf-8", "replace") for name, value in raw.headers}
    key = (raw.key or b"").decode("utf-8", "replace")
    if "\0" in key or "\0" in "".join(headers.values()):
        fault = "a key or header holds NUL"
        key, headers = key.replace("\0", NUL_SHOWN), {k: v.replace("\0", NUL_SHOWN) for k, v in headers.items()}
    occurred_at = accepted_at = appended_at = from_millis(raw.timestamp)
    mode = Mode.LIVE
    try:
        occurred_at = _instant(headers["ce_time"])
        accepted_at = _instant(headers.get("ce_acceptedat", headers["ce_time"]))
        mode = Mode(headers.get("mode", "live"))
        type_ = headers["ce_type"]
    except (KeyError, ValueError, OverflowError):
        fault, type_ = fault or "needs ce_type, ce_time with a zone, and a known mode", headers.get("ce_type", "")
    if ":" not in key:
        fault = fault or "the key is not workspace:customer"
    return Received(
        topic=topic,
        partition=raw.partition,
        offset=raw.offset,
        appended_at=appended_at,
        key=key,
        id=headers.get("ce_id", f"{topic}/{raw.partition}/{raw.offset}"),
        type=type_,
        source=headers.get("ce_source", ""),
        occurred_at=occurred_at,
        accepted_at=accepted_at,
        mode=mode,
        body_hash=headers.get("bodyhash", ""),
        value=raw.value or b"",
        day=_day(headers.get("day", ""), accepted_at),
        fault=fault,
    )


NUL_SHOWN = "\N{REPLACEMENT CHARACTER}"


def _instant(text: str) -> datetime:
    when = parse_time(text)
    if when.tzinfo is None:
        raise ValueError("a time needs a zone")
    return when.astimezone(UTC)


def _day(text: str, accepted_at: datetime) -> date:
    try:
        return datetime.fromisoformat(text).date() if text else accepted_at.date()
    except ValueError:
        return accepted_at.date()
