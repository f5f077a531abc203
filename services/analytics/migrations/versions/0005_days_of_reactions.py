"""A day's reactions are found without reading all; 0001 makes the index in a new database."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX IF NOT EXISTS engagement_fact_day ON engagement_fact"
        " USING brin (occurred_at) WITH (autosummarize = on)"
    )


def downgrade() -> None:
    op.execute("DROP INDEX engagement_fact_day")
