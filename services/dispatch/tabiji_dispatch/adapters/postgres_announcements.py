"""Settled deliveries on their way out, and what is still to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tabiji_common.kafka.turn import Status
from tabiji_common.postgres import Connection
from tabiji_dispatch.adapters.postgres_rows import DELIVERY, delivery_of
from tabiji_dispatch.domain.announce import Ended
from tabiji_dispatch.domain.ledger import State

_GOES_ON = "NOT EXISTS (SELECT 1 FROM parked WHERE parked.key = d.customer_key)"
_PENDING = f"""
SELECT message_key FROM delivery d WHERE unannounced AND p = ANY($1) AND {_GOES_ON} ORDER BY seq LIMIT $2
"""  # noqa: S608 - constants of this module
_ANNOUNCE = f"""
WITH told AS (
    UPDATE delivery d SET unannounced = false
    WHERE message_key = ANY($1) AND unannounced AND p = ANY($2) AND {_GOES_ON} RETURNING *
)
SELECT {DELIVERY}, d.state, d.reason, d.at, d.sent_after_exit FROM told d ORDER BY d.seq
"""  # noqa: S608 - constants of this module
_WAITING = """
SELECT state, count(*) FROM delivery WHERE p = ANY($1) AND state IN ('queued', 'held', 'sending') GROUP BY state
UNION ALL SELECT 'unknown', count(*) FROM delivery WHERE p = ANY($1) AND state = 'unknown'
"""
_STATUS = f"""
SELECT
    (SELECT min(wake_at) FROM delivery WHERE state = 'held' AND p = ANY($1)),
    (SELECT count(*) FROM delivery WHERE state = 'held' AND p = ANY($1) AND wake_at <= $2),
    (SELECT count(*) FROM (SELECT FROM delivery d WHERE state = 'sending' AND p = ANY($1) AND {_GOES_ON}
        UNION ALL SELECT FROM delivery d WHERE unannounced AND p = ANY($1) AND {_GOES_ON}
        UNION ALL SELECT FROM delivery d WHERE state = 'queued' AND p = ANY($1)
            AND NOT EXISTS (SELECT 1 FROM delivery e WHERE e.customer_key = d.customer_key AND e.channel = d.channel
                AND e.class = d.class AND e.seq < d.seq AND e.state = 'held')
            AND {_GOES_ON}
        LIMIT 100000) t)
"""  # noqa: S608 - constants of this module


class PostgresAnnouncements:
    """The port ``Announcements``; what a parked customer's messages came to is told once it goes on."""

    async def pending(self, tx: Connection, owned: Sequence[int], limit: int) -> list[str]:
        return [row[0] for row in await tx.fetch(_PENDING, list(owned), limit)]

    async def announce(self, tx: Connection, keys: Sequence[str], owned: Sequence[int]) -> list[Ended]:
        found = await tx.fetch(_ANNOUNCE, list(keys), list(owned))
        return [Ended(delivery_of(row), State(row[24]), row[25], row[26], row[27]) for row in found]

    async def waiting(self, tx: Connection, owned: Sequence[int]) -> dict[str, int]:
        return {row[0]: row[1] for row in await tx.fetch(_WAITING, list(owned))}

    async def status(self, connection: Connection, owned: Sequence[int], now: datetime) -> Status:
        """Held waits for business time, and so does who stands behind it; all else unfinished waits for machines."""
        row = await connection.fetchrow(_STATUS, list(owned), now)
        assert row is not None  # noqa: S101 - an aggregate always has a row
        return Status(next_due=row[0], due=row[1], machine=row[2])
