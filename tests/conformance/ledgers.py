"""What is read from outside the system: rows, the log, and the checker that compares both with what was sent."""

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from tabiji_common.settings import Settings
from tabiji_common.topics import Record


async def rows(settings: Settings, query: str, *arguments: Any) -> list[Any]:
    connection = await asyncpg.connect(settings.postgres_dsn, server_settings={"search_path": "toy"})
    try:
        return list(await connection.fetch(query, *arguments))
    finally:
        await connection.close()


async def published(settings: Settings, topic: str) -> list[tuple[str, dict[str, str], bytes]]:
    """(key, headers, value) of everything in ``topic``, in log order for each key."""
    name = settings.topic_prefix + topic
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=50
    )
    await consumer.start()
    try:
        places = [TopicPartition(name, p) for p in range(settings.partitions)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        await consumer.seek_to_beginning()
        found = []
        while any([await consumer.position(place) < ends[place] for place in places]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                for record in batch:
                    headers = {header: text.decode() for header, text in record.headers}
                    found.append((record.key.decode(), headers, record.value))
        return found
    finally:
        await consumer.stop()


@dataclass
class Found:
    """How far what was applied and answered is from what was sent; all zero is right."""

    events: int
    lost: int
    doubled: int
    inversions: int
    miscounted: int
    answers_lost: int
    answers_inverted: int


async def compare(
    settings: Settings, sent: list[Record[Any]], *, answered: bool = True, inbox: bool = True, anew: bool = False
) -> Found:
    """Every event applied once, in order of append for each customer and topic; every answer published, in order.

    Without an inbox an append whose ack was lost, and which the client tried again, is two records: each counts once.
    What was applied ``anew`` may have met the topics' records in another order than when it was answered at first:
    then answers are in order for each customer and topic.
    """
    applied = await rows(settings, "SELECT key, id, topic, position FROM applied ORDER BY seq")
    ids = [row["id"] for row in applied]
    wanted = {record.id for record in sent}
    assert set(ids) <= wanted, "events that nobody sent were applied"
    last: dict[Any, int] = defaultdict(int)
    inversions = 0
    for row in applied:
        at = (row["key"], row["topic"])
        inversions += row["position"] < last[at]
        last[at] = max(last[at], row["position"])
    tally = await rows(settings, "SELECT coalesce(sum(n), 0)::int AS n FROM tally")
    lost, inverted = await _answers(settings, applied, len(sent), anew=anew) if answered else (0, 0)
    once = {(row["key"], row["topic"], row["position"]) for row in applied}
    return Found(
        len(sent),
        len(wanted - set(ids)),
        len(ids) - len(set(ids) if inbox else once),
        inversions,
        tally[0]["n"] - len(ids),
        lost,
        inverted,
    )


async def check(settings: Settings, sent: list[Record[Any]], *, answered: bool = True, anew: bool = False) -> None:
    """Raise where anything is not as ``compare`` says it has to be."""
    found = await compare(settings, sent, answered=answered, anew=anew)
    assert not found.doubled, f"{found.doubled} applied twice"
    assert not found.lost, f"{found.lost} lost"
    assert not found.inversions, f"inversion of {found.inversions}"
    assert not found.miscounted, f"tallied {found.miscounted} more than were applied"
    assert not found.answers_lost, f"{found.answers_lost} answers lost"
    assert not found.answers_inverted, f"answers to {found.answers_inverted} customers are out of order"


async def _answers(settings: Settings, applied: list[Any], count: int, *, anew: bool) -> tuple[int, int]:
    """(answers lost, customers whose answers are out of order). Repeats are allowed on the wire: receivers drop them.

    First seen, the answers of a customer (``anew``: and topic) are in the order in which its events were applied.
    """
    place = {row["id"]: (n, row["topic"] if anew else "") for n, row in enumerate(applied)}
    first: dict[tuple[str, str], list[int]] = defaultdict(list)
    seen: set[str] = set()
    for key, headers, value in await published(settings, "journey.transition.v1"):
        if headers["ce_id"] not in seen:
            seen.add(headers["ce_id"])
            number, topic = place.get(json.loads(value)["enrollment"], (-1, ""))
            first[key, topic].append(number)
    sends = {headers["ce_id"] for _, headers, _ in await published(settings, "dispatch.send.v1")}
    inverted = {key for (key, _), numbers in first.items() if numbers != sorted(numbers)}
    return count - len(seen | sends), len(inverted)
