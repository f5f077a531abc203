"""HTTP request -> events.*: authenticate, limit, read, parse, triage, append with acks=all, and only then answer.

A link in a message goes the short way: verify, append, answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from tabiji_common.clock import Clock
from tabiji_common.errors import Retry
from tabiji_common.failpoints import Failpoint
from tabiji_common.logs import logger
from tabiji_common.topics import Record
from tabiji_ingest.domain import cloudevents, segment
from tabiji_ingest.domain.access import Flight, Limiter, WriteKey, check_mode, read_basic
from tabiji_ingest.domain.body import Batch, read_array, read_batch
from tabiji_ingest.domain.call import Call, CallKind, Receipt, Rules
from tabiji_ingest.domain.inflate import inflate
from tabiji_ingest.domain.poison import find_poison, read_event
from tabiji_ingest.domain.properties import read_object
from tabiji_ingest.domain.refusal import Kind, Refusal
from tabiji_ingest.domain.triage import Triaged, triage
from tabiji_ingest.metrics import ACCEPTED, FLIGHT, REFUSED, UNACKED
from tabiji_ingest.ports import EventLog, WriteKeys
from tabiji_ingest.settings import IngestSettings

log = logger(__name__)

BEFORE_APPEND = Failpoint("ingest.append.before", "events triaged, nothing appended yet")
BEFORE_ANSWER = Failpoint("ingest.answer.before", "all records acked, the client not told yet")

Route = CallKind | Literal["batch", "events"]

_REQUEST_BYTES = 4096
"""What a request costs even with an empty body, so that the number of requests in flight is bounded too."""

_BREATH = 250
"""Events after which other requests get a turn."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: the route, who asks, how, and the body as it comes in."""

    route: Route
    authorization: str | None
    mode: str | None
    length: int | None
    chunks: AsyncIterator[bytes]


@dataclass(slots=True)
class Answer:
    """What became of a request's events: how many are durable, which were refused and why, and ids that we made."""

    accepted: int = 0
    rejected: list[tuple[int, Refusal]] = field(default_factory=list)
    made: list[tuple[int, str]] = field(default_factory=list)


class Accept:
    """Takes requests; every promise to a client is made here."""

    def __init__(
        self,
        log_: EventLog,
        keys: WriteKeys,
        clock: Clock,
        settings: IngestSettings,
        fresh_id: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self.log, self.keys, self.clock, self.settings = log_, keys, clock, settings
        self.rules: Rules = settings.rules()
        self.fresh_id = fresh_id
        self.limiter = Limiter(settings.write_key_rate, settings.write_key_burst)
        self.flight = Flight(settings.max_flight_bytes)

    async def accept(self, ask: Ask) -> Answer:
        """The whole road of one request. Raises ``Refusal`` where none of it is known to be taken."""
        key = await self._authenticate(ask)
        mode = check_mode(ask.mode, key, batch=ask.route == "batch")
        self.limiter.check(key, self.clock.elapsed())
        with self._room() as take:
            body = await self._read(ask, take)
            receipt = Receipt(key.workspace, self.clock.now(), mode, self.fresh_id())
            answer, records = await self._triage(ask.route, body, receipt)
            if records:
                await self.append(records)
        ACCEPTED.labels(mode.value).inc(answer.accepted)
        for _, refusal in answer.rejected:
            REFUSED.labels(refusal.kind.value).inc()
        return answer

    async def append(self, records: list[Record[Any]], seconds: float | None = None) -> None:
        """Return once every record is acked; raises ``Refusal`` where that is not known in time."""
        await BEFORE_APPEND()
        try:
            async with asyncio.timeout(seconds or self.settings.ack_seconds):
                await self.log.append(records)
        except (Retry, TimeoutError, OSError) as error:
            UNACKED.inc()
            log.warning("append_not_acked", records=len(records), error=type(error).__name__)
            rule = "is not known to be written: send it again with the same ids"
            raise Refusal("", rule, Kind.UNAVAILABLE, retry_after=1) from error
        await BEFORE_ANSWER()

    async def _authenticate(self, ask: Ask) -> WriteKey:
        try:
            key = await self.keys.find(read_basic(ask.authorization))
        except Retry as error:
            raise Refusal("", "write keys cannot be read just now", Kind.UNAVAILABLE, retry_after=1) from error
        if key is None:
            raise Refusal(
                "Authorization",
                "is an unknown write key: of another installation, or revoked",
                Kind.AUTH,
            )
        return key

    @contextlib.contextmanager
    def _room(self) -> Iterator[Callable[[int], None]]:
        """Room in flight for one request; what it yields takes more of it."""
        held = 0

        def take(size: int) -> None:
            nonlocal held
            self.flight.take(size)
            held += size
            FLIGHT.set(self.flight.bytes)

        try:
            take(_REQUEST_BYTES)
            yield take
        finally:
            self.flight.give_back(held)
            FLIGHT.set(self.flight.bytes)

    async def _read(self, ask: Ask, take: Callable[[int], None]) -> bytes:
        limits, body = self.settings, bytearray()
        too_large = Refusal("", f"must be at most {limits.max_body_bytes} bytes", Kind.LARGE)
        if (ask.length or 0) > limits.max_body_bytes:
            raise too_large
        take(ask.length or 0)
        try:
            async with asyncio.timeout(limits.body_seconds):
                async for chunk in ask.chunks:
                    body += chunk
                    if len(body) > limits.max_body_bytes:
                        raise too_large
                    if ask.length is None:
                        take(len(chunk))
        except TimeoutError:
            raise Refusal("", f"must arrive within {limits.body_seconds:g} s", Kind.SLOW) from None
        unpacked = inflate(bytes(body), max_bytes=limits.max_unpacked_bytes, max_ratio=limits.max_unpack_ratio)
        if len(unpacked) != len(body):
            take(len(unpacked))
        return unpacked

    async def _triage(self, route: Route, body: bytes, receipt: Receipt) -> tuple[Answer, list[Record[Any]]]:
        """Every event on its own: a bad one costs the others nothing."""
        batch = _events(route, body)
        context = read_object(batch.context, "context")
        if context and (poison := find_poison(context, "context")):
            raise poison
        answer, records = Answer(), list[Record[Any]]()
        for index, raw in enumerate(batch.events):
            try:
                call = _call(route, read_event(raw), batch.sent_at, context)
                triaged = triage(call, receipt, self.rules, index)
            except Refusal as refusal:
                answer.rejected.append((index, refusal))
            else:
                _keep(triaged, index, answer, records)
            if index % _BREATH == _BREATH - 1:
                await asyncio.sleep(0)
        return answer, records


def _events(route: Route, body: bytes) -> Batch:
    match route:
        case "batch":
            return read_batch(body)
        case "events":
            return read_array(body)
        case _:
            return Batch([body])


def _call(route: Route, event: dict[str, Any], sent_at: Any, context: dict[str, Any]) -> Call:
    match route:
        case "batch":
            return segment.read_call(segment.read_kind(event), event, sent_at, context)
        case "events":
            return cloudevents.read_call(event)
        case _:
            return segment.read_call(route, event)


def _keep(triaged: Triaged, index: int, answer: Answer, records: list[Record[Any]]) -> None:
    records += triaged.records
    answer.accepted += 1
    if triaged.made:
        answer.made.append((index, triaged.id))
