"""The ledger on a real database with a real mail server, turn by turn."""

from datetime import timedelta
from typing import Any

from tests.integration.dispatch.bench import NOON, Bench, cancel, known, send
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
    assert text is not None and "o-1 のご注文" in text.get_content()
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
    assert sink.taken == [] and bench.outcomes == []


async def test_a_cancel_while_queued_suppresses_it(bench: Bench, sink: Sink) -> None:
    bench.clock.tick = NOON + timedelta(hours=11)  # 23:00 in Tokyo: it is held
    await bench.turn(*known(), send("m1"))
    assert await bench.state("m1") == ("held", "quiet")
    await bench.turn(cancel("m1"))
    await bench.settle()
    assert bench.said() == [("m1", "suppressed", "cancelled")] and sink.taken == []


async def test_a_cancel_after_the_intent_is_counted_and_not_recalled(bench: Bench, sink: Sink) -> None:
    await bench.turn(*known(), send("m1"))
    assert await bench.state("m1") == ("sending", "")
    await bench.turn(cancel("m1"))
    await bench.settle()
    assert sink.keys() == ["m1"]
    [outcome] = bench.outcomes
    assert outcome.state == "sent" and outcome.sent_after_exit


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


