"""Orders and refunds in PostgreSQL, set-based."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from tabiji_analytics.adapters.columns import columns, whose
from tabiji_analytics.domain.contribution import Order, Refund
from tabiji_analytics.domain.facts import OrderPlaced, RefundGiven, Who
from tabiji_analytics.domain.ledger import Orders, Placing
from tabiji_common.postgres import Connection

_OF = """
SELECT o.workspace, o.customer, o.key, o.order_id, o.occurred_at, o.amount_minor, o.currency, o.medium, o.cancelled,
       o.refunded
FROM unnest($1::text[], $2::text[]) AS w(workspace, customer) JOIN order_fact o USING (workspace, customer)
"""
# One statement for all, sorted, so that two owners who name the same orders meet in the same sequence. A row that is
# there is locked by the conflict even where nothing is changed: who comes second sees what the first has committed.
_PLACE = """
INSERT INTO order_fact AS f (key, workspace, customer, order_id, occurred_at, amount_minor, currency, medium)
SELECT * FROM unnest(
    $1::bytea[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bigint[], $7::text[], $8::text[]
)
ON CONFLICT (key) DO UPDATE SET
    customer = excluded.customer, order_id = excluded.order_id, occurred_at = excluded.occurred_at,
    amount_minor = excluded.amount_minor, currency = excluded.currency, medium = excluded.medium
WHERE f.customer IS NULL AND excluded.customer IS NOT NULL
RETURNING f.key, f.cancelled, f.refunded
"""
_KNOWN = "SELECT key, workspace, customer, amount_minor, currency FROM order_fact WHERE key = ANY($1::bytea[])"
_REFUNDS = """
SELECT order_key, key, occurred_at, amount_minor, currency FROM refund_fact WHERE order_key = ANY($1::bytea[])
"""
_REFUND = """
INSERT INTO refund_fact (order_key, key, occurred_at, amount_minor, currency)
SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::timestamptz[], $4::bigint[], $5::text[])
ON CONFLICT DO NOTHING RETURNING order_key, key
"""
_MARK_REFUNDED = "UPDATE order_fact SET refunded = true WHERE key = ANY($1::bytea[]) AND NOT refunded"
_DROP = "UPDATE order_fact SET cancelled = true WHERE key = ANY($1::bytea[]) AND NOT cancelled"
_RELEASE = """
UPDATE order_fact o
SET customer = NULL, order_id = NULL, occurred_at = NULL, amount_minor = NULL, currency = NULL, medium = NULL
FROM unnest($1::text[], $2::text[]) AS w(workspace, customer)
WHERE o.workspace = w.workspace AND o.customer = w.customer
"""


class PostgresOrders:
    """``ports.OrderBook``."""

    async def of(self, tx: Connection, whos: Collection[Who]) -> dict[Who, Orders]:
        """All orders of these customers, with their refunds."""
        rows = await tx.fetch(_OF, *whose(whos))
        refunds = await self._refunds(tx, [row[2] for row in rows if row[9]])
        found: dict[Who, Orders] = {}
        for workspace, customer, key, order_id, occurred_at, amount, currency, medium, cancelled, _ in rows:
            order = Order(order_id, occurred_at, amount, currency, medium, cancelled, refunds.get(key, ()))
            mine = found.get((workspace, customer))
            if mine is None:
                found[workspace, customer] = {key: order}
            else:
                mine[key] = order
        return found

    async def place(
        self, tx: Connection, placed: Sequence[tuple[Who, OrderPlaced]], mentioned: Mapping[bytes, Who]
    ) -> Placing:
        """Insert orders and rows that wait for the ``mentioned``; each key once."""
        rows: list[tuple[object, ...]] = [
            (order.key, *who, order.order_id, order.occurred_at, order.amount_minor, order.currency, order.medium)
            for who, order in placed
        ]
        keys = {order.key for _, order in placed}
        rows += [(key, who[0], *[None] * 6) for key, who in mentioned.items() if key not in keys]
        if not rows:
            return Placing({}, {})
        rows.sort(key=lambda row: row[0])  # type: ignore[arg-type, return-value]  # the key, bytes
        written = await tx.fetch(_PLACE, *columns(rows, 8))
        new = {row[0]: (row[1], row[2]) for row in written if row[0] in keys}
        refunds = await self._refunds(tx, [key for key, (_, refunded) in new.items() if refunded])
        fresh = {key: (cancelled, refunds.get(key, ())) for key, (cancelled, _) in new.items()}
        asked = [row[0] for row in rows if row[0] not in fresh]
        known = await tx.fetch(_KNOWN, asked) if asked else []
        return Placing(fresh, {row[0]: ((row[1], row[2]) if row[2] else None, row[3], row[4]) for row in known})

    async def correct(
        self, tx: Connection, refunds: Sequence[RefundGiven], dropped: Collection[bytes]
    ) -> set[tuple[bytes, bytes]]:
        """Keep refunds and cancellations of orders whose rows this transaction has locked."""
        new: set[tuple[bytes, bytes]] = set()
        if refunds:
            rows = [(r.order, r.key, r.occurred_at, r.amount_minor, r.currency) for r in refunds]
            rows.sort(key=lambda row: row[:2])
            new = {(row[0], row[1]) for row in await tx.fetch(_REFUND, *columns(rows, 5))}
            await tx.execute(_MARK_REFUNDED, sorted({order for order, _ in new}))
        if dropped:
            await tx.execute(_DROP, sorted(dropped))
        return new

    async def release(self, tx: Connection, whos: Collection[Who]) -> None:
        """Make waiting rows of these customers' orders."""
        await tx.execute(_RELEASE, *whose(whos))

    async def _refunds(self, tx: Connection, orders: list[bytes]) -> dict[bytes, tuple[Refund, ...]]:
        if not orders:
            return {}
        found: dict[bytes, tuple[Refund, ...]] = {}
        for order, key, occurred_at, amount, currency in await tx.fetch(_REFUNDS, orders):
            found[order] = (*found.get(order, ()), Refund(key, occurred_at, amount, currency))
        return found
