"""Write keys have names; 0001 makes the column in a new database."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE write_key ADD COLUMN IF NOT EXISTS name text NOT NULL DEFAULT ''")


def downgrade() -> None:
    op.execute("ALTER TABLE write_key DROP COLUMN name")
