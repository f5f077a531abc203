"""Messages that leave a provider that is out for another one; never one that the first may have taken."""

from __future__ import annotations

from collections.abc import Sequence

from tabiji_common.postgres import Connection
from tabiji_dispatch.domain.detour import Detour

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


class PostgresDetours:
    """The port ``Detours``."""

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
