"""What a turn adds to rollup cells: the sum of contributions after, less the sum of contributions before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from tabiji_analytics.domain.contribution import Cell, Key
from tabiji_analytics.domain.facts import Who

CellDeltas = Mapping[tuple[str, int, Key], Sequence[int]]
"""(workspace, p, cell key) → what to add to the cell's columns."""


class Deltas:
    """Additions by rollup and cell."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[tuple[str, int, Key], list[int]]] = {}

    def add(self, who: Who, p: int, cells: Iterable[Cell], sign: int) -> None:
        """Add (``sign`` 1) or take away (−1) a contribution of ``who``, whose owner is p's."""
        workspace = who[0]
        tables = self._tables
        for rollup, key, values in cells:
            table = tables.get(rollup)
            if table is None:
                table = tables[rollup] = {}
            place = (workspace, p, key)
            cell = table.get(place)
            if cell is None:
                table[place] = [sign * value for value in values]
            else:
                for n, value in enumerate(values):
                    cell[n] += sign * value

    def __iter__(self) -> Iterator[tuple[str, CellDeltas]]:
        """(rollup, additions), in the rollups' order of name."""
        return iter(sorted(self._tables.items()))
