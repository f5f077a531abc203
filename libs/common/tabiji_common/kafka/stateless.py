"""The loop of a service without state: offsets are committed to Kafka once the output is acked."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from tabiji_common.cause import Cause, answering
from tabiji_common.errors import Misconfigured, Reject, Retry, TooLarge
from tabiji_common.failpoints import Failpoint
from tabiji_common.kafka.client import Cluster, IgnoreRebalances, received
from tabiji_common.kafka.outbox import Row
from tabiji_common.kafka.producer import Appender
from tabiji_common.kafka.turn import Received
from tabiji_common.kafka.wiring import Handler, Takes
from tabiji_common.logs import logger
from tabiji_common.metrics import RECORDS, REJECTED, RETRIES, TOO_LARGE
from tabiji_common.topics import Topic, dead_letter_name

log = logger(__name__)
Answer = tuple[Received, list[Row]]
BEFORE_COMMIT = Failpoint("stateless.commit.before", "output acked, offsets not committed")


class StatelessLoop:
    """Consumes one topic; each event goes to the handler, what the handler returns goes to Kafka.

    ``Reject`` dead-letters the event, and so does an answer that is larger than the broker accepts; ``Retry`` repeats
    the batch with back-off; anything else stops the process. Records take their ids from the event's, so that a repeat
    after a crash is dropped by receivers.
    """

    def __init__(self, group: str, cluster: Cluster, topic: Topic[Any], handler: Handler, producer: Appender) -> None:
        self.group, self.cluster, self.topic = group, cluster, topic
        self.handler, self.producer = handler, producer
        self.takes = Takes(topic, handler)
        self.stopping = False

    def stop(self) -> None:
        """End after the present batch."""
        self.stopping = True

    async def run(self) -> None:
        """Until ``stop``; raises ``Misconfigured`` where there is no such topic."""
        consumer = self.cluster.stateless(self.group)
        await consumer.start()
        try:
            name = self.cluster.name(self.topic.name)
            if name not in await consumer.topics():
                raise Misconfigured(f"topic {name} does not exist; `tabiji topics` lists those of an installation")
            consumer.subscribe([name], listener=IgnoreRebalances())
            while not self.stopping:
                try:
                    got = await consumer.getmany(timeout_ms=200, max_records=500)
                except KafkaError as error:
                    await self._back_off(error, 1)
                    continue
                records = [received(self.topic.name, raw) for batch in got.values() for raw in batch]
                if records and await self._answer(records):
                    await BEFORE_COMMIT()
                    await self._commit(consumer)
        finally:
            await consumer.stop()

    async def _answer(self, records: list[Received]) -> bool:
        """Whether all is handled and acked; only a stop ends it before."""
        failures = 0
        while True:
            try:
                await self._append(await self._handle_all(records))
            except Retry as error:
                if self.stopping:
                    return False
                failures += 1
                await self._back_off(error, failures)
            else:
                RECORDS.labels(self.group).inc(len(records))
                return True

    async def _back_off(self, error: Exception, failures: int) -> None:
        RETRIES.labels(self.group).inc()
        log.warning("batch_retried", error=str(error), failures=failures)
        await asyncio.sleep(min(5.0, 0.1 * 2 ** min(failures, 6)))

    async def _handle_all(self, records: list[Received]) -> list[Answer]:
        return [(record, await self._handled(record)) for record in records]

    async def _handled(self, record: Received) -> list[Row]:
        """What the handler makes of one record, or its dead letter."""
        try:
            if record.fault or self.takes(record.type):
                with answering(self._cause(record)):
                    return [Row.of((0, 0, 0), made) for made in await self.handler(record.body)]
        except Reject as error:
            return [self._dead(record, str(error))]
        return []

    def _dead(self, record: Received, reason: str) -> Row:
        REJECTED.labels(self.group).inc()
        log.warning("record_rejected", topic=record.topic, p=record.partition, offset=record.offset)
        return Row.dead((0, 0, 0), record, dead_letter_name(record.topic, self.group), reason)

    async def _append(self, answers: list[Answer]) -> None:
        """Everything in one append; one by one where one is larger than the broker accepts."""
        try:
            await self.producer.append_encoded([row for _, rows in answers for row in rows])
        except TooLarge:
            for record, rows in answers:
                await self._append_each(record, rows)

    async def _append_each(self, record: Received, rows: list[Row]) -> None:
        for row in rows:
            try:
                await self.producer.append_encoded([row])
            except TooLarge:
                TOO_LARGE.labels(self.group).inc()
                dead = self._dead(
                    record, row.reason or f"its answer on {row.topic} is too large: {len(row.value)} bytes"
                )
                dead.value = b""  # the record itself may be what is too large
                await self.producer.append_encoded([dead])

    def _cause(self, record: Received) -> Cause:
        identity = (record.key, record.source, record.id)
        return Cause(self.group, identity, record.occurred_at, record.accepted_at, record.mode.value)

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        try:
            await consumer.commit()
        except KafkaError as error:  # a rebalance: the next owner repeats the batch, receivers drop the repeats
            log.warning("commit_failed", error=repr(error))
