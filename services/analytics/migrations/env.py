"""Schema `analytics`: run by `tabiji_common.postgres.migrate`."""

from alembic import context

from tabiji_common.migrations import run

run(context)
