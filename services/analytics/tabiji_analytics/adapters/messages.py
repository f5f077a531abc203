"""Outcomes and engagements in PostgreSQL, set-based."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tabiji_analytics.adapters.columns import columns, rows_of, whose
from tabiji_analytics.domain.facts import Concluded, Engaged, Who
from tabiji_analytics.domain.messages import Message
from tabiji_common.postgres import Connection

_OUTCOMES = """
SELECT workspace, customer, key, occurred_at, message_key, state, journey, version, enrollment, send_state, channel,
       provider, template, reason, token, sent_after_exit
FROM outcome_fact WHERE message_key = ANY($1::text[])
"""
_ENGAGEMENTS = """
SELECT workspace, customer, key, occurred_at, action, channel, message_key, machine
FROM engagement_fact WHERE message_key = ANY($1::text[])
"""
_CONCLUDE = """
INSERT INTO outcome_fact (workspace, customer, key, occurred_at, message_key, state, journey, version, enrollment,
                          send_state, channel, provider, template, reason, token, sent_after_exit)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::bytea[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::int[], $9::text[],
    $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bigint[], $16::bool[]
) ON CONFLICT DO NOTHING RETURNING key
"""
_ENGAGE = """
INSERT INTO engagement_fact (workspace, customer, key, occurred_at, action, channel, message_key, machine)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::bytea[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::bool[]
) ON CONFLICT DO NOTHING RETURNING key
"""
_TAKE = """
DELETE FROM engagement_fact e USING unnest($1::text[], $2::text[]) AS w(workspace, customer)
WHERE e.workspace = w.workspace AND e.customer = w.customer
RETURNING e.workspace, e.customer, e.key, e.occurred_at, e.action, e.channel, e.message_key, e.machine
"""


class PostgresMessages:
    """``ports.MessageBook``."""

    async def of(
        self, tx: Connection, messages: Collection[str]
    ) -> tuple[dict[Message, list[Concluded]], dict[Message, list[Engaged]]]:
        """What is known of these message keys, by customer and message key."""
        outcomes: dict[Message, list[Concluded]] = {}
        for workspace, customer, *fields in await tx.fetch(_OUTCOMES, list(messages)):
            said = Concluded(*fields)
            outcomes.setdefault(((workspace, customer), said.message_key), []).append(said)
        engagements: dict[Message, list[Engaged]] = {}
        for workspace, customer, *fields in await tx.fetch(_ENGAGEMENTS, list(messages)):
            engaged = Engaged(*fields)
            engagements.setdefault(((workspace, customer), engaged.message_key or ""), []).append(engaged)
        return outcomes, engagements

    async def conclude(self, tx: Connection, outcomes: Sequence[tuple[Who, Concluded]]) -> set[bytes]:
        """Insert; the keys of those that were new."""
        return {row[0] for row in await tx.fetch(_CONCLUDE, *columns(rows_of(outcomes), 16))} if outcomes else set()

    async def engage(self, tx: Connection, engagements: Sequence[tuple[Who, Engaged]]) -> set[bytes]:
        """Insert; the keys of those that were new."""
        return {row[0] for row in await tx.fetch(_ENGAGE, *columns(rows_of(engagements), 8))} if engagements else set()

    async def take(self, tx: Connection, whos: Collection[Who]) -> dict[Who, list[Engaged]]:
        """Delete and return all engagements of these customers."""
        found: dict[Who, list[Engaged]] = {}
        for workspace, customer, *fields in await tx.fetch(_TAKE, *whose(whos)):
            found.setdefault((workspace, customer), []).append(Engaged(*fields))
        return found
