"""The view journey_flow, filled from the facts that there are under no process's p."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

VIEWS = Path(__file__).parents[1] / "0003_flow.sql"


def upgrade() -> None:
    for statement in VIEWS.read_text("utf-8").split(";\n\n"):
        op.execute(statement.strip().removesuffix(";"))
