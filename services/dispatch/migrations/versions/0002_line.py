"""LINE ids, where attempts went, and the quota ledger; 0001 makes both in a new database."""

from alembic import op

from tabiji_dispatch.adapters.tables import metadata

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE contact ADD COLUMN IF NOT EXISTS line_id text NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE contact ADD COLUMN IF NOT EXISTS line_id_at timestamptz")
    op.execute("ALTER TABLE attempt ADD COLUMN IF NOT EXISTS address bytea")
    metadata.create_all(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    raise NotImplementedError("the ledger is never dropped: its keys keep messages from being sent again")
