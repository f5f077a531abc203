"""Attempts on a real database: refusals, back-off, leases, late truths, policies on unknown, restore mode."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tabiji_cli.stack.ports import free_port
from tabiji_common.clock import LiveClock
from tabiji_common.failpoints import arm
from tabiji_common.kafka.restore import RestoreGuard
from tabiji_dispatch.adapters.postgres_desk import PostgresDesk
from tabiji_dispatch.adapters.restore import RestoreWatch
from tabiji_dispatch.adapters.smtp import SmtpProvider
from tabiji_dispatch.domain.carrier import Carrier
from tabiji_dispatch.domain.message import Letter
from tabiji_dispatch.domain.outcomes import Result, Unkeyed, Verdict
from tabiji_dispatch.ports import Provider
from tabiji_dispatch.settings import ProviderSettings
from tests.integration.dispatch.bench import NOON, SECRET, Bench, known, send, settle
from tests.integration.dispatch.scripted import Script

Lanes = dict[str, tuple[Carrier, Provider]]


def smtp_at(port: int, *, resends: int = 0, slots: int = 4, timeout: float = 0.5, attempts: int = 12) -> Lanes:
    settings = ProviderSettings(name="smtp", channels=["email"], port=port)
    carrier = Carrier(
        "smtp",
        frozenset({"email"}),
        Unkeyed(),
        Unkeyed(resends),
        slots=slots,
        timeout=timeout,
        attempts=attempts,
    )
    return {"smtp": (carrier, SmtpProvider(settings, LiveClock()))}


async def becomes(bench: Bench, key: str, state: str) -> None:
    for _ in range(6000):
        if (await bench.state(key))[0] == state:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(await bench.state(key))


async def test_a_refused_message_goes_out_later_with_the_same_body(pool: Any) -> None:
    async with Script(cut="data", times=1) as script, Bench(pool, smtp_at(script.port)) as bench:
        await bench.turn(*known(), send("m1"))
        await becomes(bench, "m1", "queued")
        await bench.turn(*known(at=NOON, name="別の名前"))
        assert (await bench.row("m1"))["attempts"] == 1
        assert script.taken == 0  # it backs off
        bench.clock.skipped += 5
        await bench.settle()
        assert bench.said() == [("m1", "sent", "")]
        digests = await pool.fetch("SELECT DISTINCT request FROM attempt")
        assert len(digests) == 1


async def test_a_message_refused_too_often_fails(pool: Any) -> None:
    async with Script(cut="rcpt") as script, Bench(pool, smtp_at(script.port, attempts=2)) as bench:
        await bench.turn(*known(), send("m1"))
        await becomes(bench, "m1", "queued")
        bench.clock.skipped += 5
        await bench.turn()
        await becomes(bench, "m1", "failed")
        await bench.settle()
        assert bench.said() == [("m1", "failed", "refused")]


async def test_an_outage_fails_nothing_until_it_is_late(pool: Any) -> None:
    async with Bench(pool, smtp_at(free_port(), attempts=2)) as bench:
        await bench.turn(*known())
        await bench.turn(send("m1"))
        await attempted(bench, "m1", 1)
        for n in range(2, 13):
            bench.clock.skipped += 400
            await bench.turn()
            await attempted(bench, "m1", n)
        assert (await bench.state("m1"), (await bench.row("m1"))["attempts"]) == (("queued", "refused"), 0)
        bench.clock.tick = NOON + timedelta(days=2)
        bench.clock.skipped += 400
        await bench.settle()
        assert bench.said() == [("m1", "suppressed", "late")]


async def attempted(bench: Bench, key: str, token: int) -> None:
    for _ in range(6000):
        row = await bench.row(key)
        if row["token"] == token and row["state"] != "sending":
            return
        await asyncio.sleep(0.01)
    raise AssertionError(await bench.state(key))


async def test_an_unknown_mail_is_shown_and_settled_by_a_person_once(pool: Any) -> None:
    async with Script(cut="before_dot_reply", times=1) as script, Bench(pool, smtp_at(script.port)) as bench:
        await bench.turn(*known(), *known("c2"), send("m1"))
        await bench.settle()
        assert bench.said() == [("m1", "unknown", "unknown")]
        bench.clock.skipped += 100
        await bench.settle()
        assert len(script.bodies) == 1  # never a silent resend
        [shown] = await PostgresDesk(pool, SECRET).unknown("demo", 10)
        assert shown["message_key"] == "m1"
        await bench.turn(settle("m1", "resend", id_="person-1"))
        await bench.turn(settle("m1", "resend", id_="person-1"))
        await bench.settle()
        assert bench.said() == [("m1", "unknown", "unknown"), ("m1", "sent", "")]
        assert len(script.bodies) == 2
        await bench.turn(settle("m1", "failed", id_="person-2"))
        assert await bench.state("m1") == ("sent", "")


async def test_at_least_once_resends_a_transactional_mail_and_counts_the_risk(pool: Any) -> None:
    async with Script(cut="before_dot_reply", times=2) as script, Bench(pool, smtp_at(script.port, resends=2)) as bench:
        await bench.turn(*known(), send("m1", message_class="transactional"))
        for _ in range(2):
            await becomes(bench, "m1", "queued")
            bench.clock.skipped += 10
            await bench.turn()
        await bench.settle()
        assert bench.said() == [("m1", "sent", "")]
        assert len(script.bodies) == 3


async def test_at_least_once_gives_up_after_its_resends(pool: Any) -> None:
    async with Script(cut="before_dot_reply") as script, Bench(pool, smtp_at(script.port, resends=1)) as bench:
        await bench.turn(*known(), send("m1", message_class="transactional"))
        await becomes(bench, "m1", "queued")
        bench.clock.skipped += 10
        await bench.turn()
        await bench.settle()
        assert bench.said() == [("m1", "unknown", "unknown")]
        assert len(script.bodies) == 2


async def test_a_successor_reaps_only_after_a_lease_of_its_own(pool: Any) -> None:
    async with Script(cut="mail", how="silent") as script:
        first = Bench(pool, smtp_at(script.port, timeout=30), lease=60, who="first")
        await first.turn(*known(), send("m1"))  # and then it is gone
        async with Bench(pool, smtp_at(script.port), lease=60, who="second") as second:
            second.clock.skipped += 61  # the lease is over on the wall, but this process has only just seen it
            await second.turn()
            assert await second.state("m1") == ("sending", "")
            second.clock.skipped += 59
            await second.turn()
            assert await second.state("m1") == ("sending", "")
            second.clock.skipped += 2
            await second.turn()
            await second.turn()
            assert second.said() == [("m1", "unknown", "unknown")]
        await first.couriers.drain(0)


async def test_a_late_truth_corrects_unknown_and_is_announced(pool: Any) -> None:
    slow = Slow()
    carrier = Carrier("smtp", frozenset({"email"}), Unkeyed(), Unkeyed(), slots=2, timeout=30)
    async with Bench(pool, {"smtp": (carrier, slow)}, lease=60, who="first") as first:
        await first.turn(*known(), send("m1"), send("m2"))
        async with Bench(pool, {"smtp": (carrier, slow)}, lease=60, who="second") as second:
            await second.turn()
            second.clock.skipped += 61
            await second.turn()
            await second.turn()
            assert second.said() == [("m1", "unknown", "unknown")]
            slow.go.set()
            await becomes(first, "m1", "sent")
            second.clock.skipped += 2
            await second.settle()
            assert ("m1", "sent", "") in second.said()
            assert slow.taken.count("m1") == 1


async def test_a_send_that_comes_too_late_after_its_intent_is_given_up_unsent(pool: Any) -> None:
    async with Script() as script, Bench(pool, smtp_at(script.port), lease=0.4) as bench:
        arm("dispatch.send.before=sleep:0.3")
        try:
            await bench.turn(*known(), send("m1"))
            await becomes(bench, "m1", "queued")
        finally:
            arm("")
        assert script.taken == 0
        assert (await bench.row("m1"))["attempts"] == 0
        await bench.settle()
        assert bench.said() == [("m1", "sent", "")]


async def test_an_intent_whose_commit_nobody_heard_of_is_sent_by_the_next_attempt(pool: Any) -> None:
    async with Script() as script, Bench(pool, smtp_at(script.port), lease=60) as bench:
        await bench.turn(*known(), send("m1"), commit=False)
        assert await bench.state("m1") == ("sending", "")
        await bench.pipeline.changed(frozenset({0}))
        await bench.settle()
        assert bench.said() == [("m1", "sent", "")]
        assert script.taken == 1


async def test_a_storm_of_refusals_opens_the_breaker(pool: Any) -> None:
    async with Script(cut="banner", times=5) as script, Bench(pool, smtp_at(script.port, slots=2)) as bench:
        people = [record for n in range(30) for record in known(f"c{n}")]
        await bench.turn(*people, *(send(f"m{n}", f"c{n}") for n in range(30)))
        for _ in range(30):
            await bench.turn()
            await asyncio.sleep(0.01)
        assert script.connections <= 7
        for _ in range(10):
            bench.clock.skipped += 20
            await bench.turn()
            await asyncio.sleep(0.05)
        await bench.settle()
        assert script.taken == 30


async def test_a_slow_provider_does_not_delay_another(pool: Any) -> None:
    slow = Slow()
    lanes: Lanes = {
        "slow": (Carrier("slow", frozenset({"sms"}), Unkeyed(), Unkeyed(), slots=2, timeout=30), slow),
    }
    async with Script() as script:
        lanes |= smtp_at(script.port)
        async with Bench(pool, lanes, lease=120) as bench:
            sms = [send(f"s{n}", f"c{n}", channel="sms", message_class="transactional") for n in range(300)]
            people = [record for n in range(300) for record in known(f"c{n}", phone=f"+81{n}")]
            await bench.turn(*people, *sms)
            await bench.turn(*(send(f"m{n}", f"c{n}") for n in range(10)))
            for _ in range(3000):
                await bench.turn()
                await asyncio.sleep(0.01)
                if script.taken == 10:
                    break
            assert script.taken == 10
            slow.go.set()


async def test_a_rate_is_kept_in_machine_time(pool: Any) -> None:
    fast = Slow()
    fast.go.set()
    carrier = Carrier("smtp", frozenset({"email"}), Unkeyed(), Unkeyed(), slots=50, rate=20)
    async with Bench(pool, {"smtp": (carrier, fast)}) as bench:
        people = [record for n in range(40) for record in known(f"c{n}")]
        await bench.turn(*people, *(send(f"m{n}", f"c{n}") for n in range(40)))
        begun = asyncio.get_running_loop().time()
        await bench.settle()
        assert len(fast.taken) == 40
        assert asyncio.get_running_loop().time() - begun > 0.9  # 20 at once, 20 more in a second


async def test_a_restored_or_cloned_database_holds_every_send_until_a_person_releases_it(pool: Any) -> None:
    async with Script() as script, Bench(pool, smtp_at(script.port)) as bench:
        watch = RestoreWatch(pool, bench.clock, 1)
        assert await watch.examine() == ""
        assert await watch.examine() == ""
        await pool.execute("UPDATE installation SET timeline = timeline + 1, system_identifier = 'another'")
        assert await RestoreWatch(pool, bench.clock, 1).examine() == "system_identifier, timeline"
        await bench.turn(*known(), send("m1", not_after=NOON))
        await bench.settle()
        assert await bench.state("m1") == ("held", "restore")
        assert script.taken == 0
        assert await watch.release("ops")
        await bench.settle()
        assert bench.said() == [("m1", "sent", "")]
        assert await RestoreWatch(pool, bench.clock, 1).examine() == ""


async def test_a_turn_that_the_runtime_misses_holds_every_send_and_one_release_is_for_both(pool: Any) -> None:
    async with Script() as script, Bench(pool, smtp_at(script.port)) as bench:
        watch = RestoreWatch(pool, bench.clock, 1)
        assert await watch.examine() == ""
        runtime = RestoreGuard("dispatch")
        runtime.lost("turn 7 was committed")
        async with pool.acquire() as connection:
            await runtime.examine(connection)
        await bench.turn(*known(), send("m1", not_after=NOON))
        await bench.settle()
        assert await bench.state("m1") == ("held", "restore")
        desk = PostgresDesk(pool, SECRET)
        assert await desk.restore() == {"restore": True, "why": "turn 7 was committed", "released_by": ""}
        assert await watch.release("ops")
        await bench.settle()
        assert bench.said() == [("m1", "sent", "")]
        assert await desk.restore() == {"restore": False, "why": "", "released_by": "ops"}
        runtime.written()
        await runtime.look(pool)
        assert runtime.why == ""


async def test_a_heartbeat_that_went_back_holds_every_send(pool: Any) -> None:
    async with Script() as script, Bench(pool, smtp_at(script.port)) as bench:
        watch = RestoreWatch(pool, bench.clock, 1)
        await watch.examine()
        for _ in range(3):
            await watch.beat()
        await pool.execute("UPDATE installation SET beat = 1")  # a standby that lagged
        await watch.beat()
        await bench.turn(*known(), send("m1"))
        await bench.settle()
        assert await bench.state("m1") == ("held", "restore")
        assert script.taken == 0


async def test_messages_of_a_provider_that_is_no_longer_set_up_go_by_the_channels_new_one(pool: Any) -> None:
    async with Script() as script:
        before = {"old": smtp_at(script.port)["smtp"]}
        async with Bench(pool, {"old": (replace(before["old"][0], name="old", slots=0), before["old"][1])}) as bench:
            await bench.turn(*known(), send("m1"))
            assert (await bench.row("m1"))["provider"] == "old"
        async with Bench(pool, smtp_at(script.port)) as bench:
            await bench.settle()
            assert bench.said() == [("m1", "sent", "")]


class Slow:
    """Takes everything, and answers once it may."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.taken: list[str] = []

    async def send(self, letter: Letter, timeout: float) -> Verdict:
        self.taken.append(letter.key)
        await self.go.wait()
        return Verdict(Result.ACCEPTED)

    async def close(self) -> None:
        self.go.set()
