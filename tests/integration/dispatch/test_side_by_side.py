"""The loop and the settler write the same rows in transactions of their own: each order of the two is right."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from tabiji_common.postgres import Connection
from tabiji_dispatch.adapters.postgres_intake import PostgresIntake
from tabiji_dispatch.adapters.postgres_truth import PostgresTruth
from tabiji_dispatch.domain.carrier import Carrier
from tabiji_dispatch.domain.message import Letter
from tabiji_dispatch.domain.outcomes import Result, Unkeyed, Verdict
from tabiji_dispatch.domain.reap import Open
from tabiji_dispatch.domain.triage import Cancel
from tests.integration.dispatch.bench import NOON, Bench, known, send

MAIL = Carrier("smtp", frozenset({"email"}), Unkeyed(), Unkeyed(), slots=2, timeout=30)


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to that")


class Answering:
    """A provider that answers when it may."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict, self.go, self.asked = verdict, asyncio.Event(), 0

    async def send(self, letter: Letter, timeout: float) -> Verdict:
        self.asked += 1
        await self.go.wait()
        return self.verdict

    async def close(self) -> None:
        self.go.set()


class Between:
    """A connection; ``meanwhile`` happens after its statement number ``n``."""

    def __init__(self, connection: Any, n: int, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self._connection, self._n, self._meanwhile = connection, n, meanwhile

    async def fetch(self, *arguments: Any) -> Any:
        found = await self._connection.fetch(*arguments)
        self._n -= 1
        if self._n == 0:
            await self._meanwhile()
        return found

    async def execute(self, *arguments: Any) -> Any:
        return await self._connection.execute(*arguments)


@pytest.mark.parametrize("n", [1, 2, 3])
async def test_a_refusal_settled_in_the_midst_of_a_cancel_leaves_nothing_to_be_sent(pool: Any, n: int) -> None:
    """It turns the message from sending to queued between two of the cancel's statements, or after its commit."""
    provider = Answering(Verdict(Result.REFUSED, "busy"))
    async with Bench(pool, {"smtp": (MAIL, provider)}, lease=60) as bench:
        await bench.turn(*known(), send("m1"))

        async def refused() -> None:
            provider.go.set()
            with contextlib.suppress(TimeoutError):  # the cancel's lock may make it wait
                await asyncio.wait_for(until(lambda: not bench.couriers.in_flight()), 0.5)

        async with pool.acquire() as connection, connection.transaction():
            cancels = [Cancel("m1", 0, "demo", "c1")]
            await PostgresIntake().cancel(Between(connection, n, refused), cancels, NOON)  # type: ignore[arg-type]
        await until(lambda: not bench.couriers.in_flight())
        bench.clock.skipped += 5
        await bench.settle()
        assert provider.asked == 1
        assert bench.said() == [("m1", "suppressed", "cancelled")]


class SlowLook(PostgresTruth):
    """Open attempts as they were before ``meanwhile``."""

    async def meanwhile(self) -> None:
        """What happens between the look and what it is used for; a test may."""

    async def open(self, tx: Connection, owned: Sequence[int]) -> list[Open]:
        found = await super().open(tx, owned)
        await self.meanwhile()
        return found


async def test_an_attempt_that_ends_during_a_look_for_lost_ones_is_not_taken_for_one_that_never_started(
    pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, truth = Answering(Verdict(Result.UNKNOWN, "reset")), SlowLook(pool)
    async with Bench(pool, {"smtp": (MAIL, provider)}, lease=60, truth=truth) as bench:
        await bench.turn(*known(), send("m1"))

        async def ends() -> None:
            provider.go.set()
            await until(lambda: not bench.couriers.in_flight())

        monkeypatch.setattr(truth, "meanwhile", ends)
        bench.clock.skipped += 2
        await bench.turn()
        await bench.settle()
        assert bench.said() == [("m1", "unknown", "unknown")]
        results = await pool.fetch("SELECT result, detail FROM attempt_result")
        assert [tuple(row) for row in results] == [("unknown", "reset")]
