"""The runtime against Apache Kafka and PostgreSQL: once, in order, whatever dies."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.harness import TOPICS, Yard, event, yard


@pytest.fixture
def toys(kafka: Any, database: str, topic_prefix: str) -> Iterator[Yard]:
    with yard(kafka, database, topic_prefix) as made:
        yield made


def load(count: int, *, start: int = 0, customers: int = 40) -> list[Any]:
    return [
        event(n, f"c{n % customers}", TOPICS[n % len(TOPICS)], send=n % 10 == 0) for n in range(start, start + count)
    ]


def test_every_event_is_applied_once_in_order_and_answered(toys: Yard) -> None:
    async def story() -> None:
        toys.start()
        sent = load(3000)
        await toys.send(sent)
        await toys.send(sent[:500])  # a client that did not hear our answer
        await toys.settle()
        await toys.check(sent)

    asyncio.run(story())
