"""Alembic's entry: the dispatch schema."""

from alembic import context

from tabiji_common.migrations import run

run(context)
