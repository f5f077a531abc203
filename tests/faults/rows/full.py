"""Row 14: the disk under PostgreSQL is full, while events come in and mails want to leave."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import asyncpg
import httpx

from tests.faults.disk import SmallDisk, small_disk
from tests.faults.ground import Ground, threaded
from tests.faults.suite import Figures, row
from tests.faults.system import System

FULL = 5.0
"""Seconds without a byte."""


@row(14, runs=10, note="a tmpfs of 400 MB, full for 5 s; by turns under the tables, and until the WAL ends as well")
async def disk_full(place: Ground, seed: int) -> Figures:
    """The whole system, mails waiting to leave: none leaves without a record, and afterwards all of it is done."""
    async with (
        threaded(small_disk()) as small,
        replace(place, postgres=small.server).system(dispatch={"TABIJI_LEASE": "3"}) as yard,
    ):
        await switch(yard, on=True)
        await yard.load("r0")
        await yard.settle()
        await asyncio.to_thread(small.fill)
        releasing = asyncio.create_task(switch(yard, on=False))
        loading = asyncio.create_task(yard.load(f"full{seed}", customers=48))
        await asyncio.sleep(FULL / 2)
        ended = await end_of_wal(small) if seed % 2 else 0
        await asyncio.sleep(FULL / 2)
        met = small.said_full()
        assert met, "the disk was never full"
        await asyncio.to_thread(small.free)
        begun = asyncio.get_running_loop().time()
        await asyncio.gather(loading, releasing)
        await yard.settle()
        took = asyncio.get_running_loop().time() - begun
        await yard.check()
        return Figures(
            events=len(yard.told),
            unknown=await unknown(yard),
            other={"writes refused": met, "WAL ended": ended, "s until all was done": took},
        )


async def switch(yard: System, *, on: bool) -> None:
    """Hold all mails, or let them go; asked until it is done, as a person would."""
    url, body = f"{yard.installation.url('dispatch')}/v1/switches", {"scope": "global", "on": on}
    while True:
        with suppress(httpx.TransportError):
            if (await yard.http.put(url, json=body)).status_code == httpx.codes.OK:
                return
        await asyncio.sleep(0.1)


async def end_of_wal(small: SmallDisk) -> int:
    """One segment after the other until there is no room for one, at which PostgreSQL gives up all sessions."""
    with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection = await asyncpg.connect(small.server.dsn())
        for _ in range(40):
            await connection.execute("SELECT pg_logical_emit_message(false, 'fault', 'x'), pg_switch_wal()")
        return 0
    return 1


async def unknown(yard: System) -> int:
    found = await yard.rows("SELECT count(*) AS n FROM dispatch.delivery WHERE state = 'unknown'")
    return int(found[0]["n"])
