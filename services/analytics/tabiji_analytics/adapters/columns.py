"""Rows -> columns, as ``unnest`` takes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from tabiji_analytics.domain.facts import Concluded, Engaged, Moved, Touched, Who


def columns(rows: Sequence[Iterable[Any]], count: int) -> list[list[Any]]:
    """The ``count`` columns of ``rows``; empty ones where there are no rows."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(count)]


def whose(whos: Collection[Who]) -> tuple[list[str], list[str]]:
    """Workspaces and customers."""
    return [workspace for workspace, _ in whos], [customer for _, customer in whos]


def rows_of(facts: Iterable[tuple[Who, Concluded | Engaged | Moved | Touched]]) -> list[tuple[Any, ...]]:
    """Rows of workspace, customer and the fact's fields, sorted by key, as is everybody else's insert."""
    return [(*who, *msgspec.structs.astuple(fact)) for who, fact in sorted(facts, key=lambda pair: pair[1].key)]
