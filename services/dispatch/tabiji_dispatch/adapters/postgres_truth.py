"""D4 and D5: results by token, through the ledger's table; needs no epoch, since truth is never refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tabiji_common.failpoints import Failpoint
from tabiji_common.postgres import Connection
from tabiji_dispatch.adapters.postgres_contacts import add_listings
from tabiji_dispatch.adapters.postgres_quotas import give_back
from tabiji_dispatch.adapters.postgres_rows import DELIVERY, delivery_of
from tabiji_dispatch.domain.ledger import FINISHED, State, rows
from tabiji_dispatch.domain.outcomes import Result
from tabiji_dispatch.domain.reap import Open, Settlement

IN_SETTLE = Failpoint("dispatch.settle.before_commit", "the results are written, not committed")

# The rows are locked in one order, or two writers could wait for each other.
_SETTLE = """
WITH r AS (
    SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::timestamptz[], $6::int[], $7::bool[],
        $8::timestamptz[]) AS t(key, token, move, reason, retry_at, burned, in_doubt, at)
), m AS (
    SELECT * FROM unnest($9::text[], $10::text[], $11::text[]) AS t(source, move, target)
), locked AS (
    SELECT d.message_key, m.target, r.* FROM delivery d JOIN r ON r.key = d.message_key AND r.token = d.token
        JOIN m ON m.source = d.state AND m.move = r.move
    ORDER BY d.message_key FOR UPDATE OF d
)
UPDATE delivery d SET state = l.target, reason = l.reason, retry_at = l.retry_at, attempts = d.attempts + l.burned,
    in_doubt = (d.in_doubt OR l.in_doubt) AND l.target NOT IN ('sent', 'failed'), at = l.at, lease_until = NULL,
    wake_at = NULL,
    unannounced = l.target = ANY($12), sent_after_exit = d.cancelled AND l.target = 'sent'
FROM locked l WHERE d.message_key = l.message_key
RETURNING d.message_key, d.state
"""
_RESULTS = """
INSERT INTO attempt_result (message_key, token, result, detail, reference, at)
SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
ON CONFLICT (message_key, token, result) DO NOTHING
"""
_NO_BODY = "DELETE FROM body WHERE message_key = ANY($1)"
_STOP = """
INSERT INTO kill_switch (scope, workspace, name, reason, set_by, at)
SELECT DISTINCT ON (name) 'provider', '', name, reason, 'dispatch', at
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS t(name, reason, at) ORDER BY name
ON CONFLICT (scope, workspace, name) DO NOTHING
"""
_OPEN = f"""
SELECT {DELIVERY}, d.lease_until, d.claimed_by FROM delivery d WHERE d.state = 'sending' AND d.p = ANY($1)
    AND NOT EXISTS (SELECT 1 FROM parked WHERE parked.key = d.customer_key)
"""  # noqa: S608 - constants of this module
_SENT_TO = """
SELECT DISTINCT ON (a.message_key) a.message_key, a.address
FROM unnest($1::text[], $2::text[]) AS t(key, customer_key)
    JOIN delivery d ON d.message_key = t.key AND d.customer_key = t.customer_key
    JOIN attempt a ON a.message_key = d.message_key
WHERE a.address IS NOT NULL ORDER BY a.message_key, a.token DESC
"""
_NOT_TAKEN = {Result.REFUSED, Result.THROTTLED, Result.PERMANENT, Result.CONFIG, Result.UNSENT}
_KEEPS_BODY = {State.UNKNOWN.value, State.QUEUED.value, State.HELD.value}


class PostgresTruth:
    """The port ``Truth``; ``pool`` is where transactions of its own come from."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def settle(self, settlements: Sequence[Settlement], tx: Connection | None = None) -> list[str]:
        if tx is not None:
            return await _settle(tx, settlements)
        async with self._pool.acquire() as connection, connection.transaction():
            changed = await _settle(connection, settlements)
            await IN_SETTLE()
        return changed

    async def open(self, tx: Connection, owned: Sequence[int]) -> list[Open]:
        return [Open(delivery_of(row), row[24], row[25]) for row in await tx.fetch(_OPEN, list(owned))]

    async def sent_to(self, tx: Connection, messages: Mapping[str, str]) -> dict[str, bytes]:
        found = await tx.fetch(_SENT_TO, list(messages), list(messages.values()))
        return {row[0]: row[1] for row in found}


async def _settle(tx: Connection, settlements: Sequence[Settlement]) -> list[str]:
    changed = await tx.fetch(
        _SETTLE,
        [one.key for one in settlements],
        [one.token for one in settlements],
        [one.step.move.value for one in settlements],
        [one.step.reason for one in settlements],
        [one.retry_at for one in settlements],
        [int(one.step.burned) for one in settlements],
        [one.step.in_doubt for one in settlements],
        [one.now for one in settlements],
        *rows(),
        [state.value for state in FINISHED],
    )
    told = [one for one in settlements if one.verdict.result is not Result.UNSENT]
    await tx.execute(
        _RESULTS,
        [one.key for one in told],
        [one.token for one in told],
        [one.verdict.result.value for one in told],
        [one.verdict.detail for one in told],
        [one.verdict.reference for one in told],
        [one.wall for one in told],
    )
    moved = {row[0] for row in changed}
    free = [one.key for one in settlements if one.verdict.result in _NOT_TAKEN and one.key in moved]
    if free:
        await give_back(tx, free)
    ended = [row[0] for row in changed if row[1] not in _KEEPS_BODY]
    if ended:
        await tx.execute(_NO_BODY, ended)
    await add_listings(tx, [one.listing for one in settlements if one.listing is not None])
    stops = [(one.provider, one.verdict.detail, one.now) for one in settlements if one.step.stop]
    if stops:
        await tx.execute(_STOP, *(list(column) for column in zip(*stops, strict=True)))
    return [row[0] for row in changed]
