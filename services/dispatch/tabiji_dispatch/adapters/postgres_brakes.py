"""What the anomaly brake counts, and the brakes that are on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from tabiji_common.postgres import Connection
from tabiji_dispatch.domain.brake import USUAL, WINDOW, Brake, Counts
from tabiji_dispatch.domain.message import Intent
from tabiji_dispatch.domain.pick import Candidate

_REPEATS = """
SELECT d.customer_key, d.template, count(*) FROM delivery d
WHERE d.customer_key = ANY($1) AND (d.state = 'sending' OR (d.state IN ('sent', 'unknown') AND d.at > $2))
GROUP BY 1, 2
"""
_VOLUMES = """
SELECT workspace, sum(n) FILTER (WHERE hour > $2)::bigint, coalesce(sum(n) FILTER (WHERE hour <= $2), 0)::float8
FROM sent_hour WHERE workspace = ANY($1) AND hour > $3 GROUP BY workspace
"""
_COUNT = """
INSERT INTO sent_hour (workspace, p, hour, n) SELECT * FROM unnest($1::text[], $2::int[], $3::timestamptz[], $4::int[])
ON CONFLICT (workspace, p, hour) DO UPDATE SET n = sent_hour.n + excluded.n
"""
_FORGET = "DELETE FROM sent_hour WHERE p = ANY($1) AND hour <= $2"
_TRIP = """
INSERT INTO brake (kind, workspace, name, seen, allowed, at)
SELECT DISTINCT ON (kind, workspace, name) kind, workspace, name, seen, allowed, $6::timestamptz
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[]) AS t(kind, workspace, name, seen, allowed)
ORDER BY kind, workspace, name
ON CONFLICT (kind, workspace, name) DO UPDATE
SET seen = excluded.seen, allowed = excluded.allowed, at = excluded.at, released_at = NULL, released_by = ''
WHERE brake.released_at IS NOT NULL
"""
_SLICE = 300  # seconds in which sends are counted together


class PostgresBrakes:
    """The port ``Brakes``."""

    async def counts(self, tx: Connection, found: Sequence[Candidate], now: datetime) -> Counts:
        customers = list({one.delivery.customer_key for one in found})
        workspaces = list({one.delivery.workspace for one in found})
        repeats = await tx.fetch(_REPEATS, customers, now - WINDOW)
        volumes = await tx.fetch(_VOLUMES, workspaces, now - WINDOW, now - USUAL)
        return Counts(
            repeats={(row[0], row[1]): row[2] for row in repeats},
            volumes={row[0]: row[1] or 0 for row in volumes},
            usual={row[0]: row[2] * (WINDOW / USUAL) for row in volumes},
        )

    async def count(self, tx: Connection, intents: Sequence[Intent], now: datetime) -> None:
        slice_ = datetime.fromtimestamp(now.timestamp() // _SLICE * _SLICE, now.tzinfo)
        sums = sorted(Counter((one.delivery.workspace, one.delivery.p) for one in intents).items())
        keys = [key for key, _ in sums]
        await tx.execute(
            _COUNT, [key[0] for key in keys], [key[1] for key in keys], [slice_] * len(keys), [n for _, n in sums]
        )

    async def forget(self, tx: Connection, owned: Sequence[int], now: datetime) -> None:
        await tx.execute(_FORGET, list(owned), now - USUAL)

    async def trip(self, tx: Connection, brakes: Iterable[Brake], now: datetime) -> None:
        rows = [(one.kind, one.workspace, one.name, one.seen, one.allowed) for one in brakes]
        await tx.execute(_TRIP, *(list(column) for column in zip(*rows, strict=True)), now)
