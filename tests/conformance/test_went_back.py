"""A database that is another one, or has lost what it had committed: events are applied anew, timers wait for a
person.
"""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest

from tests.conformance.harness import Toy, Yard, event, load, until
from tests.conformance.test_timers import fired, fires, rests
from tests.operator import BEARER, NAME, let_in

INBOX = ("inbox", "inbox_page_view")
TABLES = (
    *("partition_owner", "consumer_offset", *INBOX, "outbox", "parked", "parked_record"),
    *("tally", "applied", "timer", "fired"),
)


async def keep(toys: Yard) -> None:
    """What a standby has that lags from now on."""
    await toys.rows("CREATE SCHEMA standby")
    for table in TABLES:
        await toys.rows(f"CREATE TABLE standby.{table} AS TABLE {table}")


async def go_back(toys: Yard) -> None:
    """The standby takes over, under a living process: everything since is gone."""
    lines = [f"LOCK TABLE {', '.join(TABLES)} IN ACCESS EXCLUSIVE MODE"]
    for table in TABLES:
        lines += [f"DELETE FROM {table}", f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM standby.{table}"]
    block = "; ".join(lines)
    await toys.rows(f"DO $$ BEGIN {block}; END $$")


async def why(toy: Toy) -> str:
    async with httpx.AsyncClient(headers=BEARER, timeout=60) as http:
        return str((await http.get(f"http://127.0.0.1:{toy.port}/restore")).json()["why"])


async def release(toy: Toy) -> tuple[int, object]:
    async with httpx.AsyncClient(headers=BEARER, timeout=60) as http:
        answer = await http.post(f"http://127.0.0.1:{toy.port}/restore/release")
        return answer.status_code, answer.json()


async def held_until_released(toys: Yard, toy: Toy, reason: str, before: list[str]) -> None:
    """Timers stand still, after a restart too; the release is a person's."""
    await toys.send([event(9000, "held", timer=0.5)])
    await let_in(toys.settings.postgres_dsn)
    await toys.settle()
    assert reason in await why(toy)
    await rests(toys, *before)
    await asyncio.to_thread(toy.stop)
    again = toys.start()
    await toys.settle()
    assert reason in await why(again)
    await rests(toys, *before, seconds=1.5)
    assert await release(again) == (200, {"released": True})
    await fires(toys, *before, "held")
    assert await why(again) == ""
    released = await toys.rows("SELECT why, released_by FROM known_database")
    assert [tuple(row) for row in released] == [("", NAME)]


async def lose_turns(toys: Yard) -> list[str]:
    """A living owner's last turns."""
    toys.start()
    await toys.send([*load(200), event(8000, "early", timer=0.2)])
    await fires_after_settling(toys, "early")
    await keep(toys)
    await toys.send([*load(400, start=200), event(8001, "lost", timer=0.2)])
    await fires_after_settling(toys, "early", "lost")
    await go_back(toys)
    return ["early"]


async def lose_a_takeover(toys: Yard) -> list[str]:
    """An owner's epochs with all that it wrote under them."""
    first = toys.start()
    await toys.send([*load(200), event(8000, "early", timer=0.2)])
    await fires_after_settling(toys, "early")
    await asyncio.to_thread(first.stop)
    await keep(toys)
    toys.start()
    await toys.send([*load(400, start=200), event(8001, "lost", timer=0.2)])
    await fires_after_settling(toys, "early", "lost")
    await go_back(toys)
    return ["early"]


async def fires_after_settling(toys: Yard, *keys: str) -> None:
    await toys.settle()
    await fires(toys, *keys)


@pytest.mark.parametrize("lose", [lose_turns, lose_a_takeover])
def test_a_database_that_lost_turns_holds_timers_and_events_are_applied_anew(
    toys: Yard, lose: Callable[[Yard], Awaitable[list[str]]]
) -> None:
    async def story() -> None:
        before = await lose(toys)
        living = next(toy for toy in toys.toys if toy.alive)
        await until(lambda: "database_went_back" in living.log.read_text(), "nobody noticed")
        await toys.settle()
        assert set(await fired(toys)) == {"w:early"}, "a lost timer fired again without a person"
        await toys.check([*load(600), event(8000, "early"), event(8001, "lost")], anew=True)
        await held_until_released_with_lost(toys, living, before)

    asyncio.run(story())


async def held_until_released_with_lost(toys: Yard, toy: Toy, before: list[str]) -> None:
    """As above, where a timer that was lost is due again."""
    await let_in(toys.settings.postgres_dsn)
    assert "were committed" in await why(toy) or "was committed" in await why(toy)
    await rests(toys, *before)
    assert await release(toy) == (200, {"released": True})
    await fires(toys, *before, "lost")


def test_another_database_holds_timers_until_a_person_releases_them(toys: Yard) -> None:
    async def story() -> None:
        first = toys.start()
        await toys.settle()
        await toys.send([event(8000, "early", timer=0.2)])
        await fires(toys, "early")
        await asyncio.to_thread(first.stop)
        await toys.rows("UPDATE known_database SET timeline = timeline + 1")
        await let_in(toys.settings.postgres_dsn)
        doomed = toys.start(failpoints="runtime.restore.released=kill@1")
        await toys.settle()
        with pytest.raises(httpx.TransportError):
            await release(doomed)
        await asyncio.to_thread(doomed.process.wait)
        toy = toys.start()
        await toys.settle()
        await held_until_released(toys, toy, "timeline", ["early"])

    asyncio.run(story())
