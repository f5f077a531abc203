"""Whose value PostgreSQL refuses: that customer is parked, and the others go on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import asyncpg

from tabiji_common.errors import Refused, Retry
from tabiji_common.kafka import store
from tabiji_common.kafka.transact import Plan, Transactor, Written, rolled_back
from tabiji_common.postgres import is_data_error

BLAMELESS = 3  # times that a refused value without a culprit is tried again: a table may have changed meanwhile


async def commit(transactor: Transactor, pool: asyncpg.Pool[Any], plan: Plan, failures: int) -> Written:
    """Commit the plan, without the customers whose values PostgreSQL refuses.

    Raises what ``Transactor.commit`` does; where no single customer is to blame, ``Retry`` until ``failures`` says that
    this was tried often enough, and then ``Refused``. PostgreSQL's own text may quote values: it is told to nobody.
    """
    while True:
        try:
            return await transactor.commit(pool, plan)
        except asyncpg.PostgresError as error:
            if not is_data_error(error):
                raise
            key = await culprit(transactor, pool, plan)
            if key is None and failures < BLAMELESS:
                raise Retry(f"no customer's value alone: {rule(error)}") from None
            if key is None:
                raise Refused(f"no customer's value alone: {rule(error)}") from None
            plan.forced[key] = type(error).__name__


def rule(error: asyncpg.PostgresError) -> str:
    """What of an error may be told to anybody: its kind, and the names of what was broken."""
    names = {name: getattr(error, f"{name}_name", None) for name in ("schema", "table", "column", "constraint")}
    told = "".join(f", {name} {value}" for name, value in names.items() if value)
    return f"{type(error).__name__}, SQLSTATE {getattr(error, 'sqlstate', None)}{told}"


async def culprit(transactor: Transactor, pool: asyncpg.Pool[Any], plan: Plan) -> str | None:
    """The customer whose records or timers PostgreSQL refuses: halves the turn in transactions that are rolled back.

    ``None`` where it refuses without any customer too, or no single customer's alone.
    """
    keys = sorted(({record.key for record in plan.turn.records} | plan.turn.asked) - set(plan.forced))
    if await _refused(transactor, pool, plan, []):
        return None
    while len(keys) > 1:
        half = keys[: len(keys) // 2]
        keys = half if await _refused(transactor, pool, plan, half) else keys[len(half) :]
    return keys[0] if keys and await _refused(transactor, pool, plan, keys) else None


async def _refused(transactor: Transactor, pool: asyncpg.Pool[Any], plan: Plan, keys: list[str]) -> bool:
    """Whether a turn of these customers alone would be refused."""
    only = frozenset(keys)
    records = [record for record in plan.turn.records if record.key in only]
    part = replace(plan, turn=replace(plan.turn, records=records, only=only, asked=set()), moves={}, acked=[])
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            mark = await store.mark(connection, transactor.group, plan.epochs)
            await transactor.write(connection, part, mark.turn)
        except asyncpg.PostgresError as error:
            if is_data_error(error):
                return True
            raise
        finally:
            await rolled_back(transaction)
    return False
