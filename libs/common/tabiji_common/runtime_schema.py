"""The runtime's own tables, one set in each stateful service's schema: ownership, offsets, inbox, outbox, parked
customers, dead letters.
"""

from __future__ import annotations

from types import ModuleType

import sqlalchemy as sa
from alembic.operations import Operations
from sqlalchemy.dialects import postgresql as pg

metadata = sa.MetaData()
_instant = sa.DateTime(timezone=True)

partition_owner = sa.Table(
    "partition_owner",
    metadata,
    sa.Column("grp", sa.Text, primary_key=True),
    sa.Column("p", sa.Integer, primary_key=True),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("turn", sa.BigInteger, nullable=False, server_default="0"),
    comment="The fence: who took the newest epoch of p is its one writer; turn is the newest transaction that says so",
)
consumer_offset = sa.Table(
    "consumer_offset",
    metadata,
    sa.Column("grp", sa.Text, primary_key=True),
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("p", sa.Integer, primary_key=True),
    sa.Column("cluster", sa.Text, primary_key=True),
    sa.Column("next", sa.BigInteger, nullable=False),
    comment="The next offset to apply, moved in the transaction that applies",
)
known_database = sa.Table(
    "known_database",
    metadata,
    sa.Column("grp", sa.Text, primary_key=True),
    sa.Column("system_identifier", sa.Text, nullable=False),
    sa.Column("timeline", sa.BigInteger, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False, server_default=""),
    sa.Column("released_by", sa.Text, nullable=False, server_default=""),
    comment="Which database this was; why says that it is another one, and timers wait for a person",
)


def _inbox(name: str) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("id", pg.BYTEA, primary_key=True),
        sa.Column("p", sa.Integer, nullable=False),
        sa.Column("batch", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        comment="Identities already applied; partitioned by day, dropped by age",
        postgresql_partition_by="RANGE (day)",
    )


inbox = _inbox("inbox")
inbox_page_view = _inbox("inbox_page_view")

_RECORD = (
    ("topic", sa.Text),
    ("key", sa.Text),
    ("id", sa.Text),
    ("type", sa.Text),
    ("source", sa.Text),
    ("occurred_at", _instant),
    ("accepted_at", _instant),
    ("mode", sa.Text),
    ("body_hash", sa.Text),
    ("day", sa.Text),
    ("value", pg.BYTEA),
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("p", sa.Integer, primary_key=True),
    sa.Column("epoch", sa.BigInteger, primary_key=True),
    sa.Column("n", sa.BigInteger, primary_key=True),
    sa.Column("held", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    *(sa.Column(name, kind, nullable=False) for name, kind in _RECORD),
    comment="Records on their way to Kafka, in order within p; deleted once acked",
)
parked = sa.Table(
    "parked",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("p", sa.Integer, nullable=False, index=True),
    sa.Column("since", _instant, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    comment="Customers whose records wait because our code failed on one of them",
)
parked_record = sa.Table(
    "parked_record",
    metadata,
    sa.Column("seq", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("p", sa.Integer, nullable=False),
    sa.Column("partition_offset", sa.BigInteger, nullable=False),
    sa.Column("appended_at", _instant, nullable=False),
    *(sa.Column(name, kind, nullable=False) for name, kind in _RECORD),
    sa.Index("parked_record_key", "key", "seq"),
    comment="The records of parked customers, in order",
)
dead_letter = sa.Table(
    "dead_letter",
    metadata,
    sa.Column("letter", sa.Text, primary_key=True),
    sa.Column("p", sa.Integer, nullable=False),
    sa.Column("partition_offset", sa.BigInteger, nullable=False),
    sa.Column("appended_at", _instant, nullable=False),
    *(sa.Column(name, kind, nullable=False) for name, kind in _RECORD),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("whole", sa.Boolean, nullable=False),
    sa.Column("died_at", _instant, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("tried_at", _instant),
    sa.Index("dead_letter_newest", "died_at", "letter"),
    sa.Index("dead_letter_key", "key"),
    comment="Records that could not apply, as received, and what became of each: dead, replayed or repeat",
)


def create(op: Operations | ModuleType) -> None:
    """Create the runtime's tables; called by the first migration of every stateful service."""
    metadata.create_all(op.get_bind(), checkfirst=False)
    for table in ("inbox", "inbox_page_view"):
        op.execute(f"CREATE TABLE {table}_rest PARTITION OF {table} DEFAULT")
    op.execute("ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0.02, fillfactor = 70)")


def create_missing(op: Operations | ModuleType) -> None:
    """Create those that a database made by an older version lacks; called by the migration that comes with them."""
    metadata.create_all(op.get_bind(), checkfirst=True)
