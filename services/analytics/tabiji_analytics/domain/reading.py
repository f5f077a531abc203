"""An event's payload -> the facts in it. Pure; raises ``Reject`` for values that no view can hold."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tabiji_analytics.domain.facts import (
    Concluded,
    Engaged,
    Fact,
    Moved,
    OrderDropped,
    OrderPlaced,
    RefundGiven,
    Touched,
    order_key,
    refund_key,
)
from tabiji_common import commands, events
from tabiji_common.errors import Reject

# Views show every month up to the last one in the data, so one date of the year 9999 would be 96,000 rows a cohort.
FIRST = datetime(1970, 1, 2, tzinfo=UTC)
LAST = datetime(2100, 1, 1, tzinfo=UTC)
# Far above any order, and nine million of them still fit a bigint.
MOST_MINOR = 10**12


def facts_in(body: Any, identity: bytes, type_: str, occurred_at: datetime) -> Iterator[Fact]:
    """The facts in ``body``, none for most events.

    ``identity`` is the event's (workspace, source, id) hash, ``type_`` its ``ce_type``. Raises ``Reject``.
    """
    _check_time(occurred_at)
    if isinstance(body, events.OrderCompleted):
        yield _placed(body, occurred_at)
        return
    if isinstance(body, events.OrderRefunded):
        yield _refunded(body, identity, occurred_at)
    elif isinstance(body, events.OrderCancelled):
        yield OrderDropped(order_key(body.workspace, body.order_id))
    elif isinstance(body, events.EngagementEvent):
        yield Engaged(identity, occurred_at, type_, body.channel, body.message_key, body.machine)
    elif isinstance(body, commands.Transition):
        yield from _moved(body, identity)
    elif isinstance(body, commands.Outcome):
        yield _concluded(body, identity)
    if isinstance(body, events.Event) and body.medium:
        yield Touched(identity, occurred_at, body.medium)


def _placed(body: events.OrderCompleted, occurred_at: datetime) -> OrderPlaced:
    _check_amount(body.amount_minor)
    return OrderPlaced(
        order_key(body.workspace, body.order_id),
        body.order_id,
        occurred_at,
        body.amount_minor,
        body.currency,
        body.medium or None,
    )


def _refunded(body: events.OrderRefunded, identity: bytes, occurred_at: datetime) -> RefundGiven:
    if body.amount_minor is not None:
        _check_amount(body.amount_minor)
        if body.amount_minor < 0:  # the rest after it would not be what is left of the order
            raise Reject("must not be negative", "amount_minor")
    order = order_key(body.workspace, body.order_id)
    key = refund_key(order, body.refund_id) if body.refund_id else identity
    return RefundGiven(order, key, occurred_at, body.amount_minor, body.currency)


def _moved(body: commands.Transition, identity: bytes) -> Iterator[Fact]:
    yield Moved(
        identity,
        body.at,
        body.enrollment,
        body.journey,
        body.version,
        body.kind,
        body.from_state,
        body.to_state,
        body.reason,
        body.holdout,
        ",".join(f"{state}={arm}" for state, arm in sorted(body.arms.items())),
        body.seq,
    )
    if body.kind == "suppressed" and body.message_key:
        # Decided against by the journey itself: dispatch may never hear of it. Anything it does say ranks higher.
        yield Concluded(
            identity,
            body.at,
            body.message_key,
            "suppressed",
            body.journey,
            body.version,
            body.enrollment,
            body.to_state or body.from_state or "",
            reason=body.reason,
            token=-1,
        )


def _concluded(body: commands.Outcome, identity: bytes) -> Concluded:
    return Concluded(
        identity,
        body.at,
        body.message_key,
        body.state,
        body.journey,
        body.version,
        body.enrollment,
        body.send_state,
        body.channel,
        body.provider,
        body.template,
        body.reason,
        body.token,
        body.sent_after_exit,
    )


def _check_time(occurred_at: datetime) -> None:
    if not FIRST <= occurred_at < LAST:
        raise Reject("must lie between 1970 and 2100", "ce_time")


def _check_amount(amount_minor: int) -> None:
    if abs(amount_minor) > MOST_MINOR:
        raise Reject(f"must lie within ±{MOST_MINOR}", "amount_minor")
