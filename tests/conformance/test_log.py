"""The log's ports, told twice: on the fake that unit tests use and on Apache Kafka. What holds here holds for both."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from tabiji_common.errors import Misconfigured
from tabiji_common.kafka.admin import create
from tabiji_common.kafka.client import Cluster
from tabiji_common.kafka.fake import FakeAppender, FakeLog, FakeMembership, FakeProbes, FakeReader
from tabiji_common.kafka.log import KafkaMembership, KafkaProbes, KafkaReader
from tabiji_common.kafka.merge import Place
from tabiji_common.kafka.ports import Membership, Probes, Reader
from tabiji_common.kafka.producer import Appender, Producer
from tabiji_common.kafka.turn import Received
from tabiji_common.settings import Settings
from tabiji_common.topics import CUSTOM, PURCHASES, partition_of
from tests.conformance.harness import LOG_TIME, event

PARTITIONS = 4
PLACES: list[Place] = [(topic.name, p) for topic in (CUSTOM, PURCHASES) for p in range(PARTITIONS)]


@dataclass
class Log:
    """One log behind its ports."""

    appender: Appender
    reader: Reader
    probes: Probes
    member: Callable[[], Membership]
    truncate: Callable[[Place], Awaitable[None]]

    async def read(self, count: int, seconds: float = 60) -> dict[Place, list[Received]]:
        found: dict[Place, list[Received]] = {}
        async with asyncio.timeout(seconds):
            while sum(map(len, found.values())) < count:
                for place, records in (await self.reader.fetch(0.2)).items():
                    found.setdefault(place, []).extend(records)
        return found


@asynccontextmanager
async def fake_log() -> AsyncIterator[Log]:
    log = FakeLog(PARTITIONS)

    async def truncate(place: Place) -> None:
        log.truncate(place, log.end(place))

    reader = FakeReader(log)
    await reader.start()
    yield Log(FakeAppender(log), reader, FakeProbes(log), lambda: FakeMembership(log, "toy"), truncate)


@asynccontextmanager
async def kafka_log(bootstrap: str, prefix: str) -> AsyncIterator[Log]:
    cluster = Cluster(bootstrap, prefix, PARTITIONS)
    settings = Settings(kafka_bootstrap=bootstrap, topic_prefix=prefix, partitions=PARTITIONS)
    await create(settings, dict.fromkeys([CUSTOM.name, PURCHASES.name, "toy.members.v1"], LOG_TIME))
    producer, reader, probes = Producer(cluster), KafkaReader(cluster), KafkaProbes(cluster)

    async def truncate(place: Place) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        await admin.delete_records({TopicPartition(cluster.name(place[0]), place[1]): RecordsToDelete(-1)})
        await admin.close()

    await producer.start()
    await reader.start()
    await probes.start()
    try:
        yield Log(producer, reader, probes, lambda: KafkaMembership(cluster, "toy"), truncate)
    finally:
        await probes.stop()
        await reader.stop()
        await producer.stop()


Told = Callable[[Callable[[Log], Awaitable[None]]], None]


@pytest.fixture(params=["fake", "kafka"])
def told(request: pytest.FixtureRequest) -> Told:
    """Tells a story on one of the logs."""
    if request.param == "fake":
        return lambda story: asyncio.run(_tell(fake_log(), story))
    bootstrap: Any = request.getfixturevalue("kafka").bootstrap
    prefix: Any = request.getfixturevalue("topic_prefix")
    return lambda story: asyncio.run(_tell(kafka_log(bootstrap, prefix), story))


async def _tell(opened: Any, story: Callable[[Log], Awaitable[None]]) -> None:
    async with opened as log:
        await story(log)


def test_records_come_back_as_they_were_appended_in_order_and_on_the_number_of_their_key(told: Told) -> None:
    sent = [event(n, f"c{n % 7}", (CUSTOM, PURCHASES)[n % 2]) for n in range(60)]

    async def story(log: Log) -> None:
        await log.appender.append(sent[:30])
        await log.appender.append(sent[30:])
        log.reader.assign(dict.fromkeys(PLACES, 0))
        found = await log.read(60)
        for (topic, p), records in found.items():
            mine = [r for r in sent if r.topic.name == topic and partition_of(r.key, PARTITIONS) == p]
            assert [(r.id, r.key, r.body) for r in records] == [(r.id, r.key, r.body) for r in mine]
            assert [r.offset for r in records] == list(range(len(mine)))
            assert [r.appended_at for r in records] == sorted(r.appended_at for r in records)
            assert all((r.topic, r.partition) == (topic, p) for r in records)

    told(story)


def test_a_record_keeps_its_headers(told: Told) -> None:
    sent = event(1, "c1", PURCHASES)

    async def story(log: Log) -> None:
        await log.appender.append([sent])
        log.reader.assign(dict.fromkeys(PLACES, 0))
        ((record,),) = (await log.read(1)).values()
        assert (record.id, record.type, record.source, record.mode) == (sent.id, sent.type, sent.source, sent.mode)
        assert (record.occurred_at, record.accepted_at) == (sent.occurred_at, sent.accepted_at)
        assert (record.body_hash, record.value, record.fault) == (sent.body_hash, sent.value(), "")

    told(story)


def test_starts_and_ends_are_asked_of_the_log_itself(told: Told) -> None:
    async def story(log: Log) -> None:
        assert await log.probes.ends(PLACES) == dict.fromkeys(PLACES, 0)
        await log.appender.append([event(n, "c1") for n in range(5)])
        place = (CUSTOM.name, partition_of("w:c1", PARTITIONS))
        assert await log.probes.ends(PLACES) == {**dict.fromkeys(PLACES, 0), place: 5}
        await log.truncate(place)
        assert await log.probes.starts([place]) == {place: 5}
        assert await log.probes.ends([place]) == {place: 5}
        assert await log.probes.ends([]) == {}

    told(story)


def test_reading_begins_at_the_offset_it_is_told_and_can_be_told_again(told: Told) -> None:
    place = (CUSTOM.name, partition_of("w:c1", PARTITIONS))

    async def story(log: Log) -> None:
        await log.appender.append([event(n, "c1") for n in range(10)])
        log.reader.assign({place: 6})
        assert [r.id for r in (await log.read(4))[place]] == ["e6", "e7", "e8", "e9"]
        log.reader.assign({place: 3})
        assert [r.id for r in (await log.read(7))[place]] == [f"e{n}" for n in range(3, 10)]
        log.reader.assign({})
        await log.appender.append([event(10, "c1")])
        assert await log.reader.fetch(0.2) == {}

    told(story)


def test_a_paused_place_is_passed_over_and_goes_on_where_it_was(told: Told) -> None:
    calm, busy = (CUSTOM.name, partition_of("w:c1", PARTITIONS)), (PURCHASES.name, partition_of("w:c1", PARTITIONS))

    async def story(log: Log) -> None:
        log.reader.assign({calm: 0, busy: 0})
        await log.reader.fetch(0.1, paused=[calm])
        await log.appender.append([event(n, "c1", (CUSTOM, PURCHASES)[n % 2]) for n in range(6)])
        seen: list[Place] = []
        while busy not in seen:
            seen += await log.reader.fetch(0.5, paused=[calm])
        assert calm not in seen
        assert [r.id for r in (await log.read(3))[calm]] == ["e0", "e2", "e4"]

    told(story)


def test_a_fetch_that_is_cancelled_loses_nothing(told: Told) -> None:
    async def story(log: Log) -> None:
        log.reader.assign(dict.fromkeys(PLACES, 0))
        ids: list[str] = []
        for n in range(40):
            fetch = asyncio.create_task(log.reader.fetch(1))
            await asyncio.sleep(0)
            await log.appender.append([event(n, f"c{n}")])
            await asyncio.sleep(0.001 * (n % 4))
            fetch.cancel()
            try:
                found = await fetch
            except asyncio.CancelledError:
                continue
            ids += [record.id for records in found.values() for record in records]
        found = await log.read(40 - len(ids))
        ids += [record.id for records in found.values() for record in records]
        assert sorted(ids) == sorted(f"e{n}" for n in range(40))

    told(story)


def test_an_offset_that_the_log_does_not_have_is_refused_and_nothing_is_skipped(told: Told) -> None:
    place = (CUSTOM.name, partition_of("w:c1", PARTITIONS))

    async def story(log: Log) -> None:
        await log.appender.append([event(n, "c1") for n in range(5)])
        await log.truncate(place)
        await log.appender.append([event(n, "c1") for n in range(5, 8)])
        for offset in (2, 100):
            log.reader.assign({place: offset})
            with pytest.raises(Misconfigured, match="does not have the next offset"):
                await log.read(1)

    told(story)


async def shared_out(members: list[Membership]) -> None:
    """Until the numbers are shared out among ``members``, each with one owner that the group vouches for."""
    async with asyncio.timeout(90):
        while True:
            numbers = sorted(p for member in members for p in member.assigned())
            if numbers == list(range(PARTITIONS)) and all(member.assigned() for member in members):
                proofs = [await member.prove(member.assigned()) for member in members]
                if all(proofs):
                    return
            await asyncio.sleep(0.05)


def test_each_number_has_one_owner_with_one_two_and_three_members_and_after_they_left(told: Told) -> None:
    async def story(log: Log) -> None:
        members: list[Membership] = []
        try:
            for _ in range(3):
                members.append(log.member())
                await members[-1].start()
                await shared_out(members)
            while len(members) > 1:
                left = members.pop(0)
                await left.stop()
                assert left.assigned() == frozenset()
                assert not await left.prove(frozenset({0}))
                await shared_out(members)
        finally:
            for member in members:
                await member.stop()

    told(story)


def test_a_member_that_joined_before_its_topic_was_known_is_given_its_numbers_soon_after(
    kafka: Any, topic_prefix: str
) -> None:
    cluster = Cluster(kafka.bootstrap, topic_prefix, PARTITIONS)
    settings = Settings(kafka_bootstrap=kafka.bootstrap, topic_prefix=topic_prefix, partitions=PARTITIONS)

    async def story() -> None:
        member = KafkaMembership(cluster, "toy")
        await member.start()
        try:
            await asyncio.sleep(1)
            await create(settings, {"toy.members.v1": LOG_TIME})
            async with asyncio.timeout(60):
                await shared_out([member])
        finally:
            await member.stop()

    asyncio.run(story())
