"""SIGKILL at every registered failpoint of every service, under load, in one long-lived system.

In a round each service has its next point, and dies there. After it everything is settled and every ledger checked.
A failpoint that is registered and never hit fails the run.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from tests.faults.system import System, system
from tests.faults.test_desk_points import DESK_POINTS

RUNTIME = (
    "runtime.turn.before_commit",
    "runtime.turn.in_commit",
    "runtime.turn.after_commit",
    "runtime.publish.before",
    "runtime.publish.before_mark",
)
PRODUCER = "producer.append.acked_some"
ELSEWHERE = {
    "stateless.commit.before": "no service of the four is without state: tests/conformance/test_stateless.py",
    "journey.handover.decided": "needs a visitor: tests/integration/journey",
    "dispatch.reap.before_commit": "needs an unknown outcome first: its own round below",
    **dict.fromkeys(DESK_POINTS, "no load leads there: tests/faults/test_desk_points.py"),
    "runtime.inbox.created": "upkeep runs on the live clock only: tests/conformance/test_crashes.py",
    "runtime.inbox.dropped": "as above",
    "runtime.restore.released": "the database has to be another one: tests/conformance/test_went_back.py",
}
TAKE = "runtime.take.bumped"
FINISH = ("runtime.finish.before_commit", "runtime.finish.after_commit")
OWNERS = {"journey": FINISH, "analytics": (), "dispatch": FINISH}  # analytics has next to nothing to publish
POINTS = {
    "ingest": ("ingest.append.before", "ingest.answer.before", PRODUCER),
    "journey": ("runtime.turn.before_begin", *RUNTIME, PRODUCER, "journey.turn.written"),
    "analytics": (*RUNTIME[:3], "analytics.facts.written", "analytics.cells.written"),
    "dispatch": (
        *RUNTIME[2:],
        "dispatch.insert.before_commit",
        "dispatch.insert.after",
        "dispatch.claim.before_commit",
        "dispatch.claim.after_intent",
        "dispatch.send.before",
        "dispatch.send.after",
        "dispatch.settle.before",
        "dispatch.settle.before_commit",
        "dispatch.settle.after",
        "dispatch.announce.before_commit",
    ),
}
PAIRS = [(service, point) for service, points in POINTS.items() for point in points]


def rounds(*services: str) -> list[dict[str, str]]:
    """The next point of each of ``services``, until all have been."""
    turns = zip_longest(*(POINTS[service] for service in services))
    return [{service: point for service, point in zip(services, turn, strict=True) if point} for turn in turns]


def registry() -> set[str]:
    """Every failpoint of every service, as the command lists them."""
    listed = subprocess.run(
        [sys.executable, "-m", "tabiji_cli", "failpoints"], capture_output=True, text=True, check=True, env=os.environ
    )
    return {word for line in listed.stdout.splitlines() for word in line.split()[:1] if "." in word}


async def kill_round(yard: System, points: dict[str, str], number: int) -> None:
    """Arm each service's point, load, see them die and come back, settle, check."""
    before = {service: yard.supervisor.restarts(service) for service in points}
    for service, point in points.items():
        await yard.arm(service, point)
    await yard.load(f"r{number}")
    for service, point in points.items():
        assert await yard.died(service, before[service]), f"{service} was never at {point}"
    await settled(yard, *points.values())


def times(yard: System, point: str) -> int:
    """How often a process was killed at ``point``."""
    lines = yard.hits.read_text().splitlines() if yard.hits.exists() else []
    return sum(line.startswith(f"{point} kill") for line in lines)


async def settled(yard: System, *points: str) -> None:
    """Settle and check; somebody was killed at each of ``points``."""
    await yard.settle()
    for point in points:
        yard.was_hit(point)
    await yard.check()


async def take_round(yard: System, service: str, number: int) -> None:
    """Another owner took every number and is gone again: who takes them back dies between its epochs and its offsets,
    under load.
    """
    before = yard.supervisor.restarts(service)
    await yard.arm(service, TAKE)
    loading = asyncio.create_task(yard.load(f"t{number}"))
    await yard.rows(f"UPDATE {service}.partition_owner SET epoch = epoch + 1")
    assert await yard.died(service, before), f"{service} was never at {TAKE}"
    await loading
    await settled(yard, TAKE)


async def stop_round(yard: System, service: str, point: str, number: int) -> None:
    """SIGTERM under load, and SIGKILL at ``point`` of the clean stop; a stop with nothing to mark does not count.

    What is acked is noted late, so that the stop finds some of it.
    """
    hits = times(yard, point)
    for attempt in range(12):
        before = yard.supervisor.restarts(service)
        await yard.arm(service, point, "kill@1;runtime.publish.before_mark=sleep:0.5")
        loading = asyncio.create_task(yard.load(f"s{number}x{attempt}"))
        until = time.monotonic() + 10  # its turns may lie well behind the load
        while time.monotonic() < until and not await yard.rows(f"SELECT FROM {service}.outbox WHERE NOT held LIMIT 1"):
            await asyncio.sleep(0.005)
        await asyncio.sleep(attempt % 4 / 10)  # acked by then, and not noted yet
        yard.supervisor.signal(service, signal.SIGTERM)
        assert await yard.died(service, before), f"{service} did not stop"
        await loading
        if times(yard, point) > hits:
            break
        await yard.settle()
    assert times(yard, point) > hits, f"{service} never stopped with anything to mark"
    await settled(yard, point)


@pytest.mark.timeout(1200)
def test_sigkill_at_every_failpoint(
    kafka: Any, postgres: Any, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    registered = registry()
    assert {point for _, point in PAIRS} | {TAKE, *FINISH} | set(ELSEWHERE) == registered

    async def story() -> None:
        async with system(
            kafka, postgres, database, topic_prefix, tmp_path, extra={"dispatch": {"TABIJI_LEASE": "3"}}
        ) as yard:
            await yard.load("r0")
            await yard.settle()
            await yard.check()
            for number, points in enumerate(rounds(*POINTS), 1):
                await kill_round(yard, points, number)
            for number, (service, finishing) in enumerate(OWNERS.items()):
                await take_round(yard, service, number)
                for point in finishing:
                    await stop_round(yard, service, point, number)
            before = yard.supervisor.restarts("dispatch")
            await yard.arm("dispatch", "dispatch.send.after")
            await yard.load("r98")
            assert await yard.died("dispatch", before)
            await kill_round(yard, {"dispatch": "dispatch.reap.before_commit"}, 99)  # what that left, a lease later
            for _ in range(3):
                await yard.next_tick()
            await yard.check()

    asyncio.run(story())
