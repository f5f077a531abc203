"""Dispatch's tables, in its own schema (the search path decides which)."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

metadata = sa.MetaData()
_instant = sa.DateTime(timezone=True)
_unfinished = "state IN ('queued', 'held', 'sending')"


def _text(name: str, default: str | None = "") -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default=default)


delivery = sa.Table(
    "delivery",
    metadata,
    sa.Column("message_key", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, sa.Identity(cache=1), nullable=False, comment="Order of arrival"),
    sa.Column("p", sa.Integer, nullable=False),
    _text("workspace", None),
    _text("customer", None),
    _text("customer_key", None),
    _text("journey"),
    sa.Column("version", sa.Integer, nullable=False, server_default="0"),
    _text("enrollment"),
    _text("send_state"),
    _text("channel"),
    _text("template"),
    _text("class", "marketing"),
    _text("provider"),
    sa.Column("variables", pg.JSONB, nullable=False, server_default="{}"),
    sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
    sa.Column("decided_at", _instant, comment="Business time"),
    sa.Column("not_after", _instant, comment="Business time"),
    _text("seen_cluster"),
    sa.Column("seen_customer", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("seen_engagement", sa.BigInteger, nullable=False, server_default="0"),
    _text("state", None),
    _text("reason"),
    sa.Column("token", sa.Integer, nullable=False, server_default="0", comment="Number of the newest attempt"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0", comment="Attempts that were burned"),
    sa.Column("in_doubt", sa.Boolean, nullable=False, server_default="false"),
    sa.Column("cancelled", sa.Boolean, nullable=False, server_default="false"),
    sa.Column("sent_after_exit", sa.Boolean, nullable=False, server_default="false"),
    sa.Column("retry_at", _instant, nullable=False, server_default="1970-01-01T00:00:00Z", comment="Wall time"),
    sa.Column("wake_at", _instant, comment="Business time at which a hold ends or the message is late"),
    sa.Column("lease_until", _instant, comment="Wall time"),
    _text("claimed_by"),
    sa.Column("first_attempt_at", _instant, comment="Wall time; the age of the key"),
    sa.Column("at", _instant, comment="Business time of the newest finished state"),
    _text("told_by", ""),
    sa.Column("unannounced", sa.Boolean, nullable=False, server_default="false"),
    sa.Index("delivery_queue", "provider", "seq", postgresql_where=sa.text("state = 'queued'")),
    sa.Index("delivery_order", "customer_key", "channel", "class", "seq", postgresql_where=sa.text(_unfinished)),
    sa.Index("delivery_held", "p", "wake_at", postgresql_where=sa.text("state = 'held'")),
    sa.Index("delivery_sending", "p", postgresql_where=sa.text("state = 'sending'")),
    sa.Index("delivery_unannounced", "p", "seq", postgresql_where=sa.text("unannounced")),
    sa.Index("delivery_unknown", "workspace", "seq", postgresql_where=sa.text("state = 'unknown'")),
    sa.Index("delivery_customer", "customer_key", "seq"),
    comment="One message each, kept for ever with its end, so that no replay can send again",
)
body = sa.Table(
    "body",
    metadata,
    sa.Column("message_key", sa.Text, primary_key=True),
    _text("customer_key", None),
    _text("channel", None),
    _text("address", None),
    _text("subject", None),
    _text("text", None),
    _text("html", None),
    _text("unsubscribe_url", None),
    sa.Column("dated", _instant, nullable=False),
    _text("template_version", None),
    sa.Index("body_customer", "customer_key"),
    comment="What is sent, frozen at the first attempt; deleted once nothing is ahead (personal data)",
)
attempt = sa.Table(
    "attempt",
    metadata,
    sa.Column("message_key", sa.Text, primary_key=True),
    sa.Column("token", sa.Integer, primary_key=True),
    _text("provider", None),
    sa.Column("request", pg.BYTEA, nullable=False, comment="SHA-256 of what was to be sent"),
    sa.Column(
        "address", pg.BYTEA, comment="Keyed hash of where to, as in suppression; null once the customer is erased"
    ),
    _text("template_version", None),
    sa.Column("at", _instant, nullable=False, comment="Wall time"),
    sa.Column("lease_until", _instant, nullable=False, comment="Wall time"),
    comment="The intents, written before anything leaves",
)
attempt_result = sa.Table(
    "attempt_result",
    metadata,
    sa.Column("message_key", sa.Text, primary_key=True),
    sa.Column("token", sa.Integer, primary_key=True),
    sa.Column("result", sa.Text, primary_key=True),
    _text("detail"),
    _text("reference"),
    sa.Column("at", _instant, nullable=False, comment="Wall time"),
    comment="What became of them; an unknown one may be followed by the truth",
)
contact = sa.Table(
    "contact",
    metadata,
    sa.Column("customer_key", sa.Text, primary_key=True),
    sa.Column("p", sa.Integer, nullable=False),
    *(
        column
        for name in ("email", "phone", "line_id", "name", "timezone")
        for column in (_text(name), sa.Column(f"{name}_at", _instant))
    ),
    comment="Addresses and names (personal data)",
)
consent = sa.Table(
    "consent",
    metadata,
    sa.Column("customer_key", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True, comment="* is every channel"),
    sa.Column("p", sa.Integer, nullable=False),
    sa.Column("given", sa.Boolean, nullable=False),
    sa.Column("at", _instant, nullable=False),
)
merged = sa.Table(
    "merged",
    metadata,
    sa.Column("customer_key", sa.Text, primary_key=True),
    sa.Column("p", sa.Integer, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Index("merged_target", "target"),
    comment="Who turned out to be which customer, to whom a later no is passed on",
)
merge_pending = sa.Table(
    "merge_pending",
    metadata,
    sa.Column("customer_key", sa.Text, primary_key=True),
    sa.Column("other", sa.Text, primary_key=True),
    sa.Column("p", sa.Integer, nullable=False),
    sa.Index("merge_pending_other", "other"),
    comment="Known customers said to be one person: a no of either is passed on to the other",
)
suppression = sa.Table(
    "suppression",
    metadata,
    sa.Column("hash", pg.BYTEA, primary_key=True, comment="Keyed hash of workspace, channel and address"),
    sa.Column("scope", sa.Text, primary_key=True, comment="all, or marketing"),
    _text("workspace", None),
    _text("channel", None),
    _text("reason", None),
    sa.Column("at", _instant, nullable=False),
    comment="Addresses that are left alone; no address is stored",
)
erasure = sa.Table(
    "erasure",
    metadata,
    sa.Column("hash", pg.BYTEA, primary_key=True, comment="Keyed hash of workspace and customer"),
    sa.Column("p", sa.Integer, nullable=False),
    sa.Column("at", _instant, nullable=False),
    comment="Customers that were forgotten",
)
kill_switch = sa.Table(
    "kill_switch",
    metadata,
    sa.Column("scope", sa.Text, primary_key=True, comment="global, workspace, journey or provider"),
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    _text("reason"),
    _text("set_by"),
    sa.Column("at", _instant, nullable=False),
    comment="A row stops; no row, no stop",
)
sent_hour = sa.Table(
    "sent_hour",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("p", sa.Integer, primary_key=True),
    sa.Column("hour", _instant, primary_key=True, comment="Business time, in slices of five minutes"),
    sa.Column("n", sa.BigInteger, nullable=False),
    comment="How many messages were claimed when; counted while the volume brake is set",
)
brake = sa.Table(
    "brake",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True, comment="repeat, or volume"),
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True, comment="repeat: template and customer"),
    sa.Column("seen", sa.BigInteger, nullable=False),
    sa.Column("allowed", sa.BigInteger, nullable=False),
    sa.Column("at", _instant, nullable=False),
    sa.Column("released_at", _instant),
    _text("released_by"),
    comment="Sends that were too many to be meant; one that is not released holds",
)
quota_use = sa.Table(
    "quota_use",
    metadata,
    sa.Column("message_key", sa.Text, primary_key=True),
    _text("provider", None),
    _text("month", None),
    comment="Messages that count against a provider's month, from the intent on",
)
quota_month = sa.Table(
    "quota_month",
    metadata,
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("month", sa.Text, primary_key=True, comment="Calendar month in Asia/Tokyo"),
    sa.Column("used", sa.BigInteger, nullable=False, server_default="0"),
    comment="How many those are",
)
accepted_cluster = sa.Table(
    "accepted_cluster",
    metadata,
    sa.Column("cluster", sa.Text, primary_key=True),
    _text("accepted_by"),
    sa.Column("at", _instant, nullable=False),
    comment="Kafka clusters whose sends a person has released",
)
installation = sa.Table(
    "installation",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _text("system_identifier"),
    sa.Column("timeline", sa.BigInteger, nullable=False, server_default="0"),
    _text("place"),
    sa.Column("beat", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("restore", sa.Boolean, nullable=False, server_default="false"),
    _text("why"),
    _text("released_by"),
    comment="Which database this is; one that finds itself restored or cloned holds every send",
)
