"""Known customers said to be one, any number of them; who is named in another's row is found; as 0001 makes it now."""

from alembic import op

from tabiji_dispatch.adapters.tables import metadata

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    metadata.create_all(op.get_bind(), checkfirst=True)
    op.execute("CREATE INDEX IF NOT EXISTS merged_target ON merged (target)")


def downgrade() -> None:
    raise NotImplementedError("a no would reach fewer than it was told to")
