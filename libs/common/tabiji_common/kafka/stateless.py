"""The loop of a service without state: offsets are committed to Kafka once the output is acked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from tabiji_common.errors import Reject, Retry
from tabiji_common.failpoints import Failpoint
from tabiji_common.kafka.client import SESSION_TIMEOUT_MS, Cluster, IgnoreRebalances, received
from tabiji_common.kafka.outbox import Row
from tabiji_common.kafka.producer import Appender
from tabiji_common.kafka.turn import Received
from tabiji_common.logs import logger
from tabiji_common.metrics import RECORDS, REJECTED, RETRIES
from tabiji_common.topics import Record, Topic, dead_letter_name

log = logger(__name__)
BEFORE_COMMIT = Failpoint("stateless.commit.before", "output acked, offsets not committed")

Handler = Callable[[Any], Awaitable[list[Record[Any]]]]


class StatelessLoop:
    """Consumes one topic; each event goes to the handler, what the handler returns goes to Kafka.

    ``Reject`` dead-letters the event; ``Retry`` repeats the batch with back-off; anything else stops the process. Handlers derive their
    records' ids from the event's, so that a repeat after a crash is dropped by receivers.
    """

    def __init__(self, group: str, cluster: Cluster, topic: Topic[Any], handler: Handler, producer: Appender) -> None:
        self.group, self.cluster, self.topic, self.handler, self.producer = (
            group,
            cluster,
            topic,
            handler,
            producer,
        )
        self.stopping = False
        self.accepted = _accepted(handler)

    def stop(self) -> None:
        """End after the present batch."""
        self.stopping = True

    async def run(self) -> None:
        """Until ``stop``."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.cluster.bootstrap,
            group_id=self.cluster.name(self.group),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=500,
        )
        await consumer.start()
        try:
            consumer.subscribe([self.cluster.name(self.topic.name)], listener=IgnoreRebalances())
            while not self.stopping:
                got = await consumer.getmany(timeout_ms=500, max_records=500)
                records = [received(self.topic.name, raw) for batch in got.values() for raw in batch]
                if records:
                    await self._answer(records)
                    await BEFORE_COMMIT()
                    await self._commit(consumer)
        finally:
            await consumer.stop()

    async def _answer(self, records: list[Received]) -> None:
        failures = 0
        while True:
            try:
                await self.producer.append_encoded(await self._handle_all(records))
            except Retry as error:
                failures += 1
                RETRIES.labels(self.group).inc()
                log.warning("batch_retried", error=str(error), failures=failures)
                await asyncio.sleep(min(5.0, 0.1 * 2 ** min(failures, 6)))
            else:
                RECORDS.labels(self.group).inc(len(records))
                return

    async def _handle_all(self, records: list[Received]) -> list[Row]:
        out: list[Row] = []
        for record in records:
            try:
                body = record.body
                if isinstance(body, self.accepted):
                    out += [Row.of((0, 0, 0), made) for made in await self.handler(body)]
            except Reject as error:
                REJECTED.labels(self.group).inc()
                log.warning("record_rejected", topic=record.topic, offset=record.offset, reason=str(error))
                out.append(Row.dead((0, 0, 0), record, dead_letter_name(record.topic, self.group), str(error)))
        return out

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        try:
            await consumer.commit()
        except KafkaError as error:  # a rebalance: the next owner repeats the batch, receivers drop the repeats
            log.warning("commit_failed", error=repr(error))


def _accepted(handler: Handler) -> Any:
    """The event types that the handler's first parameter is annotated with; events of other types are passed over."""
    import inspect  # noqa: PLC0415 - only services without state pay for it
    import typing  # noqa: PLC0415

    hints = typing.get_type_hints(handler)
    first = next(iter(inspect.signature(handler).parameters))
    return hints.get(first, object)
