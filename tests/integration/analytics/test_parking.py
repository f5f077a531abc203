"""Our own bug in one customer's fold parks that customer only; a bad value in SQL is the runtime's to bisect."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import asyncpg
import pytest

from tabiji_analytics.adapters import books
from tabiji_analytics.adapters.people import PostgresPeople
from tabiji_analytics.domain.facts import Who
from tabiji_analytics.pipeline import Projection
from tabiji_common.postgres import Connection
from tests.integration.analytics.test_messages_and_journeys import moved
from tests.integration.analytics.test_people import merged
from tests.integration.analytics.yard import Yard, order


class Buggy(PostgresPeople):
    """Fails, after it has written, where one customer is among those asked about."""

    async def merge(self, tx: Connection, merges: Mapping[Who, str]) -> set[Who]:
        new = await super().merge(tx, merges)
        if ("demo", "anon") in merges:
            raise KeyError("a bug")
        return new

    async def targets(self, tx: Connection, whos: Collection[Who]) -> dict[Who, str]:
        if ("demo", "poison") in whos:
            raise ZeroDivisionError
        return await super().targets(tx, whos)


class Broken(PostgresPeople):
    async def targets(self, tx: Connection, whos: Collection[Who]) -> dict[Who, str]:
        raise ZeroDivisionError


async def test_a_bug_parks_one_customer_and_leaves_its_state_as_it_was(yard: Yard) -> None:
    yard.projection = Projection(replace(books(), people=Buggy()))

    (applied,) = await yard.feed(
        [
            order("ann", "1", "2024-01-10", 100),
            order("poison", "2", "2024-01-10", 200),
            order("anon", "3", "2024-01-10", 300),
            merged("anon", "ann"),
            order("ann", "4", "2024-02-10", 400),
        ]
    )

    assert {key: error.split(".py:")[0] for key, error in applied.parked.items()} == {
        "demo:poison": "ZeroDivisionError at test_parking",
        "demo:anon": "KeyError at test_parking",
    }
    assert applied.records == []
    assert [row["sales_minor"] for row in await yard.view("new_vs_existing")] == [100, 400]
    assert await yard.pool.fetchval("SELECT count(*) FROM merged") == 0
    assert (await yard.drift()).differences == []
    assert yard.counts.facts["order"] == 2


async def test_a_bug_in_everybodys_fold_parks_nobody(yard: Yard) -> None:
    yard.projection = Projection(replace(books(), people=Broken()))

    with pytest.raises(ZeroDivisionError):
        await yard.feed([order("ann", "1", "2024-01-10"), order("bob", "2", "2024-01-10")])


async def test_a_value_that_the_database_refuses_escapes_for_the_runtime_to_bisect(yard: Yard) -> None:
    with pytest.raises(asyncpg.DataError):
        await yard.feed([order("ann", "1", "2024-01-10"), order("bob", "2\0", "2024-01-10")])
    with pytest.raises(asyncpg.DataError):
        await yard.feed([moved("entered", to_state="a\0")])

    assert await yard.pool.fetchval("SELECT count(*) FROM order_fact") == 0
