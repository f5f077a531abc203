"""The operator key that suites show to processes which they start."""

import asyncio

from tabiji_common import operators
from tabiji_common.clock import LiveClock
from tabiji_common.operators import Scope
from tabiji_common.postgres import connect_pool

KEY = "tabiji_op_of_the_suites"
NAME = "suite"
BEARER = {"Authorization": f"Bearer {KEY}"}


async def let_in(dsn: str, key: str = KEY, name: str = NAME, scope: Scope = "admin") -> None:
    """Let the key into an installation; its services may start later."""
    async with await connect_pool(dsn, "installation", size=1) as pool:
        await operators.prepare(pool)
        await operators.let_in(pool, key, name, scope, LiveClock().wall())


def let_in_now(dsn: str) -> None:
    """The same, from code without an event loop."""
    asyncio.run(let_in(dsn))
