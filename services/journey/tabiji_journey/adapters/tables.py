"""The journey service's tables; the search path decides the schema. Rows written for a number carry it as ``p``."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

metadata = sa.MetaData()
_instant = sa.DateTime(timezone=True)
_id = sa.Text(collation="C")

journey_version = sa.Table(
    "journey_version",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("journey", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("published_at", _instant, nullable=False),
    sa.Column("file", sa.Text, nullable=False, comment="The name that errors gave it"),
    sa.Column("source", sa.Text, nullable=False, comment="The document as published"),
    sa.Column("definition", pg.JSONB, nullable=False, comment="The document as read"),
    comment="Published definitions; a row never changes",
)
journey_state = sa.Table(
    "journey_state",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("journey", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, sa.Identity(), nullable=False, unique=True),
    sa.Column("version", sa.Integer, nullable=False, comment="Where new enrollments enter"),
    sa.Column("paused", sa.Text, comment="Why timers are held and nobody enters; null is running"),
    sa.Column("since", _instant, nullable=False),
    comment="What a journey is doing now; read at the start of every batch",
)
customer = sa.Table(
    "customer",
    metadata,
    sa.Column("key", _id, primary_key=True),
    sa.Column("p", sa.Integer, nullable=False),
    sa.Column("profile", pg.JSONB, nullable=False),
    sa.Column("memory", pg.JSONB, nullable=False),
    sa.Column("ties", pg.JSONB, nullable=False, comment="Visitors merged into it, journeys paused for it"),
    sa.Column("merged_into", sa.Text, comment="The customer that this visitor turned out to be"),
    comment="One customer, or one anonymous visitor",
)
enrollment = sa.Table(
    "enrollment",
    metadata,
    sa.Column("id", _id, primary_key=True),
    sa.Column("p", sa.Integer, nullable=False),
    sa.Column("customer", _id, nullable=False),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("journey", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("entry_key", sa.Text, nullable=False, comment="The value of enter.key"),
    sa.Column("status", sa.Text, nullable=False, comment="waiting, finished or exited"),
    sa.Column("state", sa.Text, nullable=False, comment="Where it stands or stood last"),
    sa.Column("reason", sa.Text, nullable=False, comment="Why it exited"),
    sa.Column("entered_at", _instant, nullable=False),
    sa.Column("ended_at", _instant),
    sa.Column("live", sa.Boolean, nullable=False, comment="Waits, or its goal may still be reached"),
    sa.Column("progress", sa.LargeBinary, nullable=False, comment="What has no column of its own (MessagePack)"),
    # No other: what changes at a move stands in no index, so that a move touches none.
    sa.Index("enrollment_entry", "customer", "journey", "entry_key"),
    comment="One customer in one journey",
)
timer = sa.Table(
    "timer",
    metadata,
    sa.Column("enrollment", _id, primary_key=True),
    sa.Column("p", sa.Integer, nullable=False),
    sa.Column("journey", sa.Integer, nullable=False, comment="journey_state.number"),
    sa.Column("due_at", _instant, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("held", sa.Boolean, nullable=False, comment="Paused for this customer"),
    sa.Column("customer", _id, nullable=False),
    sa.Index("timer_due", "p", "journey", "due_at", postgresql_where=sa.text("NOT held")),
    comment="The one live timer of a waiting enrollment",
)
transition = sa.Table(
    "transition",
    metadata,
    sa.Column("enrollment", _id, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("p", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("at", _instant, nullable=False),
    sa.Column("from_state", sa.Text),
    sa.Column("to_state", sa.Text),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("cause_id", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("message_key", sa.Text),
    comment="Every move of every enrollment, with its reason",
)
entry_ledger = sa.Table(
    "entry_ledger",
    metadata,
    sa.Column("n", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("p", sa.Integer, nullable=False),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("journey", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("enrollment", _id, nullable=False),
    sa.Column("entered_at", _instant, nullable=False),
    comment="Who entered, appended and never touched again: what the conservation check counts against",
)
state_count = sa.Table(
    "state_count",
    metadata,
    sa.Column("p", sa.Integer, primary_key=True),
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("journey", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("status", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, primary_key=True),
    sa.Column("n", sa.BigInteger, nullable=False),
    comment="Enrollments by where they stand, kept in the same transaction",
)
anonymous_event = sa.Table(
    "anonymous_event",
    metadata,
    sa.Column("n", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("p", sa.Integer, nullable=False),
    sa.Column("key", _id, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("occurred_at", _instant, nullable=False),
    sa.Column("accepted_at", _instant, nullable=False),
    sa.Column("mode", sa.Text, nullable=False),
    sa.Column("body_hash", sa.Text, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Index("anonymous_event_key", "key", "n"),
    sa.Index("anonymous_event_age", "p", "accepted_at"),
    comment="Events of visitors not yet known, 30 days and 1,000 of each",
)
user_id = sa.Table(
    "user_id",
    metadata,
    sa.Column("key", _id, primary_key=True),
    sa.Column("p", sa.Integer, nullable=False),
    comment="Ids that were a user's in some event: no merge takes anything away from them",
)
merge_pending = sa.Table(
    "merge_pending",
    metadata,
    sa.Column("customer", _id, primary_key=True),
    sa.Column("other", _id, primary_key=True),
    sa.Column("p", sa.Integer, nullable=False),
    sa.Column("at", _instant, nullable=False),
    comment="Two known customers said to be one; nothing moves yet",
)
erasure = sa.Table(
    "erasure",
    metadata,
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    sa.Column("p", sa.Integer, nullable=False),
    sa.Column("at", _instant, nullable=False),
    comment="Keyed hashes of erased customers: what happened until then stays forgotten, whenever it is read",
)
