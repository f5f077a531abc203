"""Timers on the live clock: a leap fires nothing, a step back fires nothing twice, a backlog goes out evenly."""

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance.harness import Toy, Yard, event
from tests.operator import BEARER, let_in

HALF_AN_HOUR = 1800


class Clock:
    """Sets the toy's wall clock."""

    def __init__(self, toys: Yard) -> None:
        self.file = toys.home / "clock"
        self.set(0)

    def set(self, ahead: float) -> None:
        spare = Path(f"{self.file}.new")
        spare.write_text(str(ahead))
        spare.rename(self.file)


async def fired(toys: Yard) -> Counter[str]:
    """Customer -> how often its timer fired."""
    return Counter(row["key"] for row in await toys.rows("SELECT key FROM fired"))


async def fires(toys: Yard, *keys: str, seconds: float = 120) -> None:
    """Until exactly these have fired, each once."""
    deadline = time.monotonic() + seconds
    while await fired(toys) != Counter(f"w:{key}" for key in keys):
        assert time.monotonic() < deadline, await fired(toys)
        await asyncio.sleep(0.1)


async def rests(toys: Yard, *keys: str, seconds: float = 2.5) -> None:
    """For a while nothing else fires than what has."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert await fired(toys) == Counter(f"w:{key}" for key in keys)
        await asyncio.sleep(0.2)


async def gauge(toy: Toy) -> float:
    async with httpx.AsyncClient(timeout=60) as http:
        text = (await http.get(f"http://127.0.0.1:{toy.port}/metrics")).text
    line = next(line for line in text.splitlines() if line.startswith("tabiji_runtime_clock_leapt{"))
    return float(line.rpartition(" ")[2])


async def accept(toy: Toy) -> int:
    async with httpx.AsyncClient(headers=BEARER, timeout=60) as http:
        return (await http.post(f"http://127.0.0.1:{toy.port}/clock/accept")).status_code


@pytest.mark.parametrize("ending", ["it comes back", "it is accepted"])
def test_a_leap_forward_fires_nothing_until(toys: Yard, ending: str) -> None:
    async def story() -> None:
        clock = Clock(toys)
        await let_in(toys.settings.postgres_dsn)
        toy = toys.start(module="tests.conformance.leaping", TOY_CLOCK=str(clock.file))
        await toys.settle()
        sent = [event(0, "soon", timer=0.5), event(1, "later", timer=HALF_AN_HOUR)]
        await toys.send(sent)
        await fires(toys, "soon")
        assert await accept(toy) == 409
        clock.set(2 * HALF_AN_HOUR)
        sent += [event(2, "meanwhile", send=True), event(3, "meanwhile", timer=0.5)]
        await toys.send(sent[2:])
        await rests(toys, "soon")
        await toys.settle()
        await toys.check(sent)  # events, answers and sends go on
        assert await gauge(toy) == 1
        if ending == "it comes back":
            clock.set(0)
            await fires(toys, "soon", "meanwhile")
            await rests(toys, "soon", "meanwhile")
        else:
            assert await accept(toy) == 200
            await fires(toys, "soon", "meanwhile", "later")
        assert await gauge(toy) == 0

    asyncio.run(story())


def test_a_step_back_delays_and_fires_nothing_early_or_twice(toys: Yard) -> None:
    async def story() -> None:
        clock = Clock(toys)
        await let_in(toys.settings.postgres_dsn)
        toy = toys.start(module="tests.conformance.leaping", TOY_CLOCK=str(clock.file))
        await toys.settle()
        await toys.send([event(0, "before", timer=0.5), event(1, "waits", timer=2)])
        await fires(toys, "before", "waits")
        clock.set(-HALF_AN_HOUR)
        await toys.send([event(2, "fresh", timer=HALF_AN_HOUR / 2), event(3, "soon", timer=0.5)])
        await fires(toys, "before", "waits", "soon")
        await rests(toys, "before", "waits", "soon")
        assert await gauge(toy) == 0
        clock.set(0)  # back to the line it left is no leap
        await fires(toys, "before", "waits", "soon", "fresh")
        assert await gauge(toy) == 0

    asyncio.run(story())


def test_what_an_outage_kept_back_is_released_at_the_rate_that_is_set(toys: Yard) -> None:
    async def story() -> None:
        first = toys.start()
        await toys.settle()
        await asyncio.to_thread(first.stop)
        await toys.rows(
            "INSERT INTO timer (key, p, due_at, sour)"
            " SELECT 'w:c' || n, n % 4, now() - interval '1 hour', false FROM generate_series(1, 300) n"
        )
        toys.start(TABIJI_RELEASE_RATE="60")
        await fires(toys, *(f"c{n}" for n in range(1, 301)))
        moments: list[Any] = await toys.rows("SELECT extract(epoch FROM at)::float AS at FROM fired ORDER BY at")
        at = [row["at"] for row in moments]
        busiest = max(sum(start <= other < start + 1 for other in at) for start in at)
        assert busiest <= 3 * 60, "a second's worth may have been saved, one was on its way, and one comes in"
        assert at[-1] - at[0] > 300 / 60 - 2.5

    asyncio.run(story())


def test_of_timers_that_postgresql_refuses_only_that_customer_is_parked(toys: Yard) -> None:
    """The timer alone is at fault: the turn has no record of its customer."""

    async def story() -> None:
        toy = toys.start()
        await toys.settle()
        sent = [event(n, f"c{n}", timer=1.5, sour=n == 7) for n in range(20)]
        await toys.send(sent)
        await fires(toys, *(f"c{n}" for n in range(20) if n != 7))
        assert toy.alive
        parked = await toys.rows("SELECT key, error FROM parked")
        assert [(row["key"], row["error"]) for row in parked] == [("w:c7", "CharacterNotInRepertoireError")]
        more = [event(50, "c7"), event(51, "c8")]
        await toys.send(more)
        await toys.settle()
        await toys.check([*sent, more[1]])
        await rests(toys, *(f"c{n}" for n in range(20) if n != 7), seconds=1)
        assert toy.alive

    asyncio.run(story())
