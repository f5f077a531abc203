"""The log as the loop sees it, on Apache Kafka: membership by an anchor topic, reading, and end offsets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from tabiji_common.errors import Misconfigured, Retry
from tabiji_common.kafka.client import Cluster, IgnoreRebalances, received
from tabiji_common.kafka.merge import Place
from tabiji_common.kafka.turn import Received
from tabiji_common.topics import anchor_name

# Where it has forgotten every broker, aiokafka asserts that it knows one: "Did we not perform bootstrap?"
_NO_BROKER = (KafkaError, IllegalStateError, AssertionError)


class KafkaMembership:
    """Membership of a group by way of its anchor topic: one topic, so any assignor gives each number one owner."""

    def __init__(self, cluster: Cluster, group: str) -> None:
        self.cluster = cluster
        self.group = group
        self.anchor = cluster.name(anchor_name(group))
        self._member: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        """Join the group; raises ``Retry`` where no broker answers."""
        member = self.cluster.member(self.group)
        try:
            await member.start()
        except (KafkaError, OSError) as error:
            with contextlib.suppress(Exception):
                await member.stop()
            raise Retry(f"no broker answers: {error!r}") from error
        member.subscribe([self.anchor], listener=IgnoreRebalances())
        self._member = member

    async def stop(self) -> None:
        """Leave the group."""
        member, self._member = self._member, None
        if member is not None:
            await member.stop()

    def assigned(self) -> frozenset[int]:
        """The numbers assigned; empty while the group is being rearranged."""
        if self._member is None:
            return frozenset()
        return frozenset(place.partition for place in self._member.assignment())

    async def prove(self, partitions: frozenset[int]) -> bool:
        """Commit on the anchor: fails for a member of a stale generation."""
        if self._member is None:
            return False
        try:
            await asyncio.wait_for(self._member.commit({TopicPartition(self.anchor, p): 0 for p in partitions}), 5)
        except (*_NO_BROKER, TimeoutError, ValueError):
            return False
        return True


class KafkaReader:
    """Reads what it is told to, by manual assignment."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._consumer: AIOKafkaConsumer | None = None
        self._paused: frozenset[TopicPartition] = frozenset()

    @property
    def consumer(self) -> AIOKafkaConsumer:
        """The client; ``start`` made it."""
        if self._consumer is None:
            raise Retry("the reader is not connected")
        return self._consumer

    async def start(self) -> None:
        """Connect."""
        consumer = self.cluster.reader()
        try:
            await consumer.start()
        except (KafkaError, OSError) as error:
            with contextlib.suppress(Exception):
                await consumer.stop()
            raise Retry(f"no broker answers: {error!r}") from error
        self._consumer = consumer

    async def stop(self) -> None:
        """Disconnect."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    def _of(self, place: Place) -> TopicPartition:
        return TopicPartition(self.cluster.name(place[0]), place[1])

    def assign(self, positions: Mapping[Place, int]) -> None:
        """Read exactly these places; no await between assign and seek, so nothing is fetched from elsewhere."""
        self._paused = frozenset()
        if not positions:
            self.consumer.unsubscribe()
            return
        self.consumer.assign([self._of(place) for place in positions])
        for place, offset in positions.items():
            self.consumer.seek(self._of(place), offset)

    async def fetch(self, seconds: float, *, paused: Iterable[Place] = ()) -> dict[Place, list[Received]]:
        """What has come, by place."""
        if not self.consumer.assignment():
            await asyncio.sleep(seconds)
            return {}
        self._pause(frozenset(self._of(place) for place in paused))
        try:
            got = await self.consumer.getmany(timeout_ms=int(seconds * 1000))
        except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
            raise Misconfigured(f"the log does not have the next offset any more: {error!r}") from error
        except KafkaError as error:
            raise Retry(f"fetch failed: {error!r}") from error
        return {
            (topic, place.partition): [received(topic, raw) for raw in records]
            for place, records in got.items()
            if records
            for topic in (self.cluster.plain(place.topic),)
        }

    def _pause(self, wanted: frozenset[TopicPartition]) -> None:
        if wanted != self._paused:
            self.consumer.pause(*wanted)
            self.consumer.resume(*(self._paused - wanted))
            self._paused = wanted


class KafkaBoard:
    """Tells Kafka the applied offsets of a group: a lag gauge for tools, nothing stands on it."""

    def __init__(self, cluster: Cluster, group: str) -> None:
        self.cluster = cluster
        self.group = group

    async def gauge(self, offsets: Mapping[Place, int]) -> None:
        """Commit them, by a client that comes and goes."""
        named = {TopicPartition(self.cluster.name(topic), p): n for (topic, p), n in offsets.items()}
        teller = self.cluster.teller(self.group)
        try:
            with contextlib.suppress(*_NO_BROKER, OSError, TimeoutError):
                await teller.start()
                teller.assign(list(named))
                await asyncio.wait_for(teller.commit(named), 5)
        finally:
            await teller.stop()


class KafkaProbes:
    """End offsets by a consumer without a group: the fetching one's own probe waits for its fetches."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._consumer: AIOKafkaConsumer | None = None

    async def start(self) -> str:
        """Connect; the cluster's id."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.cluster.bootstrap)
        consumer = self.cluster.prober()
        try:
            await admin.start()
            found = await admin.describe_cluster()
            await consumer.start()
        except (KafkaError, OSError) as error:
            with contextlib.suppress(Exception):
                await consumer.stop()
            raise Retry(f"no broker answers: {error!r}") from error
        finally:
            await admin.close()
        self._consumer = consumer
        return str(found["cluster_id"])

    async def stop(self) -> None:
        """Disconnect."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """The end offset of each place, now; raises ``Retry`` where the broker does not answer."""
        return await self._ask("end_offsets", places)

    async def starts(self, places: Iterable[Place]) -> dict[Place, int]:
        """The first offset still kept of each place."""
        return await self._ask("beginning_offsets", places)

    async def _ask(self, what: str, places: Iterable[Place]) -> dict[Place, int]:
        wanted = {TopicPartition(self.cluster.name(topic), p): (topic, p) for topic, p in places}
        if self._consumer is None:
            raise Retry("the prober is not connected")
        if not wanted:
            return {}
        try:
            found = await asyncio.wait_for(getattr(self._consumer, what)(list(wanted)), 5)
        except (KafkaError, OSError, TimeoutError) as error:
            raise Retry(f"the log does not answer: {error!r}") from error
        return {wanted[place]: offset for place, offset in found.items()}
