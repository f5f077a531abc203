"""Every commit point of the runtime, killed under load: nothing lost, nothing applied twice, order kept."""

import asyncio
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.harness import Yard, yard
from tests.conformance.test_runtime import load

POINTS = (
    "toy.fold.middle",
    "runtime.turn.before_commit",
    "runtime.turn.in_commit",
    "runtime.turn.after_commit",
    "runtime.publish.before",
    "runtime.publish.before_mark",
    "producer.append.acked_some",
)


@pytest.fixture
def toys(kafka: Any, database: str, topic_prefix: str) -> Iterator[Yard]:
    with yard(kafka, database, topic_prefix) as made:
        yield made


@pytest.mark.parametrize("point", POINTS)
def test_sigkill_at(toys: Yard, point: str) -> None:
    async def story() -> None:
        sent = load(1200)
        await toys.send(sent[:600])
        doomed = toys.start(failpoints=f"{point}=kill@2", TABIJI_POLL_RECORDS="200")
        await asyncio.to_thread(doomed.process.wait, 30)
        assert doomed.process.returncode == -signal.SIGKILL
        assert point in doomed.hits.read_text()
        await toys.send(sent[600:])
        toys.start()
        await toys.settle()
        await toys.check(sent)

    asyncio.run(story())


@pytest.mark.parametrize("point", ["toy.fold.middle", "runtime.publish.before"], ids=["inside", "outside"])
def test_a_stopped_owner_that_wakes_after_a_takeover_is_fenced(toys: Yard, point: str) -> None:
    """Stopped inside its transaction, and outside of one with acked work still to do."""

    async def story() -> None:
        sent = load(1500)
        zombie = toys.start(failpoints=f"{point}=stop@2", TABIJI_POLL_RECORDS="200")
        await toys.send(sent[:800])
        for _ in range(300):
            if zombie.hits.exists() and point in zombie.hits.read_text():
                break
            await asyncio.sleep(0.05)
        heir = toys.start()
        for _ in range(400):
            look = heir.idle()
            if look and look.get("owned") == [0, 1, 2, 3]:
                break
            await asyncio.sleep(0.05)
        else:
            raise AssertionError("nobody took over")
        await toys.send(sent[800:1200])
        await asyncio.sleep(1)
        zombie.signal(signal.SIGCONT)
        await toys.send(sent[1200:])
        await asyncio.sleep(2)
        await toys.settle()
        await toys.check(sent)
        writers = {row["pid"] for row in await toys.rows("SELECT DISTINCT pid FROM applied")}
        assert heir.process.pid in writers

    asyncio.run(story())
