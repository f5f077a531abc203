"""What is read from outside the system: rows, the log, and the checker that compares both with what was sent."""

import json
from collections import defaultdict
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


async def check(settings: Settings, sent: list[Record[Any]], *, answered: bool = True) -> None:
    """Every event applied once, in order of append for each customer and topic; every answer published, in order."""
    applied = await rows(settings, "SELECT key, id, topic, position FROM applied ORDER BY seq")
    ids = [row["id"] for row in applied]
    assert len(ids) == len(set(ids)), f"{len(ids) - len(set(ids))} applied twice"
    assert set(ids) == {record.id for record in sent}, f"{len(sent) - len(ids)} lost"
    last: dict[Any, int] = defaultdict(int)
    for row in applied:
        at = (row["key"], row["topic"])
        assert row["position"] >= last[at], f"inversion at {at}"
        last[at] = row["position"]
    tally = await rows(settings, "SELECT sum(n) AS n FROM tally")
    assert tally[0]["n"] == len(sent), f"tallied {tally[0]['n']} of {len(sent)}"
    if answered:
        await check_answers(settings, applied, len(sent))


async def check_answers(settings: Settings, applied: list[Any], count: int) -> None:
    """Each applied event is answered. Repeats are allowed on the wire (receivers drop them by id), losses are not.

    First seen, the answers of a customer are in the order in which its events were applied.
    """
    first: dict[str, list[str]] = defaultdict(list)
    seen: set[str] = set()
    for key, headers, value in await published(settings, "journey.transition.v1"):
        if headers["ce_id"] not in seen:
            seen.add(headers["ce_id"])
            first[key].append(json.loads(value)["enrollment"])
    sends = {headers["ce_id"] for _, headers, _ in await published(settings, "dispatch.send.v1")}
    assert len(seen | sends) == count, f"{count - len(seen | sends)} answers lost"
    order = {row["id"]: n for n, row in enumerate(applied)}
    for key, enrollments in first.items():
        numbers = [order[enrollment] for enrollment in enrollments]
        assert numbers == sorted(numbers), f"answers to {key} are out of order"
