"""Rows about the log and the database under us: killed, cut, refusing."""

import asyncio
import os
import signal
from typing import Any

import asyncpg

from tests.conformance.cutter import cutter
from tests.conformance.harness import load, until
from tests.conformance.test_outages import BARE, cut_log, halts_saying, mentions
from tests.conformance.traffic import traffic
from tests.faults.ground import Ground
from tests.faults.rows.runtime import figures
from tests.faults.suite import Figures, row


async def strike(place: Ground, server: Any, times: int, **environment: str) -> Figures:
    """Kill a server again and again under load; recovery is from its start until something more is applied."""
    async with place.toys() as toys:
        recovered = []
        async with traffic(toys, every=0.02) as made:
            members = [toys.start(**environment) for _ in range(2)]
            await until(lambda: all(toy.owned for toy in members), "they did not start")
            for _ in range(times):
                await asyncio.sleep(0.7)
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
                recovered.append(await progress(toys))
        await toys.settle()
        dead = sum(not toy.alive for toy in members)
        found = await toys.compare(made.sent, inbox="TOY_INBOX" not in environment)
        return figures(found, times, **{"recovery s": max(recovered), "processes ended": dead})


async def progress(toys: Any) -> float:
    """Seconds until more is applied than now."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    before = (await toys.rows("SELECT max(seq) AS n FROM applied"))[0]["n"] or 0
    while ((await toys.rows("SELECT max(seq) AS n FROM applied"))[0]["n"] or 0) <= before:
        assert loop.time() < begun + 60, "nothing more was applied"
        await asyncio.sleep(0.05)
    return loop.time() - begun


@row(
    12,
    runs=12,
    note="4 kills a run, each fourth cuts the wire at COMMIT instead; two that met too few are left out",
)
async def database_killed(place: Ground, seed: int) -> Figures:
    """PostgreSQL is killed under load, or its answers of COMMIT are lost; no inbox, so a redo would show."""
    if seed % 4 < 3:
        return await strike(place, place.postgres, 4, **BARE)
    return await answers_lost(place)


async def answers_lost(place: Ground) -> Figures:
    """The wire is cut at COMMIT by turns before the server has it and after; on a busy machine not every cut is met."""
    async with place.toys() as toys:
        async with cutter(toys.settings.postgres_dsn) as (wire, dsn), traffic(toys, every=0.02) as made:
            toy = toys.start(TABIJI_POSTGRES_DSN=dsn, **BARE)
            await until(lambda: bool(toy.owned), "it did not start")
            for when in ["after", "before"] * 5:
                await wire.cut(when)
                await asyncio.sleep(0.4)
            made.ending = True
            await toys.settle()
        found = await toys.compare(made.sent, inbox=False)
        read_back = mentions(toy, "commit_found") + mentions(toy, "the transaction was not committed")
        return figures(found, len(wire.cuts), **{"commits asked after": read_back})


@row(11, runs=10, at_once=2)
async def log_truncated(place: Ground, seed: int) -> Figures:
    """Records are deleted that were not applied yet, while the process is down: it refuses to start, loudly."""
    async with place.toys() as toys:
        sent = load(600)
        await toys.send(sent[: 100 + 10 * seed])
        toy = toys.start()
        await toys.settle()
        await asyncio.to_thread(toy.stop)
        await toys.send(sent[200:])
        await cut_log(toys)
        again = toys.start()
        await halts_saying(toys, again, "the log was cut or replaced, and nothing is skipped silently")
        return Figures(events=600, other={"silent skips": 0})


ERRORS = ("40001", "40P01", "55P03", "53300", "57014", "53400")
SAYS_NO = """
CREATE SEQUENCE chance;
CREATE FUNCTION say_no() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE n bigint := nextval('chance'); codes text[] := ARRAY[{codes}];
BEGIN
    IF n % 3 = 0 THEN RAISE EXCEPTION 'planted' USING ERRCODE = codes[1 + (n / 3) % {count}]; END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER say_no BEFORE INSERT ON tally FOR EACH STATEMENT EXECUTE FUNCTION say_no();
"""


@row(
    15,
    runs=6,
    at_once=2,
    note="the server itself raises the codes, in a third of all turns; locks and ended sessions are real",
)
async def database_says_no(place: Ground, seed: int) -> Figures:
    """Serialization failures, deadlocks, lock timeouts, no connections left, cancels; a long lock; sessions ended."""
    async with place.toys() as toys, traffic(toys, every=0.05) as made:
        toy = toys.start(**BARE)
        await until(lambda: bool(toy.owned), "it did not start")
        codes = ", ".join(f"'{code}'" for code in ERRORS)
        await execute(toys, SAYS_NO.format(codes=codes, count=len(ERRORS)))
        await asyncio.sleep(3)
        await lock_for(toys, 4.5)
        for _ in range(4):
            await toys.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tabiji-toy'"
            )
            await asyncio.sleep(0.4)
        said = (await toys.rows("SELECT last_value AS n FROM chance"))[0]["n"] // 3
        await toys.rows("DROP TRIGGER say_no ON tally")
        made.ending = True
        await toys.settle(120)
        dead = sum(
            [len(await toys.published(f"{topic}.toy.dlq")) for topic in ("events.custom.v1", "events.purchase.v1")]
        )
        parked = len(await toys.rows("SELECT key FROM parked"))
        assert not dead + parked, f"{dead} dead letters, {parked} parked"
        return figures(await toys.compare(made.sent, inbox=False), said + 5, **{"false dead letters": dead})


async def execute(toys: Any, script: str) -> None:
    """Several statements."""
    connection = await asyncpg.connect(toys.settings.postgres_dsn, server_settings={"search_path": "toy"})
    try:
        await connection.execute(script)
    finally:
        await connection.close()


async def lock_for(toys: Any, seconds: float) -> None:
    """Somebody else holds the table for longer than a turn waits for a lock."""
    connection = await asyncpg.connect(toys.settings.postgres_dsn, server_settings={"search_path": "toy"})
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE tally IN ACCESS EXCLUSIVE MODE")
            await asyncio.sleep(seconds)
    finally:
        await connection.close()


@row(6, note="our loop blocked is SIGSTOP of the process")
async def broker_stopped(place: Ground, seed: int) -> Figures:
    """The broker, or one of two processes, is stopped under load and goes on; seconds until more is applied."""
    seconds = (5, 45, 120)[seed // 2 % 3]
    async with place.toys() as toys:
        async with traffic(toys, every=0.05) as made:
            members = [toys.start() for _ in range(2)]
            await until(lambda: all(toy.owned for toy in members), "they did not start")
            whom = place.kafka.pid if seed % 2 == 0 else members[0].process.pid
            os.kill(whom, signal.SIGSTOP)
            await asyncio.sleep(seconds)
            os.kill(whom, signal.SIGCONT)
            took = await progress(toys)
            await asyncio.sleep(2)
        await toys.settle(120)
        return figures(await toys.compare(made.sent), 1, **{"s to progress": took})
