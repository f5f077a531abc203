"""A value that PostgreSQL refuses, and no customer's alone: what stops the process names the rule, not the value."""

import asyncio
import traceback
from pathlib import Path
from typing import Any

import pytest

from tabiji_common.errors import Refused, Retry
from tabiji_common.kafka import blame, store
from tabiji_common.kafka.transact import Plan, Transactor
from tabiji_common.kafka.turn import Applied, Turn
from tabiji_common.postgres import Connection, connect_pool, migrate
from tests.conformance.harness import START

SECRET = "taro@example.jp"


class Careless:
    """Writes the same value whatever the turn holds."""

    async def apply(self, tx: Connection, turn: Turn) -> Applied:
        await tx.execute("INSERT INTO guarded (mail) VALUES ($1)", SECRET)
        return Applied()

    def committed(self, turn: Turn, applied: Applied) -> None: ...

    async def changed(self, owned: frozenset[int]) -> None: ...

    async def status(self, *_: Any) -> Any: ...


@pytest.mark.parametrize(("failures", "raised"), [(0, Retry), (blame.BLAMELESS, Refused)])
def test_no_value_is_told(database: str, failures: int, raised: type[Exception]) -> None:
    migrate(database, "toy", Path(__file__).parent / "toy_migrations")

    async def story() -> str:
        pool = await connect_pool(database, "toy")
        try:
            await pool.execute("CREATE TABLE guarded (mail text CONSTRAINT short CHECK (length(mail) < 5))")
            async with pool.acquire() as connection:
                epochs = await store.bump(connection, "toy", [0])
            turn = Turn([], START, frozenset({0}), {}, {}, "cluster")
            plan = Plan(turn, epochs, {}, [], lambda _: [], {})
            with pytest.raises(raised) as caught:
                await blame.commit(Transactor("toy", "cluster", 1, Careless(), inbox=frozenset()), pool, plan, failures)
            return "".join(traceback.format_exception(caught.value))
        finally:
            await pool.close()

    told = asyncio.run(story())
    assert SECRET not in told
    assert "CheckViolationError, SQLSTATE 23514, schema toy, table guarded, constraint short" in told
