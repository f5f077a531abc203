"""Work that is done every hour, as long as the process lives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tabiji_common.clock_guard import Believed, ClockGuard
from tabiji_common.logs import logger
from tabiji_common.postgres import is_transient

log = logger(__name__)
EVERY = 3600.0  # seconds of machine time
AGAIN = 60.0


async def hourly(name: str, guard: ClockGuard, work: Callable[[Believed], Awaitable[bool]]) -> None:
    """Do ``work`` now and every hour; in a minute again where it says that something is left, or the database fails.

    Any other error ends it, and with it the process.
    """
    while True:
        done = False
        try:
            done = await work(guard.look())
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("hourly_work_retried", work=name, error=repr(error))
        await asyncio.sleep(EVERY if done else AGAIN)
