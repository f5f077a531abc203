"""The quota ledger: a message is counted with its intent and given back with the result that nothing was taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tabiji_common.postgres import Connection
from tabiji_dispatch.domain.quota import Metered

# The row's lock makes claims of one provider in several processes one after the other, until they commit.
_OPEN = """
INSERT INTO quota_month (provider, month) SELECT provider, $2 FROM unnest($1::text[]) AS t(provider) ORDER BY provider
ON CONFLICT DO NOTHING
"""
_USED = """
SELECT provider, used FROM quota_month WHERE provider = ANY($1) AND month = $2 ORDER BY provider FOR UPDATE
"""
_SPENT = """
SELECT provider FROM quota_month m JOIN unnest($1::text[], $2::bigint[]) AS t(provider, most) USING (provider)
WHERE m.month = $3 AND m.used >= t.most
"""
_COUNT = """
WITH counted AS (
    INSERT INTO quota_use (message_key, provider, month)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
    ON CONFLICT (message_key) DO NOTHING RETURNING provider, month
)
INSERT INTO quota_month (provider, month, used) SELECT provider, month, count(*) FROM counted GROUP BY 1, 2
ON CONFLICT (provider, month) DO UPDATE SET used = quota_month.used + excluded.used
"""
_GIVE_BACK = """
WITH freed AS (
    DELETE FROM quota_use q USING delivery d
    WHERE q.message_key = ANY($1) AND d.message_key = q.message_key AND NOT d.in_doubt
    RETURNING q.provider, q.month
)
UPDATE quota_month m SET used = m.used - f.n
FROM (SELECT provider, month, count(*) AS n FROM freed GROUP BY 1, 2) f
WHERE m.provider = f.provider AND m.month = f.month
"""


class PostgresQuotas:
    """The port ``Quotas``."""

    async def used(self, tx: Connection, providers: Sequence[str], month: str) -> dict[str, int]:
        await tx.execute(_OPEN, list(providers), month)
        return {row[0]: row[1] for row in await tx.fetch(_USED, list(providers), month)}

    async def spent(self, tx: Connection, limits: Mapping[str, int], month: str) -> frozenset[str]:
        return frozenset(row[0] for row in await tx.fetch(_SPENT, list(limits), list(limits.values()), month))

    async def count(self, tx: Connection, metered: Sequence[Metered]) -> None:
        await tx.execute(
            _COUNT,
            [one.key for one in metered],
            [one.provider for one in metered],
            [one.month for one in metered],
        )


async def give_back(tx: Connection, keys: Sequence[str]) -> None:
    """These were not taken: they count no longer, unless an earlier attempt may have arrived."""
    await tx.execute(_GIVE_BACK, list(keys))
