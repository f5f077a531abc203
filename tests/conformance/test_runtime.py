"""The runtime against Apache Kafka and PostgreSQL: once, in order, and repeats dropped."""

import asyncio

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from tests.conformance.harness import TOPICS, Yard, load


def test_every_event_is_applied_once_in_order_and_answered(toys: Yard) -> None:
    async def story() -> None:
        toys.start()
        sent = load(3000)
        await toys.send(sent)
        await toys.send(sent[:500])  # a client that did not hear our answer
        await toys.settle()
        await toys.check(sent)

    asyncio.run(story())


def test_a_turn_that_is_too_large_for_its_time_limits_is_tried_again_smaller(toys: Yard) -> None:
    async def story() -> None:
        sent = load(1500)
        await toys.send(sent)
        toys.start(TOY_MOST="200")
        await toys.settle()
        await toys.check(sent)

    asyncio.run(story())


async def shown(toys: Yard) -> dict[TopicPartition, int]:
    """What tools see of the group: the offsets that it committed to Kafka."""
    admin = AIOKafkaAdminClient(bootstrap_servers=toys.settings.kafka_bootstrap)
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(f"{toys.settings.topic_prefix}toy")
        return {place: offset.offset for place, offset in found.items()}
    finally:
        await admin.close()


def test_kafka_is_told_of_the_offsets_within_seconds_so_that_tools_see_the_lag(toys: Yard) -> None:
    async def story() -> None:
        toys.start()
        await toys.send(load(300))
        await toys.settle()
        rows = await toys.rows("SELECT topic, p, next FROM consumer_offset")
        applied = {TopicPartition(toys.settings.topic_prefix + row["topic"], row["p"]): row["next"] for row in rows}
        for _ in range(300):
            if await shown(toys) == applied:
                break
            await asyncio.sleep(0.2)
        else:
            raise AssertionError(f"{await shown(toys)} is not {applied}")
        assert len(applied) == 4 * (len(TOPICS) + 1)

    asyncio.run(story())


def test_the_live_clock_gives_the_inbox_its_partitions(toys: Yard) -> None:
    async def story() -> None:
        toys.start()
        await toys.settle()
        for _ in range(600):
            rows = await toys.rows("SELECT FROM pg_inherits WHERE inhparent = 'inbox'::regclass")
            if len(rows) == 5:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(toys.logs())

    asyncio.run(story())
