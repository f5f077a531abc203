"""The runtime against Apache Kafka and PostgreSQL: once, in order, and repeats dropped."""

import asyncio

from tests.conformance.harness import Yard, load


def test_every_event_is_applied_once_in_order_and_answered(toys: Yard) -> None:
    async def story() -> None:
        toys.start()
        sent = load(3000)
        await toys.send(sent)
        await toys.send(sent[:500])  # a client that did not hear our answer
        await toys.settle()
        await toys.check(sent)

    asyncio.run(story())
