"""What a courier makes of a provider that does what no provider should."""

import asyncio

import httpx
import pytest

from tabiji_common.clock import LiveClock
from tabiji_dispatch.adapters import line
from tabiji_dispatch.adapters.couriers import CourierPool
from tabiji_dispatch.adapters.webhook import trace_of
from tabiji_dispatch.domain.carrier import Carrier
from tabiji_dispatch.domain.message import Intent, Letter
from tabiji_dispatch.domain.outcomes import Lookup, Result, Trace, Verdict
from tests.unit.dispatch.make import NOON, delivery

LETTER = Letter("m1", "email", "c1@example.com", "s", "t", "", "", NOON, "v")


class Buggy:
    """Fails in every way."""

    async def send(self, letter: Letter, timeout: float) -> Verdict:
        raise RuntimeError(letter.address)

    async def look_up(self, key: str, timeout: float) -> Trace:
        raise RuntimeError(key)

    async def close(self) -> None: ...


@pytest.mark.parametrize("in_doubt", [False, True])
async def test_an_attempt_ends_whatever_its_provider_raises(in_doubt: bool) -> None:
    policy = Lookup(1.0)
    verdicts: list[tuple[str, Result]] = []
    carrier = Carrier("smtp", frozenset({"email"}), policy, policy)
    pool = CourierPool({"smtp": (carrier, Buggy())}, clock := LiveClock(), lambda: None)

    def settle(intent: Intent, verdict: Verdict) -> None:
        verdicts.append((intent.delivery.key, verdict.result))
        pool.settled([intent.id])

    pool.deliver_to(settle)
    pool.start([Intent(delivery(in_doubt=in_doubt), LETTER, 1, clock.elapsed(), 60.0)])
    for _ in range(100):
        await asyncio.sleep(0)
    assert verdicts == [("m1", Result.UNKNOWN)]
    assert pool.in_flight() == frozenset(), "an attempt that stays in flight is never reaped"


@pytest.mark.parametrize("inside", ["[" * 100_000 + "]" * 100_000, '{"y":' * 100_000 + "1" + "}" * 100_000])
def test_an_answer_that_is_an_abyss_says_nothing_but_its_status(inside: str) -> None:
    assert trace_of(httpx.Response(200, text=f'{{"x":{inside},"found":true}}')) is Trace.UNSEEN
    assert line.verdict_of(httpx.Response(400, text=f'{{"x":{inside}}}')).result is Result.PERMANENT
