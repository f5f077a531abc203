"""views × facts -> drift: every view compared with its recomputation, cell by cell, each in one snapshot."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import asyncpg

from tabiji_analytics import metrics
from tabiji_analytics.adapters.views import Row, from_facts, from_rollups, rolled_zones
from tabiji_analytics.domain.catalog import VIEWS, View

MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class Difference:
    """A cell that is not what the facts say; ``None`` on one side is a row that is missing there."""

    view: str
    key: dict[str, Any]
    column: str
    in_view: Any
    from_facts: Any


@dataclass(slots=True)
class Drift:
    """What a recomputation found: cells compared and cells that differ by view, and the first hundred of those."""

    compared: dict[str, int] = field(default_factory=dict)
    differ: dict[str, int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)

    @property
    def cells(self) -> int:
        """How many cells differ; 0 is what is promised."""
        return sum(self.differ.values())

    def plain(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "drift": self.cells,
            "compared": sum(self.compared.values()),
            "views": {name: {"compared": self.compared[name], "drift": self.differ[name]} for name in self.compared},
            "differences": [asdict(difference) for difference in self.differences],
        }


async def recompute(patient: asyncpg.Pool[Any]) -> Drift:
    """Recompute every view from facts and compare; sets the metrics too.

    ``patient`` is a pool without the short timeouts, search path ``analytics``. A view's rollups and facts are read in
    one REPEATABLE READ snapshot, so turns that commit meanwhile cannot look like drift; no snapshot outlives its view,
    for nothing that dies under an open one is cleaned up, in any service's tables.
    """
    drift = Drift()
    started = time.monotonic()
    async with patient.acquire() as connection:
        for view in VIEWS.values():
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                shown = await from_rollups(connection, view)
                wanted = await from_facts(connection, view, await rolled_zones(connection))
            _compare(drift, view, shown, wanted)
    metrics.RECOMPUTE_SECONDS.observe(time.monotonic() - started)
    for name, count in drift.differ.items():
        metrics.DRIFT_CELLS.labels(name).set(count)
        metrics.CHECKED_CELLS.labels(name).set(drift.compared[name])
    return drift


def _compare(drift: Drift, view: View, shown: list[Row], wanted: list[Row]) -> None:
    keys = ("workspace", *view.keys)
    left, right = _by_key(shown, keys), _by_key(wanted, keys)
    compared = differ = 0
    for key in sorted(left.keys() | right.keys(), key=repr):
        for column, in_view, facts_say in _cells(view, keys, left.get(key), right.get(key)):
            compared += 1
            if in_view == facts_say:
                continue
            differ += 1
            if len(drift.differences) < MOST_LISTED:
                named = dict(zip(keys, key, strict=True))
                drift.differences.append(Difference(view.name, named, column, in_view, facts_say))
    drift.compared[view.name], drift.differ[view.name] = compared, differ


def _by_key(rows: list[Row], keys: tuple[str, ...]) -> dict[tuple[Any, ...], Row]:
    return {tuple(row[name] for name in keys): row for row in rows}


def _cells(view: View, keys: tuple[str, ...], shown: Row | None, wanted: Row | None) -> Iterator[tuple[str, Any, Any]]:
    if shown is None or wanted is None:
        yield "(row)", shown and "present", wanted and "present"
        return
    for column in view.columns:
        if column not in keys:
            yield column, shown[column], wanted[column]
