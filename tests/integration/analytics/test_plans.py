"""The recomputation reads all facts once, whatever the statistics say: no join of two sets is a nested loop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tabiji_analytics.adapters.from_facts import PLANNER, query
from tabiji_analytics.domain.catalog import VIEWS
from tests.integration.analytics.test_drift import LIFE
from tests.integration.analytics.yard import Yard

# What is made anew for each row, and has a handful of rows: that is no join of two sets.
SMALL = {"Function Scan", "Values Scan", "Result", "Append", "ProjectSet"}


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def quadratic(plan: dict[str, Any]) -> list[str]:
    """What nested loops run over for each row of their outer side, where it is a set."""
    joins = [node for node in nodes(plan) if node["Node Type"] == "Nested Loop"]
    sides = [[part for part in join["Plans"] if part["Parent Relationship"] in ("Outer", "Inner")] for join in joins]
    return [side["Node Type"] for pair in sides for side in pair if not any(made_of(part) in SMALL for part in pair)]


def made_of(plan: dict[str, Any]) -> str:
    """The node's type, or of what it keeps in memory."""
    return made_of(plan["Plans"][0]) if plan["Node Type"] == "Materialize" else str(plan["Node Type"])


async def plan(yard: Yard, view: str, settings: str) -> dict[str, Any]:
    async with yard.patient.acquire() as connection, connection.transaction():
        await connection.execute(settings)
        [[told]] = await connection.fetch(f"EXPLAIN (FORMAT JSON) {query(view)}", ["UTC", "Asia/Tokyo"], None)
    [found] = json.loads(told)
    return dict(found["Plan"])


@pytest.mark.parametrize("view", VIEWS)
async def test_facts_are_not_joined_row_by_row(yard: Yard, view: str) -> None:
    await yard.feed(LIFE)
    assert not quadratic(await plan(yard, view, PLANNER))


async def test_left_to_its_statistics_the_planner_does_so(yard: Yard) -> None:
    await yard.feed(LIFE)
    await yard.patient.execute("ANALYZE")
    assert any([quadratic(await plan(yard, view, "SELECT 1")) for view in VIEWS])
