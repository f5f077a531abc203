"""A process that is stopped in the middle of a transaction, wherever that is, does not keep its numbers."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from tabiji_common.kafka import store
from tabiji_common.kafka.ownership import Ownership
from tests.conformance.conftest import Told

LONGEST = 60.0


async def stopped(there: asyncio.Event) -> AsyncIterator[tuple[Any, ...]]:
    """Rows that are never sent: the server has the COPY, and its client is stopped."""
    there.set()
    await asyncio.Event().wait()
    yield ()


async def take_over(pool: Any) -> None:
    epochs = await store.bump(pool, "toys", [0, 1])
    there = asyncio.Event()

    async def stop_in_mid_copy() -> None:
        async with pool.acquire() as connection, connection.transaction():
            await store.hold(connection, "toys", epochs)
            await connection.copy_records_to_table(  # who is stopped does not give up either
                "outbox", columns=["p", "epoch"], records=stopped(there), timeout=10 * LONGEST
            )

    old = asyncio.create_task(stop_in_mid_copy())
    await there.wait()
    parts: Any = SimpleNamespace(pool=pool)  # all that taking an epoch asks of it
    successor = Ownership("toys", parts, [])
    async with asyncio.timeout(LONGEST):
        while True:
            try:
                assert await successor.bump(frozenset({0, 1})) == {0: 2, 1: 2}
                break
            except asyncpg.LockNotAvailableError:
                continue
    old.cancel()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncio.CancelledError)):
        await old


def test_who_is_stopped_in_the_middle_of_a_copy_blocks_no_successor(told: Told) -> None:
    told(take_over)
