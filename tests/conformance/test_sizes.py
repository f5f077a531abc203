"""A record that is larger than the broker accepts: told apart from a missing ack, and in nobody's way."""

import asyncio
from typing import Any

import pytest

from tabiji_common.errors import TooLarge
from tabiji_common.kafka.admin import create
from tabiji_common.kafka.client import Cluster
from tabiji_common.kafka.outbox import Outbox, Row
from tabiji_common.kafka.producer import Producer
from tabiji_common.kafka.publish import Publisher
from tabiji_common.settings import Settings
from tabiji_common.topics import CUSTOM
from tests.conformance.harness import LOG_TIME, event

HUGE = 2 * 1024 * 1024


def row(n: int, size: int) -> Row:
    made = Row.of((0, 1, n), event(n, "c"))
    made.value = b" " * size + made.value
    return made


def test_a_record_larger_than_the_broker_takes_stops_no_other(kafka: Any, topic_prefix: str) -> None:
    cluster = Cluster(kafka.bootstrap, topic_prefix, 4)
    settings = Settings(kafka_bootstrap=kafka.bootstrap, topic_prefix=topic_prefix, partitions=4)

    async def story() -> None:
        await create(settings, {CUSTOM.name: LOG_TIME})
        producer = Producer(cluster)
        try:
            with pytest.raises(TooLarge):
                await producer.append_encoded([row(0, HUGE)])
            outbox = Outbox()
            outbox.add([row(1, 10), row(2, HUGE), row(3, 600 * 1024), row(4, 10)])
            publisher = Publisher("toy", outbox, producer, set)
            async with asyncio.timeout(120):
                await publisher.drain()
            assert outbox.acked == [(0, 1, n) for n in (1, 3, 4)]
            publisher.check()
        finally:
            await producer.stop()

    asyncio.run(story())
