"""A provider without keys that can be asked: found is sent, absent is sent again, and no answer is asked again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tabiji_common.clock import LiveClock
from tabiji_dispatch.adapters.webhook import WebhookProvider, trace_of
from tabiji_dispatch.domain.carrier import Carrier
from tabiji_dispatch.domain.outcomes import Lookup, Trace
from tabiji_dispatch.settings import ProviderSettings
from tests.integration.dispatch.bench import Bench, known, send
from tests.integration.dispatch.registry import Registry
from tests.integration.dispatch.test_webhook import SECRET

SETTLE = 30.0


@asynccontextmanager
async def asked(pool: Any) -> AsyncIterator[tuple[Registry, Bench]]:
    async with Registry().serve() as registry:
        settings = ProviderSettings(
            name="asked", kind="webhook", channels=["sms"], url=registry.url, secret=SECRET, lookup_url=registry.look_up
        )
        look_up = Lookup(SETTLE)
        carrier = Carrier("asked", frozenset({"sms"}), look_up, look_up, slots=4, timeout=1.0)
        async with Bench(pool, {"asked": (carrier, WebhookProvider(settings, LiveClock()))}) as bench:
            await bench.turn(*known(phone="+8190"))
            yield registry, bench


async def pass_by(bench: Bench, seconds: float) -> None:
    """Machine time goes on, and turns with it."""
    bench.clock.skipped += seconds
    for _ in range(12):
        await bench.turn()
        await asyncio.sleep(0.03)


def text(key: str) -> Any:
    return send(key, channel="sms", message_class="transactional")


async def test_what_is_found_was_sent_and_is_asked_for_only_after_a_while(pool: Any) -> None:
    async with asked(pool) as (registry, bench):
        registry.silent = 1
        await bench.turn(text("m1"))
        await pass_by(bench, 0)
        await pass_by(bench, SETTLE / 2)
        assert (registry.taken, registry.lookups) == (["m1"], [])
        await pass_by(bench, SETTLE)
        assert bench.said() == [("m1", "sent", "")]
        assert registry.taken == ["m1"]
        results = await pool.fetch("SELECT token, result, detail FROM attempt_result ORDER BY token")
        assert [tuple(row) for row in results] == [(1, "unknown", "500"), (2, "accepted", "looked up")]


async def test_what_is_absent_is_sent_again_once(pool: Any) -> None:
    async with asked(pool) as (registry, bench):
        registry.silent = 1
        await bench.turn(text("m1"))
        await pass_by(bench, 0)
        registry.taken.clear()  # it never got there
        await pass_by(bench, SETTLE + 1)
        assert bench.said() == [("m1", "sent", "")]
        assert registry.taken == ["m1"]


@pytest.mark.parametrize("answer", [(500, ""), (404, "no such page"), (200, "<html>"), (200, "{}"), (302, "")])
async def test_an_answer_that_says_nothing_sends_nothing_and_is_asked_again(pool: Any, answer: tuple[int, str]) -> None:
    async with asked(pool) as (registry, bench):
        registry.silent, registry.answer = 1, answer
        await bench.turn(text("m1"))
        await pass_by(bench, 0)
        for _ in range(3):
            await pass_by(bench, SETTLE + 10)
        assert len(registry.lookups) >= 2
        assert registry.taken == ["m1"]
        assert (await bench.row("m1"))["in_doubt"]
        registry.answer = None
        await pass_by(bench, SETTLE + 60)
        assert bench.said() == [("m1", "sent", "")]
        assert registry.taken == ["m1"]


def test_traces() -> None:
    assert trace_of(httpx.Response(200, json={"found": True})) is Trace.FOUND
    assert trace_of(httpx.Response(404, json={"found": False})) is Trace.ABSENT
    assert trace_of(httpx.Response(503, json={"found": False})) is Trace.UNSEEN
