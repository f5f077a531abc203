"""D0: commands into the ledger, set-based."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from tabiji_common.logs import logger
from tabiji_common.postgres import Connection
from tabiji_dispatch.domain.ledger import FINISHED, Move, State, rows, sources
from tabiji_dispatch.domain.notes import Cancelled
from tabiji_dispatch.domain.triage import Arrival, Cancel, Told

log = logger(__name__)

_INSERT = """
INSERT INTO delivery (message_key, p, workspace, customer, customer_key, journey, version, enrollment, send_state,
    channel, template, class, provider, variables, priority, decided_at, not_after, seen_cluster, seen_customer,
    seen_engagement, state, reason, at, unannounced)
SELECT key, p, workspace, customer, workspace || ':' || customer, journey, version, enrollment, send_state, channel,
    template, class, provider, variables::jsonb, priority, decided_at, not_after, seen_cluster, seen_customer,
    seen_engagement, state, reason, CASE WHEN finished THEN $23::timestamptz END, finished
FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::int[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::text[], $13::text[], $14::int[], $15::timestamptz[], $16::timestamptz[], $17::text[],
    $18::bigint[], $19::bigint[], $20::text[], $21::text[], $22::bool[]) WITH ORDINALITY
    AS t(key, p, workspace, customer, journey, version, enrollment, send_state, channel, template, class, provider,
    variables, priority, decided_at, not_after, seen_cluster, seen_customer, seen_engagement, state, reason, finished,
    n)
ORDER BY n
ON CONFLICT (message_key) DO NOTHING
RETURNING message_key
"""

# A cancel that finds no delivery leaves its key behind, finished: the send that comes later conflicts.
_UNSEEN = """
INSERT INTO delivery (message_key, p, workspace, customer, customer_key, state, reason, cancelled, at)
SELECT key, p, workspace, customer, workspace || ':' || customer, 'suppressed', 'cancelled', true, $5
FROM unnest($1::text[], $2::int[], $3::text[], $4::text[]) AS t(key, p, workspace, customer)
ON CONFLICT (message_key) DO NOTHING
RETURNING message_key
"""

_WITHHOLD = """
UPDATE delivery d SET cancelled = true, reason = 'cancelled', at = $2, unannounced = true, wake_at = NULL,
    state = CASE WHEN d.in_doubt THEN $4 ELSE $5 END
WHERE d.message_key = ANY($1) AND d.state = ANY($3)
RETURNING d.message_key
"""

_AFTER_INTENT = """
UPDATE delivery d SET cancelled = true, sent_after_exit = d.state <> 'sending'
WHERE d.message_key = ANY($1) AND NOT d.cancelled AND d.token > 0 AND d.state IN ('sending', 'sent', 'unknown')
RETURNING d.message_key
"""

_TELL = """
UPDATE delivery d SET state = m.target, at = $4, told_by = t.command, wake_at = NULL, retry_at = to_timestamp(0),
    reason = CASE WHEN m.target = 'queued' THEN '' ELSE 'operator' END, unannounced = m.target = ANY($8),
    in_doubt = d.in_doubt AND m.target = 'queued',
    seen_cluster = CASE WHEN m.target = 'queued' THEN '' ELSE d.seen_cluster END,
    first_attempt_at = CASE WHEN m.target = 'queued' THEN NULL ELSE d.first_attempt_at END
FROM unnest($1::text[], $2::text[], $3::text[]) AS t(key, move, command),
    unnest($5::text[], $6::text[], $7::text[]) AS m(source, move, target)
WHERE d.message_key = t.key AND m.source = d.state AND m.move = t.move AND d.told_by <> t.command
RETURNING d.message_key, d.state
"""
_NO_BODY = "DELETE FROM body WHERE message_key = ANY($1)"


class PostgresIntake:
    """The port ``Intake``."""

    async def insert(self, tx: Connection, arrivals: Sequence[Arrival], now: datetime) -> list[str]:
        d = [one.delivery for one in arrivals]
        encode = msgspec.json.encode
        found = await tx.fetch(
            _INSERT,
            [x.key for x in d],
            [x.p for x in d],
            [x.workspace for x in d],
            [x.customer for x in d],
            [x.journey for x in d],
            [x.version for x in d],
            [x.enrollment for x in d],
            [x.send_state for x in d],
            [x.channel for x in d],
            [x.template for x in d],
            [x.message_class for x in d],
            [x.provider for x in d],
            [encode(x.variables).decode() for x in d],
            [x.priority for x in d],
            [x.decided_at for x in d],
            [x.not_after for x in d],
            [x.cluster for x in d],
            [x.seen_customer for x in d],
            [x.seen_engagement for x in d],
            [one.state.value for one in arrivals],
            [one.reason for one in arrivals],
            [one.state in FINISHED for one in arrivals],
            now,
        )
        return [row[0] for row in found]

    async def cancel(self, tx: Connection, cancels: Sequence[Cancel], now: datetime) -> Cancelled:
        keys = sorted({one.key for one in cancels})
        unseen = await tx.fetch(
            _UNSEEN,
            [one.key for one in cancels],
            [one.p for one in cancels],
            [one.workspace for one in cancels],
            [one.customer for one in cancels],
            now,
        )
        if len(unseen) == len(keys):
            return Cancelled([], [], len(unseen))
        # This order: a settle in between may turn sending into queued, never queued into sending.
        late = await tx.fetch(_AFTER_INTENT, keys)
        withheld = await tx.fetch(_WITHHOLD, keys, now, list(sources(Move.SUPPRESS)), State.UNKNOWN, State.SUPPRESSED)
        if withheld:
            await tx.execute(_NO_BODY, [row[0] for row in withheld])
        return Cancelled([row[0] for row in withheld], [row[0] for row in late], len(unseen))

    async def tell(self, tx: Connection, told: Sequence[Told], now: datetime) -> list[str]:
        first = {one.key: one for one in reversed(told)}  # of two words about one message the earlier counts
        found = await tx.fetch(
            _TELL,
            list(first),
            [one.move.value for one in first.values()],
            [one.command for one in first.values()],
            now,
            *rows(),
            [state.value for state in FINISHED],
        )
        if ignored := len(told) - len(found):
            log.warning("settle_ignored", messages=ignored)
        ended = [row[0] for row in found if row[1] != State.QUEUED]
        if ended:
            await tx.execute(_NO_BODY, ended)
        return [row[0] for row in found]
