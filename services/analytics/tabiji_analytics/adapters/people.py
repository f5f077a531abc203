"""Who is who in PostgreSQL: merges and erasures."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime

from tabiji_analytics.adapters.columns import columns, whose
from tabiji_analytics.domain.facts import Who
from tabiji_common.postgres import Connection

_TARGETS = """
SELECT m.workspace, m.customer, m.target
FROM unnest($1::text[], $2::text[]) AS w(workspace, customer) JOIN merged m USING (workspace, customer)
"""
_MERGE = """
INSERT INTO merged (workspace, customer, target) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT DO NOTHING RETURNING workspace, customer
"""
_PEND = """
INSERT INTO merge_pending (workspace, source, target) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT DO NOTHING
"""
# What is of before the bound: facts that happened until then, enrollments that had begun by then, and their messages,
# whole, with the reactions to them; without a bound everything.
_ERASED = "unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) AS e(workspace, customer, alias, until)"
_HIS = "f.workspace = e.workspace AND f.customer = e.customer"
_BEFORE = "(e.until IS NULL OR f.occurred_at <= e.until)"
_BEGAN = """(e.until IS NULL OR EXISTS (
    SELECT FROM transition_fact t WHERE t.enrollment = {0}.enrollment AND t.occurred_at <= e.until
))"""
_SENT = f"""(e.until IS NULL OR EXISTS (
    SELECT FROM outcome_fact o WHERE o.message_key = f.message_key AND o.workspace = f.workspace
        AND o.customer = f.customer AND (o.occurred_at <= e.until OR {_BEGAN.format("o")})
))"""
_REACTED = f"""({_SENT} OR {_BEFORE} AND NOT EXISTS (
    SELECT FROM outcome_fact o WHERE o.message_key = f.message_key AND o.workspace = f.workspace
        AND o.customer = f.customer
))"""
# The order's id may hold the customer's; an ordinal in its place keeps which of two simultaneous orders was first.
_ERASE = (
    f"""
    UPDATE order_fact o SET customer = n.alias, order_id = lpad(n.ordinal::text, 9, '0')
    FROM (
        SELECT f.key, e.alias, row_number() OVER (PARTITION BY e.alias ORDER BY f.occurred_at, f.order_id) AS ordinal
        FROM order_fact f JOIN {_ERASED} ON {_HIS} AND {_BEFORE}
    ) n WHERE o.key = n.key
    """,  # noqa: S608 - a literal
    *(
        f"UPDATE {table} f SET customer = e.alias FROM {_ERASED} WHERE {_HIS} AND {which}"  # noqa: S608 - literals
        for table, which in (  # by what is still under the customer's id: reactions before what they are reactions to
            ("touch_fact", _BEFORE),
            ("engagement_fact", _REACTED),
            ("outcome_fact", _SENT),
            ("transition_fact", _BEGAN.format("f")),
        )
    ),
)
_FORGET = """
DELETE FROM merged m USING unnest($1::text[], $2::text[]) AS e(workspace, customer)
WHERE m.workspace = e.workspace AND (m.customer = e.customer OR m.target = e.customer)
"""
_FORGET_PENDING = """
DELETE FROM merge_pending m USING unnest($1::text[], $2::text[]) AS e(workspace, customer)
WHERE m.workspace = e.workspace AND (m.source = e.customer OR m.target = e.customer)
"""


class PostgresPeople:
    """``ports.People``."""

    async def targets(self, tx: Connection, whos: Collection[Who]) -> dict[Who, str]:
        """The customers that these visitors turned out to be, for those who did."""
        return {(row[0], row[1]): row[2] for row in await tx.fetch(_TARGETS, *whose(whos))}

    async def merge(self, tx: Connection, merges: Mapping[Who, str]) -> set[Who]:
        """Record visitor → customer; those for which it is new."""
        rows = sorted((*who, target) for who, target in merges.items())
        return {(row[0], row[1]) for row in await tx.fetch(_MERGE, *columns(rows, 3))}

    async def pend(self, tx: Connection, pairs: Collection[tuple[str, str, str]]) -> int:
        """Record known customers said to be one; how many are new."""
        return int((await tx.execute(_PEND, *columns(sorted(pairs), 3))).split()[-1])

    async def erase(self, tx: Connection, whos: Mapping[Who, datetime | None]) -> dict[Who, Who]:
        """Put a random id in the place of each of these customers; dates, amounts and media stay.

        Where there is a bound, who turned out to be the customer stays noted: that may be news of one who came back.
        """
        workspaces, customers = whose(whos)
        aliases = [f"erased-{secrets.token_hex(12)}" for _ in whos]
        for statement in _ERASE:
            await tx.execute(statement, workspaces, customers, aliases, list(whos.values()))
        await tx.execute(_FORGET, *whose([who for who, until in whos.items() if until is None]))
        await tx.execute(_FORGET_PENDING, workspaces, customers)
        return {who: (who[0], alias) for who, alias in zip(whos, aliases, strict=True)}
