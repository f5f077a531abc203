"""Row 5: brokers that die, one alone and the leader among three."""

import asyncio
import os
import signal
from typing import Any

from tabiji_common.topics import PURCHASES
from tests.conformance.harness import until
from tests.conformance.traffic import traffic
from tests.faults.ground import Ground
from tests.faults.rows.runtime import figures
from tests.faults.rows.stores import progress, strike
from tests.faults.suite import Figures, row

BEHIND = 0.5
"""Seconds that followers stand still before their leader dies: less than the controller takes for a death."""


@row(5, runs=20, note="a kill -9 each; by turns one broker alone, twice, and the leader among three, once a run")
async def broker_killed(place: Ground, seed: int) -> Figures:
    """Under load. With an inbox: an append whose ack was lost is in the log twice."""
    if seed % 2:
        return await leader_killed(await place.of_three(), seed // 2)
    return await strike(place, place.kafka, 2)


async def leader_killed(place: Ground, seed: int) -> Figures:
    """The leader of one partition dies while its followers are behind; they have to go on without it.

    An ack that the leader gave alone would be lost. Nobody waits for the dead: until more is applied is an election.
    """
    trio: Any = place.kafka
    async with place.toys() as toys:
        topic = toys.settings.topic_prefix + PURCHASES.name
        async with traffic(toys, every=0.02) as made:
            members = [toys.start() for _ in range(2)]
            await until(lambda: all(toy.owned for toy in members), "they did not start")
            await asyncio.sleep(0.7)
            dying = trio.brokers[await trio.leader(topic, seed % toys.settings.partitions)]
            await killed_ahead(trio, dying)
            recovered = await progress(toys)
            acked = len(made.sent)
            await until(lambda: len(made.sent) > acked + 100, "nothing is acked by two of three")
            await asyncio.to_thread(dying.start)
            await whole(trio, topic)
        await toys.settle()
        dead = sum(not toy.alive for toy in members)
        found = await toys.compare(made.sent)
        return figures(found, 1, **{"s to go on without the leader": recovered, "processes ended": dead})


async def killed_ahead(trio: Any, leader: Any) -> None:
    """The followers are stopped, the leader takes what it is given for a moment and is killed, they go on."""
    followers = [broker.pid for broker in trio.brokers.values() if broker is not leader]
    for pid in followers:
        os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(BEHIND)
    await asyncio.to_thread(leader.kill)
    for pid in followers:
        os.kill(pid, signal.SIGCONT)


async def whole(trio: Any, topic: str) -> None:
    """Until all replicas are in sync: the next run's leader must not be the last one that knows."""
    async with asyncio.timeout(60):
        while not await trio.whole(topic):
            await asyncio.sleep(0.1)
