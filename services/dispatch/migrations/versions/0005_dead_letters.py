"""Dead letters as rows, so that they can be replayed; 0001 makes them in a new database."""

from alembic import op

from tabiji_common import runtime_schema

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    runtime_schema.create_missing(op)


def downgrade() -> None:
    raise NotImplementedError("what could not be applied is not thrown away; restore a backup")
