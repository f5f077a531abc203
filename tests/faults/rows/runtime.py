"""Rows about owners: killed at each failpoint, stopped and woken late, replaced again and again, slow to commit."""

import asyncio
import time

from tests.conformance.harness import Toy, Yard, until
from tests.conformance.ledgers import Found
from tests.conformance.test_crashes import BARE, POINTS, STOPPED, kill_at, wake_late
from tests.conformance.test_members import shared_out
from tests.conformance.traffic import traffic
from tests.faults.ground import Ground
from tests.faults.suite import Figures, row
from tests.faults.test_crash_points import PAIRS, kill_round, registry, rounds


def figures(found: Found, faults: int = 1, **other: float) -> Figures:
    """What a yard's ledgers found."""
    return Figures(
        faults,
        found.events,
        found.lost + found.answers_lost + max(0, -found.miscounted),
        found.doubled + max(0, found.miscounted),
        found.inversions + found.answers_inverted,
        other=other,
    )


@row(
    8,
    runs=10,
    at_once=3,
    seconds=900,
    note="journey and analytics themselves in the tenth run and in make test, toys in each",
)
async def killed_at_each_failpoint(place: Ground, seed: int) -> Figures:
    """Every commit point of the runtime in a toy without an inbox; in the tenth run those of the services as well."""
    total = Figures(0)
    for point in POINTS:
        async with place.toys() as toys:
            await kill_at(toys, point)
            total.faults += 1
            total.events += 1200
    if seed == 9:
        await _services(place, total)
    return total


async def _services(place: Ground, total: Figures) -> None:
    services = ("journey", "analytics")
    killed = [point for service, point in PAIRS if service in services]
    async with place.system() as yard:
        for number, points in enumerate(rounds(*services), 1):
            await kill_round(yard, points, number)
        total.faults += len(killed)
        total.events += len(yard.told)
    total.other["service points hit"] = len(set(killed))
    total.other["registered in all services"] = len(registry() | set(killed) | set(POINTS))


@row(9, runs=12, at_once=3)
async def zombie(place: Ground, seed: int) -> Figures:
    """Stopped inside its transaction, before one, or with a batch to publish; woken after the takeover."""
    async with place.toys() as toys:
        await wake_late(toys, list(STOPPED.values())[seed % len(STOPPED)])
        applied = await toys.rows("SELECT count(*) AS n FROM applied")
        return Figures(events=applied[0]["n"])


@row(
    10,
    runs=10,
    at_once=2,
    note="5 restarts a run, 50 in all; two members of a toy service, one restart in five a SIGKILL",
)
async def rolling_restarts(place: Ground, seed: int) -> Figures:
    """Members are replaced one after the other under load; the longest pause is between two commits."""
    async with place.toys() as toys, traffic(toys, every=0.05) as made:
        members = [toys.start(**BARE), toys.start(**BARE)]
        await shared_out(toys)
        await asyncio.sleep(2)
        calm, since = len(made.sent) / 2, time.monotonic()
        before = len(made.sent)
        for n in range(5):
            members.append(toys.start(**BARE))
            leaving = members.pop(0)
            if n == seed % 5:
                leaving.kill()
            else:
                await asyncio.to_thread(leaving.stop)
            await shared_out(toys)
        stormy = (len(made.sent) - before) / (time.monotonic() - since)
        made.ending = True
        await toys.settle()
        share = 100 * stormy / max(calm, 1)
        pause = await longest_pause(toys)
        return figures(
            await toys.compare(made.sent, inbox=False), 5, **{"accepted % of calm": share, "longest pause s": pause}
        )


async def longest_pause(toys: Yard) -> float:
    """The longest that nothing was applied."""
    found = await toys.rows(
        "SELECT coalesce(max(extract(epoch FROM applied_at - before)), 0)::float AS s FROM (SELECT applied_at,"
        " lag(applied_at) OVER (ORDER BY applied_at) AS before FROM applied) a"
    )
    return float(found[0]["s"])


@row(16, runs=10, at_once=2)
async def slow_commits(place: Ground, seed: int) -> Figures:
    """Four writers, two of them slow to commit; one of the slow ones is killed with turns under way."""
    async with place.toys() as toys, traffic(toys, every=0.05) as made:
        slow = f"runtime.turn.before_commit=sleep:{0.1 + seed % 5 / 10}"
        members: list[Toy] = [toys.start(failpoints=slow if n % 2 else "", **BARE) for n in range(4)]
        await shared_out(toys)
        await asyncio.sleep(3)
        members[1].kill()
        await until(lambda: sum(len(toy.owned) for toy in members if toy.alive) == 4, "nobody took over", 30)
        await asyncio.sleep(2)
        made.ending = True
        await toys.settle()
        return figures(await toys.compare(made.sent, inbox=False))
