"""Who was erased, and when; 0001 makes it in a new database."""

from alembic import op

from tabiji_journey.adapters.tables import metadata

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    metadata.create_all(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    raise NotImplementedError("who was erased is not forgotten: its data would come back")
