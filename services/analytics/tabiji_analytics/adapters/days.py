"""One day of a workspace or one customer of it, out of facts: orders, messages, moves, reactions, and what came twice.

Facts come in about the order in which they happened, so a block range index finds a day among years.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg

Row = dict[str, Any]

_ORDERS = """
WITH today AS (
  SELECT o.currency, o.customer, o.amount_minor, NOT EXISTS (
    SELECT FROM order_fact e WHERE e.workspace = $1 AND e.customer = o.customer AND e.currency = o.currency
      AND NOT e.cancelled AND (e.occurred_at, e.order_id) < (o.occurred_at, o.order_id)) AS first
  FROM order_fact o
  WHERE o.workspace = $1 AND o.customer IS NOT NULL AND NOT o.cancelled AND o.occurred_at >= $2 AND o.occurred_at < $3
), buyer AS (
  SELECT currency, customer, bool_or(first) AS new, count(*) AS orders, sum(amount_minor) AS sales
  FROM today GROUP BY currency, customer
)
SELECT currency, sum(orders)::bigint AS orders, sum(sales)::bigint AS sales_minor,
  count(*) FILTER (WHERE new) AS new_customers, count(*) FILTER (WHERE NOT new) AS existing_customers,
  coalesce(sum(sales) FILTER (WHERE new), 0)::bigint AS new_sales_minor,
  coalesce(sum(sales) FILTER (WHERE NOT new), 0)::bigint AS existing_sales_minor
FROM buyer GROUP BY currency ORDER BY orders DESC, currency
"""
_MESSAGES = """
WITH truth AS (
  SELECT DISTINCT ON (message_key) * FROM outcome_fact
  WHERE workspace = $1 AND occurred_at >= $2 AND occurred_at < $3
  ORDER BY message_key, (state = 'delivered') DESC, token DESC,
    array_position(ARRAY['unknown', 'failed', 'suppressed', 'sent', 'delivered'], state) DESC, occurred_at DESC, key
)
SELECT journey, channel, provider, template, state, reason, count(*) AS messages FROM truth
GROUP BY journey, channel, provider, template, state, reason ORDER BY messages DESC, journey, template, state, reason
"""
_DOUBLED = """
SELECT count(*) FROM (
  SELECT message_key FROM outcome_fact
  WHERE workspace = $1 AND occurred_at >= $2 AND occurred_at < $3 AND state IN ('sent', 'delivered')
  GROUP BY message_key HAVING count(DISTINCT token) > 1
) twice
"""
_MOVES = """
SELECT journey, what, count(*) AS enrollments FROM transition_fact
WHERE workspace = $1 AND occurred_at >= $2 AND occurred_at < $3 AND what <> 'moved'
GROUP BY journey, what ORDER BY journey, what
"""
_REACTIONS = """
SELECT action, count(*) AS reactions FROM engagement_fact
WHERE workspace = $1 AND occurred_at >= $2 AND occurred_at < $3 AND NOT machine
GROUP BY action ORDER BY action
"""
_OF_ONE = {
    "orders": """
SELECT order_id, occurred_at, amount_minor, currency, medium, cancelled FROM order_fact
WHERE workspace = $1 AND customer = $2 ORDER BY occurred_at DESC, order_id LIMIT 300
""",
    "refunds": """
SELECT o.order_id, r.occurred_at, r.amount_minor, coalesce(r.currency, o.currency) AS currency
FROM order_fact o JOIN refund_fact r ON r.order_key = o.key
WHERE o.workspace = $1 AND o.customer = $2 AND o.refunded ORDER BY r.occurred_at DESC, r.key LIMIT 300
""",
    "touches": """
SELECT occurred_at, medium FROM touch_fact
WHERE workspace = $1 AND customer = $2 ORDER BY occurred_at DESC, key LIMIT 300
""",
    "reactions": """
SELECT occurred_at, action, channel, message_key, machine FROM engagement_fact
WHERE workspace = $1 AND customer = $2 ORDER BY occurred_at DESC, key LIMIT 300
""",
}


class Days:
    """Questions about a span of time or a customer, of one moment of the database."""

    def __init__(self, pool: asyncpg.Pool[Any]) -> None:
        self._pool = pool

    async def between(self, workspace: str, since: datetime, until: datetime) -> Row:
        """What happened from ``since`` to before ``until``.

        A customer is new whose first order in that currency is in the span. Sales are before refunds. A message counts
        by its latest truth in the span; ``doubled`` are those that two attempts say to have sent. Reactions are
        people's, not machines'.
        """
        span = workspace, since, until
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            return {
                "orders": [dict(row) for row in await connection.fetch(_ORDERS, *span)],
                "messages": [dict(row) for row in await connection.fetch(_MESSAGES, *span)],
                "moves": [dict(row) for row in await connection.fetch(_MOVES, *span)],
                "reactions": [dict(row) for row in await connection.fetch(_REACTIONS, *span)],
                "doubled": await connection.fetchval(_DOUBLED, *span),
            }

    async def facts(self, workspace: str, customer: str) -> Row:
        """A customer's orders, refunds, campaign visits and reactions, newest first."""
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            return {
                name: [dict(row) for row in await connection.fetch(query, workspace, customer)]
                for name, query in _OF_ONE.items()
            }
