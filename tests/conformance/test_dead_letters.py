"""A dead letter that is replayed is applied once, however often it is asked for, whatever happened meanwhile."""

import asyncio
import signal
from typing import Any

import pytest
from msgspec import structs

from tabiji_common.clock import LiveClock
from tabiji_common.commands import Replay, Unpark
from tabiji_common.kafka.dead_letters import FORGOTTEN, ID_REUSED
from tabiji_common.topics import CUSTOM, JOURNEY_COMMANDS, PURCHASES, Record
from tests.conformance.harness import START, Yard
from tests.conformance.harness import event as event_of_then
from tests.conformance.toy import SHOUTED

MENDED = {"TOY_MENDED": "1"}
NOW = LiveClock().now()


def event(n: int, customer: str, topic: Any = CUSTOM, **properties: Any) -> Record[Any]:
    """One that the inbox still remembers."""
    return structs.replace(event_of_then(n, customer, topic, **properties), occurred_at=NOW, accepted_at=NOW)


def command(body: Any, id_: str) -> Record[Any]:
    return JOURNEY_COMMANDS.record(body, id=id_, source="test", occurred_at=START, accepted_at=START)


def replay(letter: str, attempt: int, id_: str = "") -> Record[Any]:
    body = Replay(workspace="w", customer="mine", dead_letter=letter, attempt=attempt)
    return command(body, id_ or f"replay {letter} {attempt}")


def unreadable(n: int) -> Record[Any]:
    return structs.replace(event(n, "mine", PURCHASES), type=SHOUTED)


def refused(n: int) -> Record[Any]:
    return event(n, "mine", PURCHASES, refuse=True)


async def letters(toys: Yard) -> list[tuple[str, int, str]]:
    rows = await toys.rows("SELECT state, attempts, reason FROM dead_letter ORDER BY died_at, letter")
    return [(row["state"], row["attempts"], row["reason"]) for row in rows]


async def letter_of(toys: Yard) -> str:
    [row] = await toys.rows("SELECT letter FROM dead_letter")
    return str(row["letter"])


async def applied(toys: Yard) -> list[str]:
    return [row["id"] for row in await toys.rows("SELECT id FROM applied WHERE key = 'w:mine' ORDER BY seq")]


async def dead(toys: Yard, poison: Record[Any]) -> str:
    """A toy that cannot apply ``poison`` has put it aside, and is stopped."""
    toy = toys.start()
    await toys.send([event(1, "mine"), poison, event(3, "mine")])
    await toys.settle()
    await asyncio.to_thread(toy.stop)
    return await letter_of(toys)


@pytest.mark.parametrize(
    ("poison", "reason", "inbox"),
    [
        (unreadable(2), "unknown type", "yes"),
        (refused(2), "refused by the fold", "yes"),
        (unreadable(2), "unknown type", ""),
    ],
    ids=["it cannot be read", "the fold refuses it", "without an inbox"],
)
def test_a_replay_is_one_replay_and_before_the_cause_is_mended_changes_nothing(
    toys: Yard, poison: Record[Any], reason: str, inbox: str
) -> None:
    async def story() -> None:
        toy = toys.start(TOY_INBOX=inbox)
        await toys.send([event(1, "mine"), poison, event(3, "mine")])
        await toys.settle()
        letter = await letter_of(toys)
        await toys.send([replay(letter, 0), replay(letter, 0, "asked twice at once")])
        await toys.settle()
        [(state, attempts, why)] = await letters(toys)
        assert (state, attempts) == ("dead", 1)
        assert reason in why
        await asyncio.to_thread(toy.stop)

        toys.start(TOY_INBOX=inbox, **MENDED)
        await toys.send([replay(letter, 0, "of an attempt that was made")])
        await toys.settle()
        assert sorted(await applied(toys)) == ["e1", "e3"]
        await toys.send([replay(letter, 1), replay(letter, 1), replay(letter, 1, "by somebody else")])
        await toys.settle()
        await toys.send([replay(letter, 2, "once more"), replay(letter, 1, "late")])
        await toys.settle()
        assert sorted(await applied(toys)) == ["e1", "e2", "e3"]
        assert [(state, attempts) for state, attempts, _ in await letters(toys)] == [("replayed", 2)]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("poison", "together"), [(unreadable(2), True), (refused(2), False)], ids=["in one batch", "one after the other"]
)
def test_one_that_was_applied_meanwhile_is_not_applied_again(toys: Yard, poison: Record[Any], together: bool) -> None:
    """The shop sent the event again once the cause was mended."""

    async def story() -> None:
        letter = await dead(toys, poison)
        if together:
            await toys.send([poison, replay(letter, 0)])
            toys.start(**MENDED)
        else:
            toys.start(**MENDED)
            await toys.send([poison])
            await toys.settle()
            await toys.send([replay(letter, 0)])
        await toys.settle()
        assert sorted(await applied(toys)) == ["e1", "e2", "e3"]
        [(state, attempts, _)] = await letters(toys)
        # of two in one batch either may be the first
        assert state in ({"repeat", "replayed"} if together else {"repeat"})
        assert attempts == 1

    asyncio.run(story())


