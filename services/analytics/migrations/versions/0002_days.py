"""A day's facts are found without reading all; 0001 makes the indexes in a new database."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = ("outcome_fact", "transition_fact")


def upgrade() -> None:
    for table in TABLES:
        op.execute(
            f"CREATE INDEX IF NOT EXISTS {table}_day ON {table} USING brin (occurred_at) WITH (autosummarize = on)"
        )


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP INDEX {table}_day")
