"""Appending to Kafka: ``append`` returns once every record is acked by all in-sync replicas, or raises ``Retry``.

While one batch of a partition is in flight the next one fills, so many small appends share few requests. There is no
idempotence and there are no transactions: receivers drop repeats by key. After any failure the client is thrown away
and built anew.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from tabiji_common.errors import Retry, TooLarge
from tabiji_common.failpoints import Failpoint
from tabiji_common.kafka.client import Cluster
from tabiji_common.logs import logger
from tabiji_common.metrics import PRODUCE_FAILED, PRODUCER_REPLACED
from tabiji_common.topics import Headers, Record, partition_of

log = logger(__name__)
ACKED_SOME = Failpoint("producer.append.acked_some", "acked for some of the partitions of an append, not for all")
BATCH_BYTES = 512 * 1024


class Encoded(Protocol):
    """A record ready for the wire: topic without prefix, key, headers and value."""

    topic: str
    key: str
    headers: Headers
    value: bytes


class Appender(Protocol):
    """Where records go."""

    async def append(self, records: Sequence[Record[Any]]) -> None:
        """Return once all are acked; raise ``Retry`` where that is not known of one of them.

        ``TooLarge`` where the log refused one for its size; of the others nothing is said.
        """
        ...

    async def append_encoded(self, records: Sequence[Encoded]) -> None:
        """The same, for records encoded before."""
        ...


class Wire:
    """A record, encoded."""

    __slots__ = ("headers", "key", "topic", "value")

    def __init__(self, record: Record[Any]) -> None:
        self.topic, self.key = record.topic.name, record.key
        self.headers, self.value = record.headers(), record.value()


class _Lane:
    """One partition's queue: what is in flight, and the batches that fill meanwhile."""

    def __init__(self, client: AIOKafkaProducer, topic: str, partition: int) -> None:
        self.client, self.topic, self.partition = client, topic, partition
        self.waiting: list[tuple[Any, asyncio.Future[None]]] = []
        self.task: asyncio.Task[None] | None = None

    def add(self, record: Encoded) -> asyncio.Future[None]:
        if self.waiting:
            batch, acked = self.waiting[-1]
            if self._append(batch, record):
                return acked
        batch, acked = self.client.create_batch(), asyncio.get_running_loop().create_future()
        if not self._append(batch, record):
            raise TooLarge("a record is larger than a batch may be")
        self.waiting.append((batch, acked))
        if self.task is None:
            self.task = asyncio.create_task(self._drain())
        return acked

    @staticmethod
    def _append(batch: Any, record: Encoded) -> bool:
        # aiokafka counts an empty batch as never full, so one record always fits
        return (
            batch.append(timestamp=None, key=record.key.encode(), value=record.value, headers=record.headers)
            is not None
        )

    async def _drain(self) -> None:
        try:
            while self.waiting:
                batch, acked = self.waiting.pop(0)
                try:
                    await (await self.client.send_batch(batch, self.topic, partition=self.partition))
                except MessageSizeTooLargeError as error:
                    self._refuse(acked, TooLarge(f"too large for {self.topic}: {error!r}"))
                    continue
                except Exception as error:  # noqa: BLE001 - whatever the client says: there is no ack
                    self._fail(acked, error)
                    return
                if not acked.done():
                    acked.set_result(None)
        finally:
            self.task = None

    def _fail(self, first: asyncio.Future[None], error: BaseException) -> None:
        for acked in (first, *(acked for _, acked in self.waiting)):
            self._refuse(acked, Retry(f"no ack from {self.topic}/{self.partition}: {error!r}"))
        self.waiting.clear()

    @staticmethod
    def _refuse(acked: asyncio.Future[None], error: Retry) -> None:
        if not acked.done():
            acked.set_exception(error)
            acked.exception()  # seen: an append that was cancelled leaves nobody to ask


class Producer:
    """The one producer of a process."""

    def __init__(self, cluster: Cluster, *, timeout_ms: int = 10_000) -> None:
        self.cluster = cluster
        self.timeout_ms = timeout_ms
        self._client: AIOKafkaProducer | None = None
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._building = asyncio.Lock()

    async def start(self) -> None:
        """Connect; raises ``Retry`` where no broker answers."""
        await self._current()

    async def stop(self) -> None:
        """Flush and close."""
        client, self._client = self._client, None
        if client is not None:
            await client.stop()

    async def append(self, records: Sequence[Record[Any]]) -> None:
        """Return once all are acked; raise ``Retry`` where that is not known of one of them."""
        await self.append_encoded([Wire(record) for record in records])

    async def append_encoded(self, records: Sequence[Encoded]) -> None:
        """The same, for records encoded before."""
        client = await self._current()
        waits = dict.fromkeys(self._lane(client, record).add(record) for record in records)
        try:
            for n, acked in enumerate(waits):
                await asyncio.shield(acked)
                if n == 0 and len(waits) > 1:
                    await ACKED_SOME()
        except TooLarge:
            PRODUCE_FAILED.inc()
            raise
        except Retry:
            PRODUCE_FAILED.inc()
            await self._replace(client)
            raise

    def _lane(self, client: AIOKafkaProducer, record: Encoded) -> _Lane:
        topic = self.cluster.name(record.topic)
        partition = partition_of(record.key, self.cluster.partitions)
        lane = self._lanes.get((topic, partition))
        if lane is None or lane.client is not client:
            lane = self._lanes[topic, partition] = _Lane(client, topic, partition)
        return lane

    async def _current(self) -> AIOKafkaProducer:
        async with self._building:
            if self._client is None:
                self._client = await self._connect()
            return self._client

    async def _connect(self) -> AIOKafkaProducer:
        client = AIOKafkaProducer(
            bootstrap_servers=self.cluster.bootstrap,
            acks="all",
            enable_idempotence=False,
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=4 * BATCH_BYTES,
            request_timeout_ms=self.timeout_ms,
            retry_backoff_ms=50,
        )
        try:
            await client.start()
        except BaseException as error:  # a cancelled append too: nobody else would close what it began
            with contextlib.suppress(Exception):
                await client.stop()
            if isinstance(error, (KafkaError, OSError)):
                raise Retry(f"no broker answers: {error!r}") from error
            raise
        return client

    async def _replace(self, failed: AIOKafkaProducer) -> None:
        if self._client is not failed:
            return
        self._client = None
        PRODUCER_REPLACED.inc()
        log.warning("producer_replaced")
        self._retired = asyncio.create_task(self._close(failed))

    @staticmethod
    async def _close(client: AIOKafkaProducer) -> None:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(client.stop(), 15)