@pytest.mark.parametrize("point", ["runtime.turn.before_commit", "runtime.turn.after_commit"])
def test_killed_in_the_middle_of_a_replay_it_is_applied_once(toys: Yard, point: str) -> None:
    async def story() -> None:
        letter = await dead(toys, unreadable(2))
        await toys.send([replay(letter, 0)])
        doomed = toys.start(failpoints=f"{point}=kill@1", **MENDED)
        await asyncio.to_thread(doomed.process.wait, 120)
        assert doomed.process.returncode == -signal.SIGKILL
        await toys.send([replay(letter, 0, "asked again, for nobody answered")])
        toys.start(**MENDED)
        await toys.settle()
        assert await applied(toys) == ["e1", "e3", "e2"]
        assert [(state, attempts) for state, attempts, _ in await letters(toys)] == [("replayed", 1)]

    asyncio.run(story())


def test_of_a_customer_who_is_parked_it_waits_in_the_queue(toys: Yard) -> None:
    async def story() -> None:
        letter = await dead(toys, unreadable(2))
        toy = toys.start()
        await toys.send([event(4, "mine", PURCHASES, boom=True)])
        await toys.settle()
        await asyncio.to_thread(toy.stop)
        toys.start(**MENDED)
        await toys.send([replay(letter, 0)])
        await toys.settle()
        assert await applied(toys) == ["e1", "e3"]
        await toys.send([command(Unpark(workspace="w", customer="mine"), "u1"), replay(letter, 1, "once more")])
        await toys.settle()
        assert await applied(toys) == ["e1", "e3", "e4", "e2"]

    asyncio.run(story())


def test_what_the_inbox_may_have_forgotten_is_not_applied(toys: Yard) -> None:
    async def story() -> None:
        letter = await dead(toys, unreadable(2))
        await toys.rows("UPDATE dead_letter SET day = '2025-11-01' RETURNING letter")
        toys.start(**MENDED)
        await toys.send([replay(letter, 0)])
        await toys.settle()
        assert await applied(toys) == ["e1", "e3"]
        assert [why for _, _, why in await letters(toys)] == [FORGOTTEN]

    asyncio.run(story())


def test_another_body_under_an_id_that_was_applied_stays_dead(toys: Yard) -> None:
    async def story() -> None:
        letter = await dead(toys, structs.replace(event(2, "mine"), id="e1"))
        toys.start(**MENDED)
        await toys.send([replay(letter, 0)])
        await toys.settle()
        assert await applied(toys) == ["e1", "e3"]
        assert await letters(toys) == [("dead", 1, ID_REUSED)]

    asyncio.run(story())
