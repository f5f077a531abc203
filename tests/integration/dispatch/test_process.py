"""End to end on the real broker: a restored database, an erased customer, a switch, a person's word."""

from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from tabiji_common import events
from tabiji_common.clock import LiveClock
from tabiji_common.postgres import connect_pool
from tabiji_common.secret import check_secret
from tabiji_common.topics import CUSTOMERS
from tests.integration.dispatch.house import House, house
from tests.integration.dispatch.paused import all_sent, holds_all_until_released, until
from tests.integration.dispatch.receiver import Receiver
from tests.integration.dispatch.sink import Sink
from tests.integration.dispatch.test_crashes import CUSTOMERS_A_ROUND, load, providers
from tests.operator import BEARER


async def test_a_cloned_database_sends_nothing_until_released_and_an_erased_customer_leaves_nothing(
    kafka: Any, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with (
        Sink() as sink,
        Receiver() as receiver,
        house(kafka, database, topic_prefix, tmp_path, providers(sink, receiver)) as home,
    ):
        home.start()
        await home.settle()
        assert home.end() == 0
        await home.rows("UPDATE installation SET system_identifier = 'the one it was cloned from'")
        await holds_all_until_released(home, sink, receiver, "system_identifier", by="ops")
        await erase(home)


async def test_with_another_secret_than_ingest_has_it_does_not_start(
    kafka: Any, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    pool = await connect_pool(database, "ingest")
    await check_secret(pool, "what ingest verifies links with")
    await check_secret(pool, "what ingest verifies links with")
    await pool.close()
    async with (
        Sink() as sink,
        Receiver() as receiver,
        house(kafka, database, topic_prefix, tmp_path, providers(sink, receiver)) as home,
    ):
        home.start()
        assert await home.died()
        assert "TABIJI_WORKSPACE_SECRET is not the one" in home.log.read_text()


async def test_a_customer_whose_message_is_refused_is_parked_alone_and_goes_on_when_asked(
    kafka: Any, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    """The refused value comes with no record: it is written when the message is claimed."""
    async with (
        Sink() as sink,
        Receiver() as receiver,
        house(kafka, database, topic_prefix, tmp_path, providers(sink, receiver)) as home,
    ):
        home.start()
        await home.settle()
        await home.rows("ALTER TABLE body ADD CONSTRAINT sour CHECK (customer_key <> 'demo:c3')")
        async with httpx.AsyncClient(base_url=home.url, headers=BEARER, timeout=60) as http:

            async def parked() -> list[tuple[Any, ...]]:
                rows = (await http.get("/v1/parked")).json()["parked"]
                return [(row["workspace"], row["customer"], row["error"]) for row in rows]

            async def somebody() -> bool:
                return bool(await parked())

            async def let_go() -> bool:
                return not await parked() and await all_sent(home)

            switch = {"scope": "global", "on": True}
            await http.put("/v1/switches", json=switch)
            await home.send(load(0))
            await home.settle()
            assert await parked() == []
            await http.put("/v1/switches", json=switch | {"on": False})
            await until(somebody)
            await home.settle()
            assert await parked() == [("demo", "c3", "CheckViolationError")]
            left = await home.rows("SELECT DISTINCT customer FROM delivery WHERE state <> 'sent'")
            assert [row[0] for row in left] == ["c3"]
            assert len(sink.keys()) == len(receiver.acted) == CUSTOMERS_A_ROUND - 1
            await home.rows("ALTER TABLE body DROP CONSTRAINT sour")
            assert (await http.post("/v1/customers/demo/c3/unpark")).status_code == 202
            await until(let_go)


async def erase(home: House) -> None:
    now = LiveClock().now()
    erased = events.Erased(workspace="demo", customer="c3")
    await home.send([CUSTOMERS.record(erased, id="erase-c3", source="test", occurred_at=now, accepted_at=now)])
    await home.settle()
    await until(lambda: forgotten(home))
    await home.send([record for record in load(1) if record.key == "demo:c3"])
    await home.settle()
    later = await home.rows("SELECT state, reason FROM delivery WHERE customer = 'c3' AND message_key LIKE '%-1-3'")
    assert {tuple(row) for row in later} == {("suppressed", "erased")}
    assert await answered(home) == ["c3"]


async def forgotten(home: House) -> bool:
    return not await home.rows("SELECT FROM contact WHERE customer_key = 'demo:c3'")


async def answered(home: House) -> list[str]:
    """Whose erasure was answered, from the log."""
    name = home.settings.topic_prefix + CUSTOMERS.name
    places = [TopicPartition(name, p) for p in range(home.settings.partitions)]
    consumer = AIOKafkaConsumer(bootstrap_servers=home.settings.kafka_bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        await consumer.seek_to_beginning()
        found = []
        while any([await consumer.position(place) < ends[place] for place in places]):
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                found += [
                    r.key.decode().partition(":")[2] for r in batch if dict(r.headers)["ce_type"] == b"erasure_done"
                ]
        return found
    finally:
        await consumer.stop()
