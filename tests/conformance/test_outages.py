"""The database or the broker dies under load, answers of COMMIT are lost, the log is cut: nothing lost or skipped."""

import asyncio
import signal
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from tabiji_common.topics import CUSTOM
from tests.conformance.cutter import cutter
from tests.conformance.harness import Toy, Yard, load, until
from tests.conformance.traffic import traffic

BARE = {"TOY_INBOX": ""}  # no inbox: epochs and offsets alone must hold


def mentions(toy: Toy, text: str) -> int:
    return toy.log.read_text().count(text)


async def strike(toys: Yard, server: Any, times: int, **environment: str) -> None:
    async with traffic(toys, every=0.02) as made:
        members = [toys.start(**environment) for _ in range(2)]
        await until(lambda: all(toy.owned for toy in members), "they did not start")
        for _ in range(times):
            await asyncio.sleep(0.5)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
        await asyncio.sleep(0.5)
    assert all(toy.alive for toy in members), toys.logs()
    await toys.settle()
    await toys.check(made.sent)


def test_postgresql_killed_again_and_again_under_load_loses_and_doubles_nothing(toys: Yard, postgres: Any) -> None:
    asyncio.run(strike(toys, postgres, 4, **BARE))


def test_the_broker_killed_and_restarted_under_load_loses_and_doubles_nothing(toys: Yard, kafka: Any) -> None:
    """With an inbox: an append whose ack was lost is in the log twice."""
    asyncio.run(strike(toys, kafka, 2))


async def lose_answers(toys: Yard, *, module: str = "tests.conformance.toy") -> None:
    """Under load the wire to the database is cut at COMMIT, before the server has it and after, until both were met."""
    async with cutter(toys.settings.postgres_dsn) as (wire, dsn), traffic(toys, every=0.02) as made:
        toy = toys.start(TABIJI_POSTGRES_DSN=dsn, module=module, **BARE)
        await until(lambda: bool(toy.owned), "it did not start")
        for when in ["after", "before"] * 15:  # some of them hit a transaction that is no turn
            await wire.cut(when)
            await asyncio.sleep(0.3)
            if min(mentions(toy, "commit_found"), mentions(toy, "the transaction was not committed")) >= 2:
                break
        made.ending = True
        await toys.settle()
    await toys.check(made.sent)
    assert mentions(toy, "commit_found") >= 2, wire.cuts
    assert mentions(toy, "the transaction was not committed") >= 2, wire.cuts


def test_a_commit_whose_answer_is_lost_is_read_back(toys: Yard) -> None:
    asyncio.run(lose_answers(toys))


async def cut_log(toys: Yard) -> None:
    """Every record of ``CUSTOM`` goes, as retention would have it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=toys.settings.kafka_bootstrap)
    await admin.start()
    name = toys.settings.topic_prefix + CUSTOM.name
    await admin.delete_records({TopicPartition(name, p): RecordsToDelete(-1) for p in range(4)})
    await admin.close()


async def halts_saying(toys: Yard, toy: Toy, text: str) -> None:
    await until(lambda: not toy.alive, f"it goes on: {toys.logs()}")
    assert toy.process.returncode not in {0, None, -signal.SIGKILL}
    assert "Misconfigured" in toy.log.read_text()
    assert text in toy.log.read_text()
    ids = {row["id"] for row in await toys.rows("SELECT id FROM applied")}
    assert ids.isdisjoint({f"e{n}" for n in range(400, 600)}), "records after the gap were applied"


@pytest.mark.parametrize("running", [False, True], ids=["while it was down", "while it was stopped"])
def test_a_log_cut_below_the_next_offset_halts_the_process_and_skips_nothing(toys: Yard, running: bool) -> None:
    async def story() -> None:
        sent = load(600)
        await toys.send(sent[:200])
        toy = toys.start()
        await toys.settle()
        if running:
            toy.signal(signal.SIGSTOP)
        else:
            await asyncio.to_thread(toy.stop)
        # a stopped process may have asked already, and then the answer to the first part waits for it
        await toys.send([record for record in sent[200:400] if record.topic is CUSTOM])
        await asyncio.sleep(0.5)
        await toys.send([record for record in sent[400:] if record.topic is CUSTOM])
        await cut_log(toys)
        if running:
            toy.signal(signal.SIGCONT)
            await halts_saying(toys, toy, "the log does not have the next offset any more")
        else:
            again = toys.start()
            await halts_saying(toys, again, "the log was cut or replaced, and nothing is skipped silently")

    asyncio.run(story())
