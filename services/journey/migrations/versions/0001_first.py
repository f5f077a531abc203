"""The runtime's tables, and journeys, customers, enrollments, timers and their ledgers."""

from alembic import op

from tabiji_common import runtime_schema
from tabiji_journey.adapters.tables import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Timers and enrollments are rewritten at every move: leave room for it on the page, and clean up early.
_BUSY = ("customer", "enrollment", "timer", "state_count")


def upgrade() -> None:
    runtime_schema.create(op)
    metadata.create_all(op.get_bind(), checkfirst=False)
    for table in _BUSY:
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)")
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'rows of % never change', TG_TABLE_NAME; END $$
        """
    )
    fixed = {
        "journey_version": "UPDATE OR DELETE",
        # Only p may change: a new partition count is a relabelling.
        "entry_ledger": "UPDATE OF workspace, journey, version, enrollment, entered_at OR DELETE",
    }
    for table, change in fixed.items():
        op.execute(
            f"CREATE TRIGGER {table}_is_fixed BEFORE {change} ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    raise NotImplementedError("published journeys are not taken back; restore a backup")
