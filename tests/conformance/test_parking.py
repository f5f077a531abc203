"""One customer's trouble stays its own: parked loudly, kept in order, replayed on command; dead letters say why."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import pytest
from msgspec import structs

from tabiji_common.commands import Unpark
from tabiji_common.kafka.client import Cluster
from tabiji_common.kafka.producer import Producer
from tabiji_common.topics import (
    JOURNEY_COMMANDS,
    PAGE_VIEWS,
    PURCHASES,
    SENDS,
    Headers,
    Record,
    Topic,
    partition_of,
)
from tests.conformance.harness import START, Toy, Yard, event, load, until


def unpark(customer: str, id_: str) -> Record[Any]:
    command = Unpark(workspace="w", customer=customer)
    return JOURNEY_COMMANDS.record(command, id=id_, source="test", occurred_at=START, accepted_at=START)


async def parked(toys: Yard) -> dict[str, tuple[str, int]]:
    """Customer key → (error, records that wait)."""
    rows = await toys.rows(
        "SELECT key, error, (SELECT count(*) FROM parked_record r WHERE r.key = k.key) FROM parked k"
    )
    return {row["key"]: (row["error"], row["count"]) for row in rows}


@pytest.mark.parametrize(("trouble", "error"), [("boom", "boom"), ("poison", "CharacterNotInRepertoireError")])
def test_a_customer_in_trouble_is_parked_and_replayed_in_order_on_command(toys: Yard, trouble: str, error: str) -> None:
    async def story() -> None:
        mine = [event(n, "mine", **({trouble: True} if n == 2002 else {})) for n in range(2000, 2010)]
        others = load(400)
        toy = toys.start()
        await toys.send(mine[:2])
        await toys.settle()
        await toys.send([*others[:200], *mine[2:6], *others[200:]])
        await toys.settle()
        await toys.check([*others, *mine[:2]])
        assert await parked(toys) == {"w:mine": (error, 4)}
        loud(toy, error)
        await asyncio.to_thread(toy.stop)

        # what comes next is read in one batch: an event, the command, and another event
        await toys.send(mine[6:9])
        await toys.send([unpark("mine", "u1")])
        await toys.send(mine[9:])
        toys.start(TOY_MENDED="1")
        await toys.settle()
        assert await parked(toys) == {}
        await toys.check([*others, *mine])

    asyncio.run(story())


BACKLOG = 60


@pytest.mark.parametrize("boom", [8, BACKLOG - 1], ids=["before its barrier has passed", "in the turn that passes it"])
def test_a_send_of_a_customer_who_is_parked_can_still_be_withdrawn_when_it_goes_on(toys: Yard, boom: int) -> None:
    """The send waits for its barrier behind a backlog; what withdraws it is in the queue."""

    async def story() -> None:
        p = partition_of("w:mine", 4)
        mates = [name for n in range(1000) if partition_of(f"w:{(name := f'c{n}')}", 4) == p]
        sent = [event(0, "mine", send=True), *(event(n, mates[n]) for n in range(1, BACKLOG))]
        sent[boom] = event(boom, "mine", boom="once")
        await toys.send(sent)
        toy = toys.start(TABIJI_POLL_RECORDS="5")
        await until(lambda: (idle := toy.idle() or {}).get("parked") == 1 and not idle["lag"], toys.logs)
        await asyncio.sleep(2)  # turns in which the barrier has passed
        sent.append(event(100, "mine", withdraw="e0"))
        await toys.send([sent[-1], unpark("mine", "u1")])
        await toys.settle()
        assert await toys.published(SENDS.name) == [], "it had been let go while its customer was parked"
        await toys.check(sent, answered=False)
        assert await toys.rows("SELECT FROM outbox WHERE held") == []

    asyncio.run(story())


def test_the_timer_of_a_customer_whose_record_is_refused_does_not_fire_in_the_turn_that_parks_it(toys: Yard) -> None:
    async def story() -> None:
        first = toys.start()
        await toys.send([event(0, "mine", timer=3600)])
        await toys.settle()
        await asyncio.to_thread(first.stop)
        await toys.send([event(1, "mine", poison=True)])
        await toys.rows("UPDATE timer SET due_at = now()")  # due after it came, and long before the next start's end
        toy = toys.start()
        await until(lambda: (toy.idle() or {}).get("parked") == 1, toys.logs)
        await asyncio.sleep(1.5)
        assert await toys.rows("SELECT key FROM fired") == []
        await asyncio.to_thread(toy.stop)
        await toys.send([unpark("mine", "u1")])
        toys.start(TOY_MENDED="1")
        await toys.settle()
        await until_fired(toys, "w:mine")

    asyncio.run(story())


async def until_fired(toys: Yard, key: str) -> None:
    for _ in range(600):
        if rows := await toys.rows("SELECT key FROM fired"):
            assert [row["key"] for row in rows] == [key]
            return
        await asyncio.sleep(0.1)
    raise AssertionError(toys.logs())


# Refuses four statements, whatever they hold: nextval is not rolled back. A try is one, and one looks for the culprit.
FOUR_TIMES = (
    "CREATE SEQUENCE tries",
    """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF nextval('tries') <= 4 THEN RAISE invalid_parameter_value; END IF; RETURN NULL; END $$
    """,
    "CREATE TRIGGER refuse BEFORE INSERT ON tally FOR EACH STATEMENT EXECUTE FUNCTION refuse()",
)


def test_a_refusal_that_is_no_customers_is_tried_again_and_nobody_is_parked(toys: Yard) -> None:
    async def story() -> None:
        first = toys.start()
        await toys.settle()
        await asyncio.to_thread(first.stop)
        for statement in FOUR_TIMES:
            await toys.rows(statement)
        toy = toys.start()
        sent = load(40)
        await toys.send(sent)
        await toys.settle()
        await toys.check(sent)
        assert await parked(toys) == {}
        assert toy.log.read_text().count(" alone: InvalidParameterValueError") == 2

    asyncio.run(story())


def loud(toy: Toy, error: str) -> None:
    assert (toy.idle() or {})["parked"] == 1
    assert f'"error": "{error}"' in toy.log.read_text()
    assert "customer_parked" in toy.log.read_text()


@pytest.mark.parametrize("trouble", ["boom", "poison"])
def test_unparked_before_it_is_mended_a_customer_is_parked_again_with_all_its_records(toys: Yard, trouble: str) -> None:
    async def story() -> None:
        mine = [event(n, "mine", **({trouble: True} if n == 0 else {})) for n in range(4)]
        toy = toys.start()
        await toys.send(mine)
        await toys.settle()
        await toys.send([unpark("mine", "u1"), event(50, "other")])
        await toys.settle()
        assert toy.alive
        assert [count for _, count in (await parked(toys)).values()] == [4]
        await asyncio.to_thread(toy.stop)
        toys.start(TOY_MENDED="1")
        await toys.send([unpark("mine", "u2")])
        await toys.settle()
        await toys.check([*mine, event(50, "other")])

    asyncio.run(story())


@dataclass
class Raw:
    """A record as no service of ours would write it."""

    topic: str
    key: str
    headers: Headers
    value: bytes


def spoilt(record: Record[Any], value: bytes | None = None, key: str | None = None, **headers: bytes | None) -> Raw:
    there = {**dict(record.headers()), **headers}
    kept = [(name, text) for name, text in there.items() if text is not None]
    return Raw(record.topic.name, key or record.key, kept, record.value() if value is None else value)


SPOILT: dict[str, tuple[Topic[Any], Raw, str]] = {
    "half a JSON text": (PURCHASES, spoilt(event(1, "a", PURCHASES), value=b'{"workspace": "w", '), "value: "),
    "a field of the wrong type": (
        PURCHASES,
        spoilt(event(2, "a", PURCHASES), value=b'{"workspace":"w","customer":"a","order_id":1}'),
        "value: Expected `str`, got `int` - at `$.order_id`",
    ),
    "a type of another topic": (PURCHASES, spoilt(event(3, "a", PAGE_VIEWS)), "unknown type"),
    "no time": (PAGE_VIEWS, spoilt(event(4, "a", PAGE_VIEWS), ce_time=None), "needs ce_type, ce_time"),
    "NUL in a header": (PAGE_VIEWS, spoilt(event(5, "a", PAGE_VIEWS), ce_source=b"te\0st"), "holds NUL"),
    "NUL in the key": (PAGE_VIEWS, spoilt(event(6, "a", PAGE_VIEWS), key="w:\0"), "holds NUL"),
    "no workspace": (PAGE_VIEWS, spoilt(event(7, "a", PAGE_VIEWS), key="a"), "workspace:customer"),
}


def test_a_record_that_cannot_be_read_is_dead_lettered_with_the_reason_and_its_customer_goes_on(toys: Yard) -> None:
    async def story() -> None:
        good = [event(n, "a", PURCHASES) for n in range(100, 110)]
        await toys.send(good[:5])
        producer = Producer(Cluster.of(toys.settings))
        await producer.append_encoded([replace(raw, topic=topic.name) for topic, raw, _ in SPOILT.values()])
        await producer.stop()
        await toys.send(good[5:])
        toys.start()
        await toys.settle()
        await toys.check(good)
        dead: dict[str, tuple[Topic[Any], str, bytes]] = {}
        for topic in {topic for topic, _, _ in SPOILT.values()}:
            for _, headers, value in await toys.published(f"{topic.name}.toy.dlq"):
                dead[headers["ce_id"]] = (topic, headers["reason"], value)
        for name, (topic, raw, reason) in SPOILT.items():
            where, why, value = dead[dict(raw.headers)["ce_id"].decode()]
            assert (where, value) == (topic, raw.value), name
            assert reason in why, name
        assert len(dead) == len(SPOILT)

    asyncio.run(story())


def test_an_id_that_comes_with_another_body_is_dead_lettered_and_never_dropped_silently(toys: Yard) -> None:
    async def story() -> None:
        first = event(1, "a")
        other = structs.replace(event(2, "a"), id=first.id, accepted_at=first.accepted_at)
        later = structs.replace(event(3, "a"), id=first.id, accepted_at=first.accepted_at)
        toys.start()
        await toys.send([first, other])  # in one batch
        await toys.settle()
        await toys.send([later])  # against the table
        await toys.settle()
        await toys.check([first])
        dead = await toys.published("events.custom.v1.toy.dlq")
        assert [value for _, _, value in dead] == [other.value(), later.value()]
        assert all(headers["reason"].startswith("id_reused") for _, headers, _ in dead)

    asyncio.run(story())


def test_the_same_id_with_the_same_body_is_dropped_in_one_batch_and_across_batches(toys: Yard) -> None:
    async def story() -> None:
        first = event(1, "a")
        toys.start()
        await toys.send([first, first])
        await toys.settle()
        await toys.send([first])
        await toys.settle()
        await toys.check([first])
        assert await toys.published("events.custom.v1.toy.dlq") == []

    asyncio.run(story())
