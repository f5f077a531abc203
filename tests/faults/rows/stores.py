"""Rows about the log and the database under us: killed, cut, refusing."""

import asyncio
from typing import Any

from tests.conformance.harness import load, until
from tests.conformance.test_outages import BARE, cut_log, halts_saying, lose_answers
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
        return figures(await toys.compare(made.sent), times, **{"recovery s": max(recovered), "processes ended": dead})


async def progress(toys: Any) -> float:
    """Seconds until more is applied than now."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    before = (await toys.rows("SELECT max(seq) AS n FROM applied"))[0]["n"] or 0
    while ((await toys.rows("SELECT max(seq) AS n FROM applied"))[0]["n"] or 0) <= before:
        assert loop.time() < begun + 60, "nothing more was applied"
        await asyncio.sleep(0.05)
    return loop.time() - begun


@row(5, runs=10, note="one broker, killed twice a run; three brokers below")
async def broker_killed(place: Ground, seed: int) -> Figures:
    """One broker, killed and started under load. With an inbox: an append whose ack was lost is in the log twice."""
    return await strike(place, place.kafka, 2)


@row(12, runs=12, note="4 kills a run, each fourth run cuts the wire at COMMIT instead")
async def database_killed(place: Ground, seed: int) -> Figures:
    """PostgreSQL is killed under load, or its answers of COMMIT are lost; no inbox, so a redo would show."""
    if seed % 4 < 3:
        return await strike(place, place.postgres, 4, **BARE)
    async with place.toys() as toys:
        await lose_answers(toys)
        applied = await toys.rows("SELECT count(*) AS n FROM applied")
        return Figures(4, applied[0]["n"])


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
