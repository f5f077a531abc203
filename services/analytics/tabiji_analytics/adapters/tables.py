"""The tables of schema ``analytics``: facts, who is who, and rollup cells. The search path decides on the schema.

Facts are the truth and are never changed but by a handover, a cancellation or an erasure. Cells are sums over facts;
they carry p, because only p's owner writes them, and views add them up over p.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

metadata = sa.MetaData()
_instant = sa.DateTime(timezone=True)


def _whose() -> tuple[sa.Column[str], sa.Column[str]]:
    return sa.Column("workspace", sa.Text, nullable=False), sa.Column("customer", sa.Text, nullable=False)


order_fact = sa.Table(
    "order_fact",
    metadata,
    sa.Column("key", pg.BYTEA, primary_key=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("customer", sa.Text, comment="Null while only a refund or a cancellation is known, or in a handover"),
    sa.Column("order_id", sa.Text(collation="C"), comment="After an erasure an ordinal that keeps the order of ties"),
    sa.Column("occurred_at", _instant),
    sa.Column("amount_minor", sa.BigInteger),
    sa.Column("currency", sa.Text),
    sa.Column("medium", sa.Text),
    sa.Column("cancelled", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("refunded", sa.Boolean, nullable=False, server_default=sa.false(), comment="Has rows in refund_fact"),
    sa.Index("order_fact_customer", "workspace", "customer", postgresql_where=sa.text("customer IS NOT NULL")),
    sa.Index(
        "order_fact_standing",
        *("workspace", "currency", "occurred_at"),
        postgresql_where=sa.text("customer IS NOT NULL AND NOT cancelled"),
    ),
    comment="Orders, each once in its workspace, whoever reported it",
)
refund_fact = sa.Table(
    "refund_fact",
    metadata,
    sa.Column("order_key", pg.BYTEA, primary_key=True),
    sa.Column("key", pg.BYTEA, primary_key=True),
    sa.Column("occurred_at", _instant, nullable=False),
    sa.Column("amount_minor", sa.BigInteger, comment="Null: the rest of the order"),
    sa.Column("currency", sa.Text),
    comment="Refunds, of orders that may not be known yet",
)
touch_fact = sa.Table(
    "touch_fact",
    metadata,
    sa.Column("key", pg.BYTEA, primary_key=True),
    *_whose(),
    sa.Column("occurred_at", _instant, nullable=False),
    sa.Column("medium", sa.Text, nullable=False),
    sa.Index("touch_fact_customer", "workspace", "customer", "occurred_at", "key"),
    comment="Events that name a campaign medium and are no order",
)
engagement_fact = sa.Table(
    "engagement_fact",
    metadata,
    sa.Column("key", pg.BYTEA, primary_key=True),
    *_whose(),
    sa.Column("occurred_at", _instant, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("channel", sa.Text),
    sa.Column("message_key", sa.Text),
    sa.Column("machine", sa.Boolean, nullable=False),
    sa.Index("engagement_fact_customer", "workspace", "customer"),
    sa.Index("engagement_fact_message", "message_key", postgresql_where=sa.text("message_key IS NOT NULL")),
    sa.Index("engagement_fact_day", "occurred_at", postgresql_using="brin", postgresql_with={"autosummarize": "on"}),
    comment="Reactions to messages, by people and by machines",
)
transition_fact = sa.Table(
    "transition_fact",
    metadata,
    sa.Column("key", pg.BYTEA, primary_key=True),
    *_whose(),
    sa.Column("occurred_at", _instant, nullable=False),
    sa.Column("enrollment", sa.Text, nullable=False),
    sa.Column("journey", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("from_state", sa.Text),
    sa.Column("to_state", sa.Text),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("holdout", sa.Boolean, nullable=False),
    sa.Column("arms", sa.Text, nullable=False),
    sa.Column("seq", sa.Integer, nullable=False, comment="Counts the enrollment's transitions from 1"),
    sa.Index("transition_fact_customer", "workspace", "customer"),
    sa.Index("transition_fact_enrollment", "enrollment"),
    sa.Index("transition_fact_day", "occurred_at", postgresql_using="brin", postgresql_with={"autosummarize": "on"}),
    comment="Moves of enrollments",
)
outcome_fact = sa.Table(
    "outcome_fact",
    metadata,
    sa.Column("key", pg.BYTEA, primary_key=True),
    *_whose(),
    sa.Column("occurred_at", _instant, nullable=False),
    sa.Column("message_key", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("journey", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("enrollment", sa.Text, nullable=False),
    sa.Column("send_state", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("template", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("sent_after_exit", sa.Boolean, nullable=False),
    sa.Index("outcome_fact_customer", "workspace", "customer"),
    sa.Index("outcome_fact_message", "message_key"),
    sa.Index("outcome_fact_day", "occurred_at", postgresql_using="brin", postgresql_with={"autosummarize": "on"}),
    comment="Everything said of what became of a message; the latest truth counts",
)
merged = sa.Table(
    "merged",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("customer", sa.Text, primary_key=True),
    sa.Column("target", sa.Text, nullable=False),
    sa.Index("merged_target", "workspace", "target"),
    comment="Anonymous visitors whose facts go to the customer they turned out to be",
)
user_id = sa.Table(
    "user_id",
    metadata,
    sa.Column("key", sa.Text(collation="C"), primary_key=True),
    comment="Ids that were a user's in some event: no merge takes anything away from them",
)
merge_pending = sa.Table(
    "merge_pending",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("target", sa.Text, primary_key=True),
    comment="Known customers said to be one: recorded, nothing moves",
)
rolled_zone = sa.Table(
    "rolled_zone",
    metadata,
    sa.Column("zone", sa.Text, primary_key=True),
    comment="Zones that cohort_cell is kept for; every turn reads them",
)


def _cell(name: str, keys: tuple[sa.Column[Any], ...], values: tuple[str, ...], comment: str) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column("workspace", sa.Text, primary_key=True),
        sa.Column("p", sa.Integer, primary_key=True),
        *keys,
        *(sa.Column(value, sa.BigInteger, nullable=False) for value in values),
        comment=comment,
        postgresql_with={"fillfactor": 60},
    )


def _key(name: str, kind: Any = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


cohort_cell = _cell(
    "cohort_cell",
    (_key("zone"), _key("currency"), _key("cohort", sa.Integer), _key("month", sa.Integer)),
    ("active_customers", "orders", "revenue_minor", "entries", "first_orders", "first_order_minor"),
    "Orders and refunds by cohort and calendar month (year × 12 + month − 1) of a zone",
)
frequency_cell = _cell(
    "frequency_cell",
    (_key("currency"), _key("orders", sa.Integer)),
    ("customers",),
    "Customers by number of orders",
)
second_order_cell = _cell(
    "second_order_cell",
    (_key("currency"), _key("first_at", _instant), _key("within_days", sa.Integer)),
    ("customers",),
    "Customers by the instant of their first order and how soon the second one followed (0: not within 365 days)",
)
medium_cell = _cell(
    "medium_cell",
    (_key("currency"), _key("medium")),
    ("customers", "first_order_minor", "d30_minor", "d90_minor", "d180_minor", "d365_minor", "lifetime_minor"),
    "Customers and revenue by acquisition medium and age",
)
journey_cell = _cell(
    "journey_cell",
    (
        *(_key("journey"), _key("version", sa.Integer), _key("holdout", sa.Boolean), _key("arms")),
        *(_key("step"), _key("state"), _key("reason")),
    ),
    ("transitions", "enrollments"),
    "Moves of enrollments by step",
)
message_cell = _cell(
    "message_cell",
    (
        *(_key("journey"), _key("version", sa.Integer), _key("send_state"), _key("channel"), _key("provider")),
        *(_key("template"), _key("outcome"), _key("reason")),
    ),
    (
        *("messages", "opened", "clicked", "machine_opened", "machine_clicked"),
        *("bounced", "complained", "unsubscribed", "sent_after_exit"),
    ),
    "Messages by what became of them",
)


def key_columns(table: str) -> list[str]:
    """The names of a cell table's key columns, after workspace and p."""
    return [column.name for column in metadata.tables[table].primary_key][2:]


def value_columns(table: str) -> list[str]:
    """The names of a cell table's columns that deltas are added to."""
    return [column.name for column in metadata.tables[table].columns if not column.primary_key]


def array_type(table: str, column: str) -> str:
    """The PostgreSQL array type of a column, as used in ``unnest``."""
    kind = metadata.tables[table].columns[column].type
    return f"{str(kind.compile()).replace('DATETIME', 'TIMESTAMPTZ')}[]"
