"""Ingest's tables; the search path says in which schema."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

metadata = sa.MetaData()

write_key = sa.Table(
    "write_key",
    metadata,
    sa.Column("hash", pg.BYTEA, primary_key=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("scope", sa.Text, sa.CheckConstraint("scope IN ('live', 'backfill')"), nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("revoked_at", sa.DateTime(timezone=True)),
    sa.Column("name", sa.Text, nullable=False, server_default=""),
    comment="SHA-256 of each write key, and what it opens; revoked_at may lie ahead: it works until then",
)
