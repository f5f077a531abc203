"""Rows -> columns, as ``unnest`` takes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from tabiji_analytics.domain.facts import Who


def columns(rows: Sequence[Iterable[Any]], count: int) -> list[list[Any]]:
    """The ``count`` columns of ``rows``; empty ones where there are no rows."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(count)]


def whose(whos: Collection[Who]) -> tuple[list[str], list[str]]:
    """Workspaces and customers."""
    return [workspace for workspace, _ in whos], [customer for _, customer in whos]
