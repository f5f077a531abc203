"""A second provider for a channel, and providers that do not delay each other."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tabiji_dispatch.domain.carrier import Carrier
from tabiji_dispatch.domain.message import Letter
from tabiji_dispatch.domain.outcomes import Keyed, Result, Verdict
from tabiji_dispatch.ports import Provider
from tests.integration.dispatch.bench import NOON, Bench, known, send, settle
from tests.integration.dispatch.receiver import Receiver
from tests.integration.dispatch.sink import Sink
from tests.integration.dispatch.test_webhook import provider_at


class Moody:
    """Answers as it is told, ``by_key`` or all the same, and keeps the keys it took."""

    def __init__(self, result: Result = Result.ACCEPTED) -> None:
        self.result = result
        self.by_key: dict[str, Result] = {}
        self.taken: list[str] = []

    async def send(self, letter: Letter, timeout: float) -> Verdict:
        result = self.by_key.get(letter.key, self.result)
        if result is Result.ACCEPTED:
            self.taken.append(letter.key)
        return Verdict(result, "told")

    async def close(self) -> None:
        """Nothing is open."""


def pair(**slots: int) -> tuple[Moody, Moody, dict[str, tuple[Carrier, Provider]]]:
    first, second = Moody(), Moody()
    lanes: dict[str, tuple[Carrier, Provider]] = {}
    for name, provider in (("first", first), ("second", second)):
        lanes[name] = (Carrier(name, frozenset({"email"}), Keyed(), Keyed(), slots=slots.get(name, 8)), provider)
    return first, second, lanes


def messages(keys: range) -> list[Any]:
    people = [record for n in keys for record in known(f"c{n}")]
    return people + [send(f"m{n}", f"c{n}") for n in keys]


async def keep_on(bench: Bench, turns: int = 10, seconds: float = 2.0) -> None:
    for _ in range(turns):
        bench.clock.skipped += seconds / turns
        await bench.turn()
        await asyncio.sleep(0.02)


async def test_a_stopped_provider_hands_over_what_it_holds_and_what_comes(pool: Any) -> None:
    first, second, lanes = pair()
    first.result = Result.CONFIG
    async with Bench(pool, lanes) as bench:
        await bench.turn(*messages(range(3)))
        await keep_on(bench)
        await bench.turn(*messages(range(3, 6)))
        await bench.settle()
        assert first.taken == []
        assert sorted(second.taken) == [f"m{n}" for n in range(6)]
        assert {(outcome.state, outcome.provider) for outcome in bench.outcomes} == {("sent", "second")}
        await pool.execute("DELETE FROM kill_switch")
        first.result = Result.ACCEPTED
        await bench.turn(*messages(range(6, 7)))
        await bench.settle()
        assert first.taken == ["m6"]


async def test_what_is_beyond_a_providers_quota_goes_by_the_channels_next(pool: Any) -> None:
    first, second, lanes = pair()
    lanes["first"] = (replace(lanes["first"][0], quota=2), first)
    async with Bench(pool, lanes) as bench:
        await bench.turn(*messages(range(5)))
        await bench.settle()
        assert (first.taken, second.taken) == (["m0", "m1"], ["m2", "m3", "m4"])
        await bench.turn(*messages(range(5, 7)))
        await bench.settle()
        assert second.taken[3:] == ["m5", "m6"]
        bench.clock.tick = NOON + timedelta(days=31)
        far = {"decided_at": bench.clock.tick, "not_after": bench.clock.tick + timedelta(days=1)}
        await bench.turn(*known("c9"), send("m9", "c9", **far))
        await bench.settle()
        assert first.taken == ["m0", "m1", "m9"]


async def test_what_a_provider_that_is_gone_has_not_taken_goes_by_another_and_what_it_may_have_is_unknown(
    pool: Any,
) -> None:
    first, second, lanes = pair()
    async with Bench(pool, {"first": lanes["first"]}) as bench:
        first.by_key = {"refused": Result.REFUSED, "doubted": Result.UNKNOWN}
        await bench.turn(*known("c1"), *known("c2"), send("refused", "c1"))
        await keep_on(bench, 2, seconds=0.1)
        await bench.turn(send("doubted", "c2"))
        await keep_on(bench, 2, seconds=0.1)
        assert [await bench.state(key) for key in ("refused", "doubted")] == [
            ("queued", "refused"),
            ("queued", "unknown"),
        ]
    async with Bench(pool, {"second": lanes["second"]}, who="two") as bench:
        await bench.turn(send("next", "c2"))
        await keep_on(bench)
        assert await bench.state("refused") == ("sent", "")
        assert await bench.state("doubted") == ("unknown", "no_provider")
        assert await bench.state("next") == ("sent", ""), "it does not wait for what nobody will try again"
        assert sorted(second.taken) == ["next", "refused"]
        assert ("doubted", "unknown", "no_provider") in bench.said()
        await bench.turn(settle("doubted", "resend", "c2"))
        await keep_on(bench)
        assert await bench.state("doubted") == ("sent", ""), "a person knows that it was not taken"
        assert sorted(second.taken) == ["doubted", "next", "refused"]


async def test_without_any_provider_of_its_channel_a_waiting_message_fails_once_it_is_too_late(pool: Any) -> None:
    first, _, lanes = pair()
    first.result = Result.REFUSED
    async with Bench(pool, {"first": lanes["first"]}) as bench:
        await bench.turn(*known("c1"), send("m1"))
        await keep_on(bench, 2, seconds=0.1)
    async with Bench(pool, {}, who="two") as bench:
        await bench.turn(send("m2"))
        await keep_on(bench)
        assert await bench.state("m2") == ("failed", "no_provider")
        assert await bench.state("m1") == ("queued", "refused"), "a slip in the settings may be mended in time"
        bench.clock.tick += timedelta(hours=25)
        await keep_on(bench)
        assert await bench.state("m1") == ("failed", "no_provider")
        assert sorted(bench.said()) == [("m1", "failed", "no_provider"), ("m2", "failed", "no_provider")]
        assert await pool.fetchval("SELECT count(*) FROM body") == 0


async def test_a_storm_moves_the_channel_and_a_probe_brings_it_back(pool: Any) -> None:
    first, second, lanes = pair(first=5)
    first.result = Result.REFUSED
    async with Bench(pool, lanes) as bench:
        await bench.turn(*messages(range(40)))
        await keep_on(bench)
        assert len(second.taken) >= 38
        assert len(set(second.taken)) == len(second.taken)
        first.result = Result.ACCEPTED
        await keep_on(bench, seconds=100.0)
        await bench.turn(*messages(range(40, 45)))  # one of them is the probe, the others do not wait for it
        await keep_on(bench, seconds=100.0)
        assert len(first.taken) >= 1
        seen = len(second.taken)
        await bench.turn(*messages(range(45, 50)))
        await keep_on(bench)
        assert len(second.taken) == seen
        assert sorted(first.taken + second.taken) == sorted(f"m{n}" for n in range(50))


@pytest.mark.parametrize("stop", [True, False])
async def test_what_may_have_arrived_stays_with_its_provider(pool: Any, stop: bool) -> None:
    first, second, lanes = pair()
    first.result = Result.UNKNOWN
    async with Bench(pool, lanes) as bench:
        await bench.turn(*messages(range(8)))
        await keep_on(bench, turns=3, seconds=0.1)
        if stop:
            await pool.execute(
                "INSERT INTO kill_switch (scope, workspace, name, at) VALUES ('provider', '', 'first', now())"
            )
        await keep_on(bench, seconds=200.0)
        assert second.taken == []
        rows = await pool.fetch("SELECT provider, in_doubt FROM delivery")
        assert {tuple(row) for row in rows} == {("first", True)}


async def test_a_slow_or_storming_provider_delays_no_other(
    pool: Any, smtp: Mapping[str, tuple[Carrier, Provider]], sink: Sink
) -> None:
    """The same mails, alone and beside a provider that answers nothing, and one that refuses everything."""

    async def mails_in(first: int, others: dict[str, tuple[Carrier, Provider]]) -> float:
        loop = asyncio.get_running_loop()
        async with Bench(pool, {**smtp, **others}, lease=20.0) as bench:
            people = [record for n in range(30) for record in known(f"c{n}", phone="+8190")]
            await bench.turn(*people)
            begun = loop.time()
            keys = range(first, first + 30)
            mine = [send(f"mail-{n}", f"c{n % 30}", message_class="transactional") for n in keys]
            theirs = [
                send(f"{channel}-{n}", f"c{n % 30}", channel=channel, message_class="transactional")
                for n in keys
                for channel in ("webhook", "sms")
                if others
            ]
            await bench.turn(*theirs, *mine)
            while len(set(sink.keys()) & {f"mail-{n}" for n in keys}) < 30:
                await bench.turn()
                await asyncio.sleep(0.005)
                assert loop.time() - begun < 60
            return loop.time() - begun

    alone = await mails_in(0, {})
    async with Receiver(cut="reply", how="silent") as slow:
        keyed = Carrier("slow", frozenset({"webhook"}), Keyed(), Keyed(), slots=4, timeout=9.0)
        storm = Carrier("storm", frozenset({"sms"}), Keyed(), Keyed(), slots=4)
        lanes: dict[str, tuple[Carrier, Provider]] = {
            "slow": (keyed, provider_at(slow.url)),
            "storm": (replace(storm, name="storm"), Moody(Result.REFUSED)),
        }
        beside = await mails_in(1000, lanes)
    assert beside < alone * 5 + 2.0, f"{beside:.2f} s beside them, {alone:.2f} s alone"
