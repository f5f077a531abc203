"""Alembic's entry: the runtime migrates one service's schema."""

from alembic import context

from tabiji_common.migrations import run

run(context)
