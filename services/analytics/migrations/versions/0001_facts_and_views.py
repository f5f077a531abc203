"""The runtime's tables, facts, rollup cells, and the views over them."""

from pathlib import Path

from alembic import op

from tabiji_analytics.adapters.tables import metadata
from tabiji_common import runtime_schema

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

VIEWS = Path(__file__).parents[1] / "0001_views.sql"


def upgrade() -> None:
    runtime_schema.create(op)
    metadata.create_all(op.get_bind(), checkfirst=False)
    for statement in VIEWS.read_text("utf-8").split(";\n\n"):
        op.execute(statement.strip().removesuffix(";"))
