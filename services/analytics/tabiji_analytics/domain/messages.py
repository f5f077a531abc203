"""What one message adds to ``message_cell``: its latest truth, and who reacted to it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from tabiji_analytics.domain.contribution import Cells
from tabiji_analytics.domain.facts import Concluded, Engaged, Who

MESSAGE = "message_cell"
Message = tuple[Who, str]
"""(whose, message key)."""

_RANK = {"unknown": 0, "failed": 1, "suppressed": 2, "sent": 3, "delivered": 4}
# (action, by a machine) → the column it sets; a message counts once in each.
_COLUMNS = {
    ("email_opened", False): 1,
    ("email_clicked", False): 2,
    ("email_opened", True): 3,
    ("email_clicked", True): 4,
    ("email_bounced", False): 5,
    ("email_complained", False): 6,
    ("unsubscribed", False): 7,
}


def truth(outcomes: Collection[Concluded]) -> Concluded | None:
    """What holds among everything said of one message: delivered, else the newest attempt's best knowledge.

    Of one attempt, ``unknown`` gives way to anything; a decision of the journey itself (token −1) to dispatch's word.
    """
    return max(outcomes, key=_rank, default=None)


def _rank(outcome: Concluded) -> tuple[bool, int, int, datetime, bytes]:
    return outcome.state == "delivered", outcome.token, _RANK.get(outcome.state, 0), outcome.occurred_at, outcome.key


def contribution(outcomes: Collection[Concluded], engagements: Collection[Engaged]) -> Cells:
    """The message's cell, none while no outcome is known.

    Key: journey, version, send_state, channel, provider, template, outcome, reason. Columns: messages, opened, clicked,
    machine_opened, machine_clicked, bounced, complained, unsubscribed, sent_after_exit.
    """
    said = truth(outcomes)
    if said is None:
        return {}
    columns = [1, 0, 0, 0, 0, 0, 0, 0, int(any(outcome.sent_after_exit for outcome in outcomes))]
    for engagement in engagements:
        # Who bounced, complained or unsubscribed is one question, whoever told us.
        machine = engagement.machine and engagement.action in {"email_opened", "email_clicked"}
        column = _COLUMNS.get((engagement.action, machine))
        if column is not None:
            columns[column] = 1
    cell = (said.journey, said.version, said.send_state, said.channel, said.provider, said.template)
    return {(MESSAGE, *cell, said.state, said.reason): tuple(columns)}


def by_message(facts: Iterable[tuple[Who, Concluded]] | Iterable[tuple[Who, Engaged]]) -> dict[Message, list[Any]]:
    """Facts under the message they are about; those about none are left out."""
    found: dict[Message, list[Any]] = {}
    for who, fact in facts:
        if fact.message_key:
            found.setdefault((who, fact.message_key), []).append(fact)
    return found
