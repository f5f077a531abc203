"""Appending: acked or `Retry`, order within a partition, and no partition that a failure wedges."""

import asyncio
from dataclasses import dataclass, field

import pytest

from tabiji_common.errors import Retry
from tabiji_common.kafka.client import Cluster
from tabiji_common.kafka.producer import Producer
from tabiji_common.topics import Headers, partition_of

PARTITIONS = 4


@dataclass
class Batch:
    """A batch that holds ``most`` records, as a client's holds so many bytes."""

    most: int
    values: list[bytes] = field(default_factory=list)

    def append(self, *, timestamp: None, key: bytes, value: bytes, headers: Headers) -> object | None:
        if len(self.values) >= self.most:
            return None
        self.values.append(value)
        return object()


@dataclass
class Client:
    """Acks batches when told to, or fails them; ``log`` is what the broker has."""

    most: int = 100
    log: dict[int, list[bytes]] = field(default_factory=dict)
    requests: list[tuple[int, list[bytes]]] = field(default_factory=list)
    failing: set[int] = field(default_factory=set)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: bool = False

    def create_batch(self) -> Batch:
        return Batch(self.most)

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[None]:
        self.requests.append((partition, list(batch.values)))
        return asyncio.ensure_future(self._ack(partition, list(batch.values)))

    async def _ack(self, partition: int, values: list[bytes]) -> None:
        await self.gate.wait()
        if partition in self.failing:
            raise OSError("the connection is gone")
        self.log.setdefault(partition, []).extend(values)

    async def stop(self) -> None:
        self.stopped = True


@dataclass
class Plain:
    key: str
    value: bytes
    topic: str = "t"
    headers: Headers = field(default_factory=list)


def plain(n: int, key: str) -> Plain:
    return Plain(key, b"%d" % n)


def key_of(partition: int) -> str:
    return next(key for n in range(100) if partition_of(key := f"w:{n}", PARTITIONS) == partition)


class Ours(Producer):
    """A producer whose clients are given."""

    def __init__(self, *clients: Client) -> None:
        super().__init__(Cluster("nowhere", "", PARTITIONS))
        self.clients = list(clients)

    async def _connect(self) -> Client:
        return self.clients.pop(0)


def open_client(*, most: int = 100) -> Client:
    client = Client(most)
    client.gate.set()
    return client


async def test_an_append_returns_once_every_partition_has_acked() -> None:
    client = Client()
    producer = Ours(client)
    append = asyncio.create_task(producer.append_encoded([plain(n, key_of(n % 2)) for n in range(4)]))
    await asyncio.sleep(0.01)
    assert not append.done()
    client.gate.set()
    await append
    assert client.log == {0: [b"0", b"2"], 1: [b"1", b"3"]}


async def test_while_one_batch_is_in_flight_the_next_one_fills() -> None:
    client = Client()
    producer, key = Ours(client), key_of(0)
    appends = []
    for n in range(50):
        appends.append(asyncio.create_task(producer.append_encoded([plain(n, key)])))
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    assert len(client.requests) == 1
    client.gate.set()
    await asyncio.gather(*appends)
    assert len(client.requests) == 2
    assert client.log[0] == [b"%d" % n for n in range(50)]


async def test_a_full_batch_is_followed_by_another_in_order() -> None:
    client = open_client(most=3)
    await Ours(client).append_encoded([plain(n, key_of(2)) for n in range(10)])
    assert [len(values) for _, values in client.requests] == [3, 3, 3, 1]
    assert client.log[2] == [b"%d" % n for n in range(10)]


async def test_without_an_ack_it_is_retry_and_the_client_is_replaced() -> None:
    broken, fresh = open_client(), open_client()
    broken.failing = {0}
    producer = Ours(broken, fresh)
    with pytest.raises(Retry, match="no ack"):
        await producer.append_encoded([plain(1, key_of(0)), plain(2, key_of(1))])
    await producer.append_encoded([plain(1, key_of(0))])
    assert fresh.log == {0: [b"1"]}
    await asyncio.sleep(0)
    assert broken.stopped


async def test_what_waited_behind_a_failed_batch_is_not_sent_and_fails_with_it() -> None:
    broken = Client(most=1, failing={0})
    producer = Ours(broken, open_client())
    appends = [asyncio.create_task(producer.append_encoded([plain(n, key_of(0))])) for n in range(3)]
    await asyncio.sleep(0.01)
    broken.gate.set()
    results = await asyncio.gather(*appends, return_exceptions=True)
    assert [type(result) for result in results] == [Retry] * 3
    assert len(broken.requests) == 1


async def test_an_append_that_is_cancelled_takes_nobody_with_it() -> None:
    client = Client()
    producer = Ours(client)
    doomed = asyncio.create_task(producer.append_encoded([plain(1, key_of(0))]))
    other = asyncio.create_task(producer.append_encoded([plain(2, key_of(0))]))
    await asyncio.sleep(0.01)
    doomed.cancel()
    client.gate.set()
    await other
    assert client.log[0] == [b"1", b"2"]


async def test_nothing_to_append_is_done_at_once_and_asks_nobody() -> None:
    client = Client()  # its gate is shut
    await asyncio.wait_for(Ours(client).append_encoded([]), 1)
    assert client.requests == []
