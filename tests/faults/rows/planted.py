"""Row 40: bugs that others have shipped, planted one at a time; the suite has to catch each."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from tabiji_dispatch.__main__ import MIGRATIONS
from tests.conformance.test_planted import CASES
from tests.faults.ground import Ground, schema
from tests.faults.rows.dispatch import counted
from tests.faults.rows.lives import Hasty, examples
from tests.faults.suite import Figures, row
from tests.integration.dispatch import crasher, keyless, planted, resending
from tests.integration.dispatch.receiver import Receiver
from tests.integration.dispatch.sink import Sink
from tests.integration.dispatch.test_crashes import crash

LEDGERS = (planted, keyless, resending)


@row(40, runs=1, seconds=1800)
async def planted_bugs(place: Ground, seed: int) -> Figures:
    """Each bug's story has to end in a complaint of the checker that is meant for it."""
    missed = [bug for bug in CASES if not await within_three(partial(caught_by_toys, place, bug))]
    missed += [one.__name__ for one in LEDGERS if not await within_three(partial(caught_by_ledger, place, one))]
    missed += [] if await caught_by_lives(place) else [Hasty.__name__]
    count = len(CASES) + len(LEDGERS) + 1
    assert not missed, f"not caught: {missed}"
    return Figures(count, other={"planted": count, "caught": count - len(missed)})


async def within_three(told: Callable[[], Awaitable[bool]]) -> bool:
    """Whether a story that has to meet a moment met it in one of three tries."""
    for _ in range(3):
        if await told():
            return True
    return False


async def caught_by_toys(place: Ground, bug: str) -> bool:
    """A runtime with the bug."""
    story, complaint = CASES[bug]
    async with place.toys() as toys:
        try:
            await story(toys)
        except AssertionError as error:
            return bool(re.search(complaint, str(error)))
    return False


async def caught_by_ledger(place: Ground, module: Any) -> bool:
    """A delivery pipeline with the bug, killed after some sends; the ledger of the mail server has to show it."""
    async with place.plot() as (dsn, _, folder), Sink() as sink, Receiver() as receiver:
        async with schema(dsn, "dispatch", MIGRATIONS) as pool:
            await spoil(pool, module)
            point = "" if module is keyless else "dispatch.send.after=kill@5"  # without a key, reading again is enough
            await crash(dsn, sink, receiver, 0, point, folder / "hits", module.__name__)
            await crash(dsn, sink, receiver, 1, "", folder / "hits", again(module))
            rows = {row["message_key"]: row["state"] for row in await pool.fetch("SELECT * FROM delivery")}
        return counted(rows, sink, receiver, 1).doubled > 0


async def caught_by_lives(place: Ground) -> bool:
    """A runtime whose timers do not wait for the log; random lives have to meet one who is treated wrongly."""
    async with place.plot() as (dsn, _, _):
        try:
            await asyncio.to_thread(examples, dsn, 0, Hasty, 40, shrink=False)
        except AssertionError:
            return True
    return False


async def spoil(pool: Any, module: Any) -> None:
    """What the bug needs of the database beside its code."""
    await pool.execute("CREATE TABLE said (key text, state text, id text)")
    for statement in getattr(module, "SPOILT", ()):
        await pool.execute(statement)


def again(module: Any) -> str:
    """Who comes after the crash: the bug is in the code, so the successor has it as well."""
    return crasher.__name__ if module is planted else str(module.__name__)
