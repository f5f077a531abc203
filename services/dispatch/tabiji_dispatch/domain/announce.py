"""A delivery's end as the journey hears of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tabiji_common.commands import Outcome
from tabiji_common.topics import OUTCOMES, Record, derived_id
from tabiji_dispatch.domain.ledger import State
from tabiji_dispatch.domain.message import Delivery
from tabiji_dispatch.domain.register import SOURCE


@dataclass(frozen=True, slots=True)
class Ended:
    """A delivery whose end is to be announced; ``at`` is business time."""

    delivery: Delivery
    state: State
    reason: str
    at: datetime
    sent_after_exit: bool


def announcement(ended: Ended, now: datetime) -> Record[Any]:
    """The outcome's record; one id for each end of each attempt, so receivers drop repeats."""
    delivery = ended.delivery
    outcome = Outcome(
        workspace=delivery.workspace,
        customer=delivery.customer,
        message_key=delivery.key,
        state=ended.state.value,  # type: ignore[arg-type]
        reason=ended.reason,
        channel=delivery.channel,
        provider=delivery.provider,
        journey=delivery.journey,
        version=delivery.version,
        enrollment=delivery.enrollment,
        send_state=delivery.send_state,
        template=delivery.template,
        at=ended.at,
        token=delivery.token,
        sent_after_exit=ended.sent_after_exit,
    )
    return outcome_record(outcome, now)


def outcome_record(outcome: Outcome, now: datetime) -> Record[Any]:
    """An outcome on its topic."""
    id_ = derived_id(outcome.message_key, str(outcome.token), outcome.state)
    return OUTCOMES.record(outcome, id=id_, source=SOURCE, occurred_at=outcome.at, accepted_at=now)
