"""The delivery ledger, contacts and switches, beside the runtime's own tables."""

from alembic import op

from tabiji_common import runtime_schema
from tabiji_dispatch.adapters.tables import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    runtime_schema.create(op)
    metadata.create_all(op.get_bind(), checkfirst=False)
    op.execute("ALTER TABLE delivery SET (autovacuum_vacuum_scale_factor = 0.05, fillfactor = 80)")
    op.execute("ALTER TABLE body SET (autovacuum_vacuum_scale_factor = 0.02)")
    op.execute("INSERT INTO installation (id) VALUES (1)")


def downgrade() -> None:
    raise NotImplementedError("the ledger is never dropped: its keys keep messages from being sent again")
