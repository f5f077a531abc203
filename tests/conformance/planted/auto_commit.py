"""Planted: offsets are saved before the events are applied, in a transaction of their own, as auto commit does."""

from dataclasses import replace
from typing import Any

from tabiji_common.kafka import store
from tabiji_common.kafka.transact import Plan, Transactor, Written
from tests.conformance import toy

commit = Transactor.commit


async def commit_offsets_first(self: Transactor, pool: Any, plan: Plan) -> Written:
    async with pool.acquire() as connection, connection.transaction():
        await store.move_offsets(connection, self.group, self.cluster, plan.moves)
    return await commit(self, pool, replace(plan, moves={}))


def main() -> None:
    Transactor.commit = commit_offsets_first  # type: ignore[method-assign]
    toy.main()
