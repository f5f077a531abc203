"""The ledger on a real database with a real mail server, turn by turn."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tabiji_common import events
from tabiji_common.commands import Withdraw
from tabiji_common.kafka.turn import Received
from tabiji_common.topics import CUSTOMERS, DISPATCH_COMMANDS, ENGAGEMENTS, Mode
from tabiji_dispatch.adapters.postgres_contacts import PostgresContacts
from tabiji_dispatch.adapters.postgres_desk import PostgresDesk
from tabiji_dispatch.domain.carrier import Carrier
from tabiji_dispatch.domain.claim import Rules
from tabiji_dispatch.domain.consent import Contact
from tabiji_dispatch.domain.register import Tie
from tabiji_dispatch.ports import Provider
from tests.integration.dispatch.bench import (
    NOON,
    SECRET,
    Bench,
    cancel,
    identified,
    known,
    received,
    seen,
    send,
    settle,
)
from tests.integration.dispatch.sink import Sink


async def test_a_send_reaches_the_customer_once_and_is_announced(bench: Bench, sink: Sink) -> None:
    await bench.turn(*known(), send("m1", variables={"order": {"id": "o-1"}}))
    await bench.settle()
    [(recipients, message)] = sink.taken
    assert recipients == ["c1@example.com"]
    assert message["subject"] == "山田 花子さま、ご購入ありがとうございます"
    assert message["message-id"] == "<m1@example.com>"
    assert message["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert message["list-unsubscribe"].startswith("<http://127.0.0.1:8010/u/")
    text = message.get_body(("plain",))
    assert text is not None
    assert "o-1 のご注文" in text.get_content()
    assert bench.said() == [("m1", "sent", "")]
    [outcome] = bench.outcomes
    assert (outcome.enrollment, outcome.send_state, outcome.token, outcome.at) == ("e-c1", "thanks", 1, NOON)
    assert await bench.pool.fetchval("SELECT count(*) FROM body") == 0


async def test_the_same_send_again_is_not_sent_again(bench: Bench, sink: Sink) -> None:
    await bench.turn(*known(), send("m1"), send("m1"))
    await bench.settle()
    await bench.turn(send("m1"))
    await bench.settle()
    assert sink.keys() == ["m1"]
    assert bench.said() == [("m1", "sent", "")]


async def test_without_consent_nothing_is_sent(bench: Bench, sink: Sink) -> None:
    [address, _] = known()
    await bench.turn(address, send("m1"), send("m2", message_class="transactional"))
    await bench.settle()
    assert bench.said() == [("m1", "suppressed", "no_consent"), ("m2", "sent", "")]
    assert sink.keys() == ["m2"]


async def test_a_cancel_before_its_send_suppresses_it(bench: Bench, sink: Sink) -> None:
    await bench.turn(*known(), cancel("m1"))
    await bench.turn(send("m1"))
    await bench.settle()
    assert await bench.state("m1") == ("suppressed", "cancelled")
    assert sink.taken == []
    assert bench.outcomes == []


async def test_a_cancel_while_queued_suppresses_it(bench: Bench, sink: Sink) -> None:
    bench.clock.tick = NOON + timedelta(hours=11)  # 23:00 in Tokyo: it is held
    await bench.turn(*known(), send("m1"))
    assert await bench.state("m1") == ("held", "quiet")
    await bench.turn(cancel("m1"))
    await bench.settle()
    assert bench.said() == [("m1", "suppressed", "cancelled")]
    assert sink.taken == []


async def test_a_cancel_after_the_intent_is_counted_and_not_recalled(bench: Bench, sink: Sink) -> None:
    await bench.turn(*known(), send("m1"))
    assert await bench.state("m1") == ("sending", "")
    await bench.turn(cancel("m1"))
    await bench.settle()
    assert sink.keys() == ["m1"]
    [outcome] = bench.outcomes
    assert outcome.state == "sent"
    assert outcome.sent_after_exit


async def test_quiet_hours_hold_marketing_until_they_end(bench: Bench, sink: Sink) -> None:
    bench.clock.tick = NOON + timedelta(hours=11)
    await bench.turn(*known(), send("m1"), send("m2", "c1", message_class="transactional"))
    await bench.settle()
    assert sink.keys() == ["m2"]
    status = await bench.status()
    assert (status.next_due, status.due, status.machine) == (NOON + timedelta(hours=20), 0, 0)
    bench.clock.tick = NOON + timedelta(hours=20)
    await bench.settle()
    assert sink.keys() == ["m2", "m1"]


async def test_a_held_message_blocks_the_later_ones_of_its_customer_and_class_only(bench: Bench, sink: Sink) -> None:
    await stop(bench, "journey", "demo", "f2")
    await bench.turn(
        *known(),
        *known("c2"),
        send("m1"),
        send("m2", journey="cart"),
        send("m3", message_class="transactional", journey="cart"),
        send("m4", "c2", journey="cart"),
    )
    await bench.settle()
    assert sorted(sink.keys()) == ["m3", "m4"]
    assert await bench.state("m1") == ("held", "switch:journey:demo:f2")
    assert await bench.state("m2") == ("queued", "")
    await let_go(bench)
    await bench.settle()
    assert sink.keys()[2:] == ["m1", "m2"]


async def test_a_kill_switch_stops_at_once_and_lets_go_of_all(bench: Bench, sink: Sink) -> None:
    people = [record for n in range(40) for record in known(f"c{n}")]
    await bench.turn(*people, *(send(f"m{n}", f"c{n}") for n in range(40)))
    await stop(bench, "global")
    await bench.settle()
    sent = len(sink.keys())
    assert sent <= 8  # what had an intent when the switch was thrown: no more than there are slots
    await bench.turn(send("late", "c1"))
    await bench.settle()
    assert len(sink.keys()) == sent
    await let_go(bench)
    await bench.settle()
    assert sorted(sink.keys()) == sorted([*(f"m{n}" for n in range(40)), "late"])


async def test_a_message_held_past_its_time_is_late(bench: Bench, sink: Sink) -> None:
    await stop(bench, "global")
    await bench.turn(*known(), send("m1", not_after=NOON + timedelta(hours=1)))
    assert (await bench.status()).next_due == NOON + timedelta(hours=1, microseconds=1)
    bench.clock.tick = NOON + timedelta(hours=1)
    await bench.settle()
    assert await bench.state("m1") == ("held", "switch:global")
    bench.clock.tick = NOON + timedelta(hours=2)
    await bench.settle()
    assert bench.said() == [("m1", "suppressed", "late")]
    assert sink.taken == []


async def test_a_claim_waits_until_what_the_journey_had_seen_is_applied(bench: Bench, sink: Sink) -> None:
    people = known()
    await bench.turn(*people)
    applied = people[-1].offset + 1
    await bench.turn(send("m1", seen=seen(applied + 1)))
    await bench.turn()
    assert await bench.state("m1") == ("queued", "")
    assert (await bench.status()).machine == 1
    withdrawn = events.ConsentWithdrawn(workspace="demo", customer="c1", channel="email")
    await bench.turn(received(CUSTOMERS, withdrawn, "w1", at=NOON))
    await bench.settle()
    assert bench.said() == [("m1", "suppressed", "no_consent")]
    assert sink.taken == []


async def test_a_send_of_another_cluster_waits_for_a_person(bench: Bench, sink: Sink) -> None:
    await bench.turn(
        *known(), send("m1", seen=seen(0, cluster="there")), *known("c2"), send("m2", "c2", seen=seen(0, cluster="x"))
    )
    await bench.settle()
    assert await bench.state("m1") == ("held", "other_cluster:there")
    desk = PostgresDesk(bench.pool, SECRET)
    await desk.accept_cluster("there", "ops", NOON)
    await bench.settle()
    assert sink.keys() == ["m1"]
    await bench.turn(settle("m2", "resend", "c2"))
    await bench.settle()
    assert sink.keys() == ["m1", "m2"]


async def test_a_hard_bounce_and_a_rejected_address_are_left_alone(bench: Bench, sink: Sink) -> None:
    sink.answers["c2@example.com"] = "550 5.1.1 no such user"
    await bench.turn(*known(), *known("c2"))
    bounce = events.EmailBounced(workspace="demo", customer="c1", channel="email")
    await bench.turn(received(ENGAGEMENTS, bounce, "b1", at=NOON))
    await bench.turn(send("m1"), send("m2", "c2"))
    await bench.settle()
    await bench.turn(send("m3", "c2", message_class="transactional"))
    await bench.settle()
    assert sorted(bench.said()) == [
        ("m1", "suppressed", "suppression_list"),
        ("m2", "failed", "permanent"),
        ("m3", "suppressed", "suppression_list"),
    ]
    assert sink.taken == []


async def test_a_late_bounce_leaves_the_address_that_the_customer_has_now(bench: Bench, sink: Sink) -> None:
    await bench.turn(*known(), send("m1"))
    await bench.settle()
    await bench.turn(identified("c1", NOON + timedelta(minutes=1), email="new@example.com"))
    for n, key in enumerate(("m1", "another's", None)):
        bounce = events.EmailBounced(workspace="demo", customer="c1", channel="email", message_key=key)
        await bench.turn(received(ENGAGEMENTS, bounce, f"b{n}", at=NOON + timedelta(seconds=n)))
    await bench.turn(send("m2"), *known("c2", email="c1@example.com"), send("m3", "c2"))
    await bench.settle()
    assert sorted(bench.said())[1:] == [("m2", "sent", ""), ("m3", "suppressed", "suppression_list")]
    assert [recipients for recipients, _ in sink.taken] == [["c1@example.com"], ["new@example.com"]]


async def test_erasure_leaves_no_personal_data_and_no_later_send(bench: Bench, sink: Sink) -> None:
    marker = "marker-7431"
    await stop(bench, "global")
    await bench.turn(*known(email=f"{marker}@example.com", name=marker), send("m1", variables={"note": "x"}))
    await let_go(bench)
    sink.answers[f"{marker}@example.com"] = "451 4.3.0 try later"
    await bench.turn()
    await asyncio.sleep(0.2)  # the attempt is refused; the frozen body waits for the next one
    assert marker in await everything(bench.pool)
    erased = received(CUSTOMERS, events.Erased(workspace="demo", customer="c1"), "erase-1", at=NOON)
    applied = await bench.turn(erased)
    ended, done = applied.records
    assert (ended.type, done.type) == ("outcome", "erasure_done"), "what is told of it lies before that it is done"
    assert done.body == events.ErasureDone(workspace="demo", customer="c1", service="dispatch", until=NOON)
    await bench.settle()
    assert bench.said() == [("m1", "suppressed", "erased")]
    assert marker not in await everything(bench.pool)
    # What is read again, or was decided before, changes nothing; nor does the address under another name.
    await bench.turn(*known(email=f"{marker}@example.com"), send("m2"))
    await bench.turn(*known("c9", email=f"{marker}@example.com"), send("m3", "c9"))
    await bench.settle()
    assert bench.said()[1:] == [("m2", "suppressed", "erased"), ("m3", "suppressed", "suppression_list")]
    assert sink.taken == []


def same(source: str, target: str, side: str, at: datetime, *, sure: bool = True) -> Received:
    body = events.Merged(workspace="demo", customer=side, source=source, target=target, known=sure)
    return received(CUSTOMERS, body, f"same-{source}-{target}-{side}", at=at)


async def test_an_erased_customer_is_in_nobody_elses_row_and_no_late_merge_puts_it_there(bench: Bench) -> None:
    marker, later = "marker-7431", NOON + timedelta(hours=2)
    await bench.turn(
        same("c1", marker, "c1", NOON), same("c1", marker, marker, NOON), same("v1", marker, "v1", NOON, sure=False)
    )
    assert await bench.pool.fetchval("SELECT other FROM merge_pending WHERE customer_key = 'demo:c1'") == marker
    assert await bench.pool.fetchval("SELECT target FROM merged") == marker
    erased = events.Erased(workspace="demo", customer=marker)
    hour = NOON + timedelta(hours=1)
    await bench.turn(same(marker, "c3", marker, NOON), received(CUSTOMERS, erased, "erase-1", at=hour))
    await bench.turn(same("c2", marker, "c2", NOON), same("v2", marker, "v2", NOON, sure=False))
    for table in ("merged", "merge_pending"):
        assert await bench.pool.fetchval(f"SELECT count(*) FROM {table}") == 0
    await bench.turn(same("c2", marker, "c2", later), same("v2", marker, "v2", later, sure=False))
    assert await bench.pool.fetchval("SELECT target FROM merged") == marker, "who came back is somebody new"
    assert await bench.pool.fetchval("SELECT other FROM merge_pending") == marker


async def test_a_merge_and_an_erasure_in_two_processes_at_once_leave_nobody_named(pool: Any) -> None:
    marker, hour = "marker-7431", NOON + timedelta(hours=1)
    book, gone = PostgresContacts(SECRET), Contact("demo", marker, 1, erased_at=hour)
    ties = [Tie(Contact("demo", name, 0), marker, known, NOON) for name, known in (("c1", True), ("v1", False))]

    async def tie(tx: Any) -> None:
        await book.save(tx, [], [], ties)

    async def erase(tx: Any) -> None:
        await book.erase(tx, [gone], hour)

    for first, second in ((tie, erase), (erase, tie)):
        await pool.execute("DELETE FROM erasure")
        async with pool.acquire() as one, pool.acquire() as two:
            begun, behind = one.transaction(), two.transaction()
            await begun.start()
            await behind.start()
            await first(one)
            waiting = asyncio.create_task(second(two))
            await asyncio.wait({waiting}, timeout=1)
            await begun.commit()
            await waiting
            await behind.commit()
        for table in ("merged", "merge_pending"):
            assert await pool.fetchval(f"SELECT count(*) FROM {table}") == 0, (first, table)


async def test_a_frequency_cap_counts_what_this_very_turn_claims(
    pool: Any, smtp: dict[str, tuple[Carrier, Provider]], sink: Sink
) -> None:
    async with Bench(pool, smtp, rules=Rules(cap=1)) as bench:
        await bench.turn(*known(), send("m1"), send("m2"), send("m3", message_class="transactional"))
        await bench.settle()
        assert sorted(bench.said()) == [("m1", "sent", ""), ("m2", "suppressed", "cap"), ("m3", "sent", "")]


async def test_what_can_never_be_sent_fails_with_its_reason(bench: Bench, sink: Sink) -> None:
    await bench.turn(
        *known(),
        send("m1", channel="line"),
        send("m2", template="f2/nowhere"),
        send("m3", template="../../etc"),
        send("m4", template="f2/broken"),
        send("m7", template="f2/plain"),  # marketing that says no way out
        *known("c2", email="two@example.com, three@example.com"),
        send("m5", "c2"),
        replayed(send("m6", "c2")),
    )
    await bench.settle()
    assert sorted(bench.said()) == [
        ("m1", "failed", "no_provider"),
        ("m2", "failed", "template"),
        ("m3", "failed", "template"),
        ("m4", "failed", "template"),
        ("m5", "failed", "permanent"),
        ("m6", "suppressed", "replay"),
        ("m7", "failed", "template"),
    ]
    assert sink.taken == []


async def test_a_send_that_cannot_be_read_is_rejected_and_answered(bench: Bench) -> None:
    good = send("m1")
    bad = replace(good, value=good.value.replace(b'"version":1', b'"version":"one"'), _body=None)
    applied = await bench.turn(bad)
    assert [record for record, _ in applied.rejected] == [bad]
    assert bench.said() == []  # its version cannot be told
    worse = replace(good, value=good.value.replace(b'"decided_at":"2024', b'"decided_at":"x'), _body=None)
    await bench.turn(worse)
    assert bench.said() == [("m1", "failed", "rejected")]


async def test_the_last_word_by_occurred_at_stands(bench: Bench, sink: Sink) -> None:
    await bench.turn(*known(), identified("c1", NOON - timedelta(days=9), email="old@example.com"))
    await bench.turn(identified("c1", NOON, traits={"timezone": "America/New_York"}))
    await bench.turn(send("m1"))  # 23:00 in New York
    assert await bench.state("m1") == ("held", "quiet")
    bench.clock.tick = NOON + timedelta(hours=12)
    await bench.settle()
    assert sink.taken[0][0] == ["c1@example.com"]
    everywhere = events.Unsubscribed(workspace="demo", customer="c1")
    await bench.turn(received(ENGAGEMENTS, everywhere, "u1", at=bench.clock.tick), send("m2"))
    await bench.settle()
    assert bench.said()[-1] == ("m2", "suppressed", "no_consent")


async def test_what_was_withdrawn_as_a_visitor_holds_for_the_customer_also_after_the_merge(
    bench: Bench, sink: Sink
) -> None:
    await bench.turn(*known("member"), *known("other"))
    visitor: dict[str, Any] = {"workspace": "demo", "customer": "cookie", "anonymous": True}
    await bench.turn(received(CUSTOMERS, events.ConsentWithdrawn(**visitor, channel="email"), "no", at=NOON))
    merge = events.Merged(**visitor, source="cookie", target="member")
    assert await withdrawals(bench, received(CUSTOMERS, merge, "m", at=NOON)) == [("member", NOON)]
    await bench.turn(send("m1", "member"), send("m2", "other"))
    await bench.settle()
    assert sorted(bench.said()) == [("m1", "suppressed", "no_consent"), ("m2", "sent", "")]
    later = NOON + timedelta(hours=2)
    agreed = events.ConsentGiven(workspace="demo", customer="member", channel="email")
    await bench.turn(received(CUSTOMERS, agreed, "yes", at=NOON + timedelta(hours=1)))
    gone = received(ENGAGEMENTS, events.Unsubscribed(**visitor, channel="email"), "u", at=later)
    assert await withdrawals(bench, gone) == [("member", later)]
    await bench.turn(send("m3", "member"))
    await bench.settle()
    assert bench.said()[-1] == ("m3", "suppressed", "no_consent")
    assert sink.keys() == ["m2"]


async def withdrawals(bench: Bench, *records: Received) -> list[tuple[str, datetime]]:
    """Apply these, and what they pass on to others; to whom and of when that is."""
    told = [one for one in (await bench.turn(*records)).records if isinstance(one.body, Withdraw)]
    await bench.turn(*(received(DISPATCH_COMMANDS, one.body, one.id, at=one.occurred_at) for one in told))
    return [(one.body.customer, one.occurred_at) for one in told]


async def stop(bench: Bench, scope: str, workspace: str = "", name: str = "") -> None:
    row = {"scope": scope, "workspace": workspace, "name": name, "reason": "test", "set_by": "ops", "at": NOON}
    await PostgresDesk(bench.pool, SECRET).switch(row, on=True)


async def let_go(bench: Bench) -> None:
    await bench.pool.execute("DELETE FROM kill_switch")


async def everything(pool: Any) -> str:
    """All rows of all tables of the schema as text."""
    names = await pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'dispatch'")
    return "\n".join([str(await pool.fetch(f"SELECT * FROM {row[0]}")) for row in names])


def replayed(record: Received) -> Received:
    return replace(record, mode=Mode.REPLAY)
