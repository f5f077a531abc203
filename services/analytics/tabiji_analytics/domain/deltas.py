"""What a turn adds to rollup cells: the sum of contributions after, less the sum of contributions before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tabiji_analytics.domain.contribution import Cells
from tabiji_analytics.domain.facts import Who

CellDeltas = Mapping[tuple[Any, ...], Sequence[int]]
"""(workspace, p, cell key …) → what to add to the cell's columns."""


class Deltas:
    """Additions by rollup and cell."""

    def __init__(self) -> None:
        self._cells: dict[str, dict[tuple[Any, ...], list[int]]] = {}

    def change(self, who: Who, p: int, before: Cells, after: Cells) -> None:
        """Take ``before`` away and put ``after`` in its place, for ``who``, whose owner is p's."""
        for place, values in after.items():
            old = before.get(place)
            if old is None:
                self._add(who[0], p, place, values)
            elif old != values:
                self._add(who[0], p, place, [new - was for new, was in zip(values, old, strict=True)])
        for place, values in before.items():
            if place not in after:
                self._add(who[0], p, place, [-value for value in values])

    def _add(self, workspace: str, p: int, place: tuple[Any, ...], values: Sequence[int]) -> None:
        table = self._cells.setdefault(place[0], {})
        key = (workspace, p, *place[1:])
        cell = table.get(key)
        if cell is None:
            table[key] = list(values)
        else:
            for n, value in enumerate(values):
                cell[n] += value

    def __iter__(self) -> Iterator[tuple[str, CellDeltas]]:
        """(rollup, additions), in the rollups' order of name."""
        return iter(sorted(self._cells.items()))
