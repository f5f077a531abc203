"""Messages that leave a provider that is out or gone for another one; never one that the first may have taken."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from tabiji_common.logs import logger
from tabiji_common.postgres import Connection
from tabiji_dispatch.domain.detour import Detour

log = logger(__name__)

_TURN_OFF = """
WITH picked AS (
    SELECT q.message_key, t.target
    FROM unnest($2::text[], $3::text[], $4::text[], $5::int[]) AS t(channel, source, target, keep)
    CROSS JOIN LATERAL (
        SELECT message_key FROM delivery
        WHERE provider = t.source AND channel = t.channel AND p = ANY($1) AND NOT in_doubt
            AND (state = 'queued'
                OR (state = 'held' AND reason IN ('switch:provider:' || t.source, 'quota:' || t.source)))
        ORDER BY seq OFFSET t.keep LIMIT $6
    ) q
)
UPDATE delivery d SET provider = picked.target, state = 'queued', wake_at = NULL, retry_at = to_timestamp(0)
FROM picked WHERE d.message_key = picked.message_key AND d.state IN ('queued', 'held') AND NOT d.in_doubt
"""
# One step in the index for each provider that has messages, however many they are.
_GONE = """
WITH RECURSIVE named AS (
    (SELECT provider FROM delivery WHERE state = 'queued' ORDER BY provider LIMIT 1)
    UNION ALL
    SELECT (SELECT d.provider FROM delivery d WHERE d.state = 'queued' AND d.provider > named.provider
        ORDER BY d.provider LIMIT 1) FROM named WHERE named.provider IS NOT NULL
)
SELECT provider FROM named WHERE provider <> ALL($1::text[])
"""
# A slip in the settings costs no message that is mended in time: where nobody carries its channel it waits.
_LEFT = """
SELECT q.message_key FROM delivery q WHERE q.state = 'queued' AND q.provider = ANY($2) AND q.p = ANY($1)
    AND (q.in_doubt OR q.channel = ANY($4) OR q.not_after < $5)
    AND NOT EXISTS (SELECT 1 FROM parked WHERE parked.key = q.customer_key) ORDER BY q.seq LIMIT $3
"""
# What a person has said to send again, and nobody has tried since, has no first attempt.
_REROUTE = """
UPDATE delivery d SET provider = r.provider, retry_at = to_timestamp(0)
FROM unnest($2::text[], $3::text[]) AS r(channel, provider)
WHERE d.message_key = ANY($1) AND d.state = 'queued' AND (NOT d.in_doubt OR d.first_attempt_at IS NULL)
    AND d.channel = r.channel
"""
_GIVE_UP = """
UPDATE delivery d SET reason = 'no_provider', at = $3, unannounced = true,
    state = CASE WHEN d.in_doubt THEN 'unknown' ELSE 'failed' END
WHERE d.message_key = ANY($1) AND d.state = 'queued' AND d.provider = ANY($2)
RETURNING d.message_key, d.in_doubt
"""
_NO_BODY = "DELETE FROM body WHERE message_key = ANY($1)"


class PostgresDetours:
    """The port ``Detours``; ``routes`` is the first provider by channel, ``providers`` are all that are set up."""

    def __init__(self, routes: Mapping[str, str], providers: Collection[str]) -> None:
        self._routes = routes
        self._providers = list(providers)

    async def turn_off(self, tx: Connection, owned: Sequence[int], detours: Sequence[Detour], limit: int) -> int:
        done = await tx.execute(
            _TURN_OFF,
            list(owned),
            [one.channel for one in detours],
            [one.source for one in detours],
            [one.target for one in detours],
            [one.keep for one in detours],
            limit,
        )
        return int(done.split()[-1])

    async def leave_gone(self, tx: Connection, owned: Sequence[int], now: datetime, limit: int) -> list[str]:
        gone = [row[0] for row in await tx.fetch(_GONE, self._providers)]
        asked = list(owned), gone, limit, list(self._routes), now
        left = [row[0] for row in await tx.fetch(_LEFT, *asked)] if gone else []
        if not left:
            return []
        await tx.execute(_REROUTE, left, list(self._routes), list(self._routes.values()))
        ended = await tx.fetch(_GIVE_UP, left, gone, now)
        await tx.execute(_NO_BODY, [key for key, in_doubt in ended if not in_doubt])
        log.error("provider_gone", providers=gone, messages=len(left), given_up=len(ended))
        return [row[0] for row in ended]
