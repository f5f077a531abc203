"""the runtime's tables, and what the toy counts"""

from alembic import op

from tabiji_common import runtime_schema

revision = "0001"
down_revision = None


def upgrade() -> None:
    runtime_schema.create(op)
    op.execute("CREATE TABLE tally (key text PRIMARY KEY, p int NOT NULL, n bigint NOT NULL)")
    op.execute(
        "CREATE TABLE applied (seq bigserial PRIMARY KEY, key text, id text, topic text, position bigint,"
        " appended_at timestamptz, pid int, applied_at timestamptz DEFAULT clock_timestamp())"
    )
    op.execute("CREATE TABLE timer (n bigserial PRIMARY KEY, key text, p int, due_at timestamptz, sour bool)")
    op.execute(
        "CREATE TABLE fired (n bigint, key text, due_at timestamptz, now timestamptz,"
        " at timestamptz DEFAULT clock_timestamp())"
    )
