"""What a batch of records asks for, in values; nothing is looked up and nothing is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from tabiji_common.commands import CancelMessage, Outcome, SendMessage, Settle, Withdraw
from tabiji_common.errors import Reject
from tabiji_common.kafka.turn import Received
from tabiji_common.topics import CUSTOMERS, DISPATCH_COMMANDS, ENGAGEMENTS, SENDS, Mode
from tabiji_dispatch.domain.carrier import Carrier
from tabiji_dispatch.domain.ledger import Move, State
from tabiji_dispatch.domain.message import Delivery

_TOLD = {"sent": Move.TELL_SENT, "failed": Move.TELL_FAILED, "resend": Move.TELL_RESEND}


@dataclass(frozen=True, slots=True)
class Arrival:
    """A delivery to insert, most often ``queued``; one that is finished from the start carries its reason."""

    delivery: Delivery
    state: State = State.QUEUED
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Cancel:
    """A request not to send; ``workspace`` and ``customer`` are for a key that never came."""

    key: str
    p: int
    workspace: str
    customer: str


@dataclass(frozen=True, slots=True)
class Told:
    """A person's word about a message; ``command`` is the outcome and the record's id: a repeat changes nothing."""

    key: str
    move: Move
    command: str


@dataclass(frozen=True, slots=True)
class Change:
    """An event about a customer, or a no that somebody else said in its name, from the record ``id``."""

    customer_key: str
    p: int
    id: str
    occurred_at: datetime
    event: Any
    accepted_at: datetime | None = None


@dataclass(slots=True)
class Batch:
    """The records of a turn by what they ask for; ``failed`` are answers to sends that can never apply."""

    arrivals: list[Arrival] = field(default_factory=list)
    cancels: list[Cancel] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    rejected: list[tuple[Received, str]] = field(default_factory=list)
    failed: list[Outcome] = field(default_factory=list)


def triage(
    records: Iterable[Received], carriers: Mapping[str, Carrier], now: datetime, *, stepped: bool = False
) -> Batch:
    """Sort the records of a turn; what cannot be read is rejected, with an answer where a journey waits for one.

    With ``stepped`` time an event may lie ahead of its receipt.
    """
    batch = Batch()
    for record in records:
        try:
            _sort(record, carriers, batch, stepped=stepped)
        except Reject as error:
            batch.rejected.append((record, str(error)))
            if record.topic == SENDS.name and (answer := _answer(record, now)):
                batch.failed.append(answer)
    return batch


def _sort(record: Received, carriers: Mapping[str, Carrier], batch: Batch, *, stepped: bool) -> None:
    if record.topic in {CUSTOMERS.name, ENGAGEMENTS.name} or isinstance(record.body, Withdraw):
        at = record.occurred_at if stepped else min(record.occurred_at, record.accepted_at)
        batch.changes.append(Change(record.key, record.partition, record.id, at, record.body, record.accepted_at))
        return
    body = record.body
    match body:
        case SendMessage():
            batch.arrivals.append(_arrival(body, record, carriers))
        case CancelMessage():
            batch.cancels.append(Cancel(body.message_key, record.partition, body.workspace, body.customer))
        case Settle() if record.topic == DISPATCH_COMMANDS.name:
            batch.told.append(Told(body.message_key, _TOLD[body.outcome], f"{body.outcome} {record.id}"))
        case _:
            pass


def _arrival(send: SendMessage, record: Received, carriers: Mapping[str, Carrier]) -> Arrival:
    carrier = route(send.channel, send.provider, carriers)
    seen = send.seen
    delivery = Delivery(
        key=send.message_key,
        p=record.partition,
        workspace=send.workspace,
        customer=send.customer,
        journey=send.journey,
        version=send.version,
        enrollment=send.enrollment,
        send_state=send.state,
        channel=send.channel,
        template=send.template,
        message_class=send.message_class,
        provider=carrier.name if carrier else "",
        decided_at=send.decided_at,
        not_after=send.not_after,
        variables=send.variables,
        priority=send.priority,
        cluster=seen.cluster if seen else "",
        seen_customer=seen.offsets.get(CUSTOMERS.name, 0) if seen else 0,
        seen_engagement=seen.offsets.get(ENGAGEMENTS.name, 0) if seen else 0,
    )
    if record.mode is not Mode.LIVE:  # imported history and replays send nothing
        return Arrival(delivery, State.SUPPRESSED, record.mode.value)
    if carrier is None:
        return Arrival(delivery, State.FAILED, "no_provider")
    return Arrival(delivery)


def route(channel: str, asked: str | None, carriers: Mapping[str, Carrier]) -> Carrier | None:
    """Who carries ``channel``: the provider asked for where it does, else the one that is set up for it."""
    if asked and asked in carriers and channel in carriers[asked].channels:
        return carriers[asked]
    return next((one for one in carriers.values() if channel in one.channels), None)


def _answer(record: Received, now: datetime) -> Outcome | None:
    """``failed`` for a send that cannot be read, where enough of it can."""
    try:
        raw = msgspec.json.decode(record.value)
        return msgspec.convert(
            {**raw, "send_state": raw["state"], "state": "failed", "reason": "rejected", "at": now, "token": 0}, Outcome
        )
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError, TypeError):
        return None
