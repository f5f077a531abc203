"""HTTP request -> events.*: authenticate, limit, read, parse, triage, append with acks=all, and only then answer.

A link in a message goes the short way: verify, append, answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tabiji_common.clock import Clock
from tabiji_common.errors import Retry
from tabiji_common.failpoints import Failpoint
from tabiji_common.logs import logger
from tabiji_common.topics import EVENT_TOPICS, Mode, Record, Topic
from tabiji_ingest.domain.access import (
    Flight,
    Limiter,
    WriteKey,
    check_mode,
    read_basic,
    read_body_key,
    read_verbatim,
)
from tabiji_ingest.domain.call import Receipt, Rules
from tabiji_ingest.domain.inflate import inflate
from tabiji_ingest.domain.protocols import Reading, Route, read_request
from tabiji_ingest.domain.refusal import Kind, Refusal
from tabiji_ingest.domain.triage import Triaged, triage
from tabiji_ingest.metrics import ACCEPTED, FLIGHT, REFUSED, UNACKED
from tabiji_ingest.ports import EventLog, WriteKeys
from tabiji_ingest.settings import IngestSettings

OUTPUTS: tuple[Topic[Any], ...] = EVENT_TOPICS

log = logger(__name__)

BEFORE_APPEND = Failpoint("ingest.append.before", "events triaged, nothing appended yet")
BEFORE_ANSWER = Failpoint("ingest.answer.before", "all records acked, the client not told yet")

Keyed = Literal["basic", "verbatim", "body"]
"""Where a client puts its write key: HTTP Basic, the whole header, or the body."""

REQUEST_BYTES = 64 * 1024
"""What a request takes besides its body, so that the number under way is bounded too: more of them than can be worked
off in a second or two would only wait, and 503 at once is the better answer."""

_IMPORTING = frozenset({"batch", "posthog"})
"""Routes that take history."""

_BREATH = 64 * 1024
"""Bytes of events after which other requests get a turn; an event without any counts as 256."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: the route, where its write key is, its headers (lower-case names), and the body as it comes in."""

    route: Route
    keyed: Keyed
    headers: Mapping[str, str]
    mode: str | None
    length: int | None
    chunks: AsyncIterator[bytes]


@dataclass(slots=True)
class Answer:
    """What became of a request's events: how many are durable, which were refused and why, and ids that we made."""

    accepted: int = 0
    rejected: list[tuple[int, Refusal]] = field(default_factory=list)
    made: list[tuple[int, str]] = field(default_factory=list)


class Room:
    """What one request takes of what may be in flight, until it is answered and the log's client has nothing of it."""

    def __init__(self, flight: Flight) -> None:
        self.flight, self.held = flight, 0
        self.inside = 1

    def take(self, size: int) -> None:
        """Take more; raises ``Refusal`` where there is none."""
        self.flight.take(size)
        self.held += size
        FLIGHT.set(self.flight.bytes)

    def share(self, appending: asyncio.Future[None]) -> None:
        """Keep the room for this append, too, however long it takes."""
        self.inside += 1
        appending.add_done_callback(lambda _: self.leave())

    def leave(self) -> None:
        """The request is answered, or its append has ended: the last of the two gives the room back."""
        self.inside -= 1
        if not self.inside:
            self.flight.give_back(self.held)
            FLIGHT.set(self.flight.bytes)


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
        self.appending: set[asyncio.Future[None]] = set()  # the event loop does not keep them

    async def accept(self, ask: Ask) -> Answer:
        """The whole road of one request. Raises ``Refusal`` where none of it is known to be taken."""
        admitted = None if ask.keyed == "body" else await self._admit(ask, _header_key(ask))
        with self._room() as room:
            body = await self._read(ask, room.take)
            reading = read_request(ask.route, ask.headers, body)
            workspace, mode = admitted or await self._admit(ask, read_body_key(reading.key), history=reading.history)
            receipt = Receipt(workspace, self.clock.now(), mode, self.fresh_id())
            answer, records = await self._triage(reading, receipt)
            if records:
                await self._append(records, room, self.settings.ack_seconds)
        ACCEPTED.labels(mode.value).inc(answer.accepted)
        for _, refusal in answer.rejected:
            REFUSED.labels(refusal.kind.value).inc()
        return answer

    async def append(self, records: list[Record[Any]], seconds: float | None = None) -> None:
        """Return once every record is acked; raises ``Refusal`` where there is no room, or it is not known in time."""
        with self._room() as room:
            await self._append(records, room, seconds or self.settings.ack_seconds)

    async def _append(self, records: list[Record[Any]], room: Room, seconds: float) -> None:
        """The log's client keeps what nobody waits for any more: its room is given back when the append ends."""
        await BEFORE_APPEND()
        appending = asyncio.ensure_future(self.log.append(records))
        room.share(appending)
        self.appending.add(appending)
        appending.add_done_callback(self.appending.discard)
        try:
            async with asyncio.timeout(seconds):
                await asyncio.shield(appending)
        except (Retry, TimeoutError, OSError) as error:
            UNACKED.inc()
            log.warning("append_not_acked", records=len(records), error=type(error).__name__)
            rule = "is not known to be written: send it again with the same ids"
            raise Refusal("", rule, Kind.UNAVAILABLE, retry_after=1) from error
        await BEFORE_ANSWER()

    async def _admit(self, ask: Ask, text: str, *, history: bool = False) -> tuple[str, Mode]:
        """(workspace, mode) of a request with this write key, which may not ask too often."""
        key = await self._find(text, "api_key" if ask.keyed == "body" else "Authorization")
        mode = check_mode(ask.mode or (Mode.BACKFILL if history else None), key, batch=ask.route in _IMPORTING)
        self.limiter.check(key, self.clock.elapsed())
        return key.workspace, mode

    async def _find(self, text: str, field_: str) -> WriteKey:
        try:
            key = await self.keys.find(text)
        except Retry as error:
            raise Refusal("", "write keys cannot be read just now", Kind.UNAVAILABLE, retry_after=1) from error
        if key is None:
            raise Refusal(field_, "is an unknown write key: of another installation, or revoked", Kind.AUTH)
        return key

    @contextlib.contextmanager
    def _room(self) -> Iterator[Room]:
        """Room in flight for one request; raises ``Refusal`` where there is none."""
        room = Room(self.flight)
        try:
            room.take(REQUEST_BYTES)
            yield room
        finally:
            room.leave()

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

    async def _triage(self, reading: Reading, receipt: Receipt) -> tuple[Answer, list[Record[Any]]]:
        """Every event on its own: a bad one costs the others nothing."""
        answer, records, read = Answer(), list[Record[Any]](), 0
        for index, raw in enumerate(reading.events):
            try:
                triaged = triage(reading.read(raw), receipt, self.rules, index)
            except Refusal as refusal:
                answer.rejected.append((index, refusal))
            else:
                _keep(triaged, index, answer, records)
            read += 256 + len(raw)
            if read > _BREATH:
                read = 0
                await asyncio.sleep(0)
        return answer, records


def _header_key(ask: Ask) -> str:
    read = read_verbatim if ask.keyed == "verbatim" else read_basic
    return read(ask.headers.get("authorization"))


def _keep(triaged: Triaged, index: int, answer: Answer, records: list[Record[Any]]) -> None:
    records += triaged.records
    answer.accepted += 1
    if triaged.made:
        answer.made.append((index, triaged.id))
