"""An enrollment's progress is packed, and a move touches none of its indexes; 0001 makes both in a new database."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DROP INDEX IF EXISTS enrollment_live")
    if any(column["name"] == "body" for column in sa.inspect(op.get_bind()).get_columns("enrollment")):
        op.execute("ALTER TABLE enrollment RENAME body TO progress")  # as JSON, which can still be read
        op.execute("ALTER TABLE enrollment ALTER progress TYPE bytea USING convert_to(progress::text, 'UTF8')")


def downgrade() -> None:
    raise NotImplementedError("what is packed cannot be read by what came before; restore a backup")
