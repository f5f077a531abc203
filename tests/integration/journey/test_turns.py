"""Turns of the pipeline on a real database."""

from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest
from prometheus_client import REGISTRY

from tabiji_common import commands, events
from tabiji_common.clock import EPOCH
from tabiji_common.commands import CancelMessage, Handover
from tabiji_common.kafka import store
from tabiji_common.kafka.outbox import Row
from tabiji_common.topics import Mode
from tabiji_journey import metrics
from tabiji_journey.adapters.journeys import PublishedJourneys
from tabiji_journey.domain import advance as engine
from tabiji_journey.domain.loader import Shop
from tests.integration.journey.desk import Desk, open_desk
from tests.unit.journey.pipeline.people import CART, MONDAY, THANKS, after, cart, order, outcome, received


@pytest.fixture
async def desk(database: str) -> AsyncIterator[Desk]:
    async with open_desk(database, CART, THANKS) as desk:
        yield desk


def customers(n: int) -> list[str]:
    return [f"c{number}" for number in range(n)]


async def test_a_purchase_thanks_and_the_next_one_converts(desk: Desk) -> None:
    await desk.takes(received(order("1"), "e1", MONDAY))
    (send,) = desk.sends()
    assert (send.journey, send.template, send.seen and send.seen.cluster) == ("thanks", "thanks/thank-you", "test")
    await desk.takes()
    await desk.takes(received(outcome(send, "sent", after(minutes=1)), "o1", after(minutes=1)))
    assert await desk.standing() == [("thanks", "waiting", "arrived", 1)]
    await desk.takes(received(order("2"), "e2", after(days=1)))
    assert await desk.standing() == [("thanks", "exited", "converted", 1)]
    assert [move.kind for move in desk.moves("converted")] == ["converted"]
    await desk.nobody_is_lost(after(days=1))


async def test_the_number_of_statements_does_not_depend_on_the_batch(desk: Desk) -> None:
    seen: list[dict[str, int]] = []
    for size in (1, 2, 200):
        people = [f"{size}-{who}" for who in customers(size)]
        orders = [received(order(f"order {who}", customer=who), f"order {who}", MONDAY) for who in people]
        carts = [received(cart("c", who), f"cart {who}", after(minutes=1)) for who in people]
        await desk.takes(*orders, *carts, release=False)
        seen.append(desk.counted())
    seen.pop(0)  # the first turn also asks the database for its types
    assert seen[0] == seen[1]
    assert sum(seen[0].values()) <= 12, seen[0]


async def test_whoever_entered_waits_finished_or_exited(desk: Desk) -> None:
    people = customers(40)
    await desk.takes(*(received(cart("c", who), f"cart {who}", MONDAY) for who in people))
    buyers = people[::2]
    await desk.takes(*(received(order(f"o {who}", customer=who), f"o {who}", after(hours=1)) for who in buyers))
    for hours in range(4, 24 * 20, 3):
        await desk.takes(now=after(hours=hours))
        answers = [
            received(
                outcome(send, "sent", after(hours=hours), send.customer), f"sent {send.message_key}", after(hours=hours)
            )
            for send in desk.sends()
        ]
        await desk.takes(*answers, now=after(hours=hours))
        await desk.nobody_is_lost(after(hours=hours))
    rows = {row["journey"]: row for row in await desk.views.conservation(after(days=20))}
    assert rows["cart"]["entered"] == 40
    assert (rows["cart"]["finished"], rows["cart"]["exited"]) == (20, {"purchased": 20})
    assert (rows["thanks"]["entered"], rows["thanks"]["finished"]) == (20, 20)
    assert await desk.rows("SELECT * FROM timer") == []


async def test_the_ledger_notices_an_enrollment_that_vanished(desk: Desk) -> None:
    await desk.takes(received(order("1"), "e1", MONDAY))
    await desk.pool.execute("DELETE FROM enrollment")
    (row,) = await desk.views.conservation(MONDAY)
    assert (row["entered"], row["balance"]) == (1, 1)


async def test_a_lost_timer_is_seen_as_stuck(desk: Desk) -> None:
    await desk.takes(received(cart("c1"), "e1", MONDAY))
    await desk.pool.execute("DELETE FROM timer")
    (row,) = await desk.views.conservation(MONDAY)
    assert row["stuck"] == 1


async def test_an_overdue_timer_is_shown_and_nobody_is_stuck(desk: Desk) -> None:
    """After an outage timers are released at a set rate: late is not lost."""
    await desk.takes(received(cart("c1"), "e1", MONDAY))
    await desk.pool.execute("UPDATE state_count SET n = n + 2")
    rows = await desk.views.conservation(after(days=3))
    assert [(row["stuck"], row["overdue"], row["miscounted"]) for row in rows] == [(0, 1, 2)]
    metrics.show(rows)
    shown = (metrics.STUCK, metrics.OVERDUE, metrics.MISCOUNTED)
    assert [REGISTRY.get_sample_value(next(iter(gauge.describe())).name) for gauge in shown] == [0, 1, 2]


async def test_a_send_that_has_not_left_is_withdrawn_and_one_that_has_is_cancelled(desk: Desk) -> None:
    await desk.takes(received(order("1"), "e1", MONDAY), received(order("1", customer="bob"), "b1", MONDAY))
    keys = {send.customer: send.message_key for send in desk.sends()}
    applied = await desk.takes(received(order("2"), "e2", after(minutes=1)), release=False)
    assert applied.withdrawn == {keys["ann"]}
    assert [move.reason for move in desk.moves("suppressed")] == ["exited"]
    await desk.takes()
    await desk.takes(received(order("2", customer="bob"), "b2", after(minutes=1)))
    cancels = [record.body for record in desk.sent if isinstance(record.body, CancelMessage)]
    assert [(cancel.customer, cancel.message_key) for cancel in cancels] == [("bob", keys["bob"])]


async def test_entry_is_revoked_when_the_barrier_shows_that_it_was_no_first_order(desk: Desk) -> None:
    await desk.takes(received(order("1"), "e1", MONDAY))
    (send,) = desk.sends()
    history = received(order("0"), "old", after(days=-9), after(minutes=1), mode=Mode.BACKFILL)
    applied = await desk.takes(history)
    assert applied.withdrawn == {send.message_key}
    assert await desk.standing() == [("thanks", "exited", "entry_revoked", 1)]
    assert desk.sends() == []
    await desk.nobody_is_lost(MONDAY)


async def test_no_event_fires_a_timer_beyond_the_limit_of_its_turn(desk: Desk) -> None:
    await desk.takes(received(cart("c1"), "e1", MONDAY))
    await desk.takes(received(cart("c2"), "e2", after(hours=5)), fire=False, limit=EPOCH)
    assert desk.sends() == []
    await desk.takes(received(cart("c3"), "e3", after(hours=5)), fire=False)
    assert [send.state for send in desk.sends()] == ["reminder"]


async def test_a_new_owner_looks_again_at_sends_that_the_old_one_left(desk: Desk) -> None:
    await desk.takes(received(order("1"), "e1", MONDAY))
    (send,) = desk.sends()
    row = Row.of((0, 1, 1), desk.held[send.message_key], held=True)
    async with desk.pool.acquire() as connection:
        await store.write_outbox(connection, [row])
    await desk.pipeline.changed(frozenset())
    await desk.pipeline.changed(frozenset(range(4)))
    history = received(order("0"), "old", after(days=-9), after(minutes=1), mode=Mode.BACKFILL)
    applied = await desk.takes(history)
    assert applied.withdrawn == {send.message_key}


async def test_the_same_records_again_change_nothing(desk: Desk) -> None:
    records = [received(order("1"), "e1", MONDAY), received(cart("c1"), "e2", after(minutes=1))]
    await desk.takes(*records)
    before = await desk.dump()
    applied = await desk.takes(*records, now=MONDAY)
    assert (applied.records, applied.sends) == ([], [])
    assert await desk.dump() == before


async def test_even_past_the_inbox_an_order_and_a_trigger_count_once(desk: Desk) -> None:
    records = [received(order("1"), "e1", MONDAY), received(cart("c1"), "e2", after(minutes=1))]
    await desk.takes(*records)
    before = await desk.dump()
    await desk.pool.execute("TRUNCATE inbox, inbox_page_view")
    applied = await desk.takes(*records, now=MONDAY)
    assert (applied.records, applied.sends) == ([], [])
    assert await desk.dump() == before


async def test_an_error_in_the_fold_parks_that_customer_and_leaves_no_trace(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.takes(received(cart("c1"), "e1", MONDAY), received(cart("c1", "bob"), "b1", MONDAY))
    before = await desk.dump()
    real = engine.advance

    def broken(definition: object, enrollment: object, *more: object) -> object:
        if getattr(enrollment, "customer", "") == "ann":
            raise ZeroDivisionError("secret@example.com")
        return real(definition, enrollment, *more)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(engine, "advance", broken)
        applied = await desk.takes(
            received(order("1"), "e2", after(minutes=1)), received(order("1", customer="bob"), "b2", after(minutes=1))
        )
    assert list(applied.parked) == ["w:ann"]
    assert "secret" not in applied.parked["w:ann"]
    after_it = await desk.dump()
    assert [row for row in after_it["customer"] if row["key"] == "w:ann"] == [
        row for row in before["customer"] if row["key"] == "w:ann"
    ]
    assert {record.key for record in applied.records} == {"w:bob"}
    assert await desk.standing() == [
        ("cart", "exited", "purchased", 1),
        ("cart", "waiting", "browsing", 1),
        ("thanks", "waiting", "thank", 1),
    ]
    await desk.takes(now=after(days=9))
    rows = {row["journey"]: row for row in await desk.views.conservation(after(days=9))}
    assert (rows["cart"]["parked"], rows["cart"]["stuck"]) == (1, 0), "its timer is held"


async def test_timers_fire_in_bounded_batches_and_ask_for_another_turn(database: str) -> None:
    async with open_desk(database, CART, timers=10) as desk:
        await desk.takes(*(received(cart("c", who), f"cart {who}", MONDAY) for who in customers(25)))
        turns = [await desk.takes(now=after(hours=4)) for _ in range(4)]
        assert [len(turn.sends) for turn in turns] == [10, 10, 5, 0]
        assert [turn.again for turn in turns] == [True, True, False, False]


async def test_no_more_timers_fire_in_a_turn_than_its_budget_allows(desk: Desk) -> None:
    await desk.takes(*(received(cart("c", who), f"cart {who}", MONDAY) for who in customers(25)))
    turns = [await desk.takes(now=after(hours=4), budget=budget) for budget in (10, 0, 20, 20)]
    assert [turn.fired for turn in turns] == [10, 0, 15, 0]


async def test_timers_of_customers_that_are_not_asked_for_wait(desk: Desk) -> None:
    """So that the runtime can find out whose timer PostgreSQL refuses."""
    await desk.takes(*(received(cart("c", who), f"cart {who}", MONDAY) for who in customers(4)))
    applied = await desk.takes(now=after(hours=4), only=frozenset({"w:c2"}))
    assert [record.key for record in applied.sends] == ["w:c2"]
    applied = await desk.takes(now=after(hours=4))
    assert sorted(record.key for record in applied.sends) == ["w:c0", "w:c1", "w:c3"]


async def test_a_journey_whose_condition_keeps_failing_is_paused_and_nobody_is_parked(database: str) -> None:
    faulty = THANKS.replace("customer.order_count == 1", "event.coupon.size() > 3")
    async with open_desk(database, faulty) as desk:
        orders = [received(order(f"o{n}", customer=f"c{n}"), f"e{n}", MONDAY) for n in range(120)]
        applied = await desk.takes(*orders)
        assert applied.parked == {}
        assert await desk.rows("SELECT paused FROM journey_state") == [{"paused": "definition_error"}]


async def test_a_paused_journey_holds_its_timers_and_goes_on_when_it_runs_again(desk: Desk) -> None:
    await desk.takes(received(cart("c1"), "e1", MONDAY))
    assert await desk.publisher.pause("w", "cart", "operator", MONDAY)
    await desk.takes(now=after(days=3))
    assert desk.sends() == []
    (row,) = await desk.views.conservation(after(days=3))
    assert (row["paused"], row["stuck"]) == (1, 0)
    status = await desk.pipeline.status(desk.pool, frozenset(range(4)), after(days=3))  # type: ignore[arg-type]
    assert (status.next_due, status.due) == (None, 0)
    await desk.publisher.pause("w", "cart", None, after(days=3))
    status = await desk.pipeline.status(desk.pool, frozenset(range(4)), after(days=3))  # type: ignore[arg-type]
    assert (status.next_due, status.due) == (after(hours=4), 1)
    await desk.takes(now=after(days=3))
    assert await desk.standing() == [("cart", "finished", "left", 1)]
    assert [move.reason for move in desk.moves("suppressed")] == ["late", "late"], (
        "nobody gets three days of mail at once"
    )


async def test_a_paused_customer_has_a_held_timer_until_resumed(desk: Desk) -> None:
    await desk.takes(received(cart("c1"), "e1", MONDAY))
    pause = commands.Pause(workspace="w", customer="ann", journey="cart")
    await desk.takes(received(pause, "p1", after(hours=1)), now=after(days=2))
    assert desk.sends() == []
    assert await desk.rows("SELECT held FROM timer") == [{"held": True}]
    resume = commands.Pause(workspace="w", customer="ann", journey="cart", on=False)
    await desk.takes(received(resume, "p2", after(days=2)), now=after(days=2))
    assert [send.state for send in desk.sends()] == ["reminder"]


async def test_people_inside_stay_on_their_version_and_new_ones_enter_the_newest(desk: Desk) -> None:
    await desk.takes(received(cart("c1"), "e1", MONDAY))
    await desk.publish(CART.replace("{for: 4h}", "{for: 2h}"))
    await desk.takes(received(cart("c1", "bob"), "b1", MONDAY))
    await desk.takes(now=after(hours=2))
    assert [(send.customer, send.version) for send in desk.sends()] == [("bob", 2)]
    await desk.takes(now=after(hours=4))
    assert [(send.customer, send.version) for send in desk.sends()] == [("bob", 2), ("ann", 1)]


async def test_a_published_version_cannot_be_changed(desk: Desk) -> None:
    with pytest.raises(Exception, match="never change"):
        await desk.pool.execute("UPDATE journey_version SET source = ''")
    with pytest.raises(Exception, match="never change"):
        await desk.pool.execute("DELETE FROM entry_ledger")


async def test_a_visitors_events_are_kept_up_to_the_limits_and_handed_over_once(database: str) -> None:
    async with open_desk(database, CART, keep_events=3, keep_for=timedelta(days=30)) as desk:
        seen = [received(cart(f"c{n}", "cookie", anonymous=True), f"e{n}", after(minutes=n)) for n in range(5)]
        await desk.takes(*seen)
        assert [row["id"] for row in await desk.rows("SELECT id FROM anonymous_event ORDER BY n")] == ["e2", "e3", "e4"]
        merged = events.Merged(workspace="w", customer="cookie", source="cookie", target="ann")
        later = received(cart("c9", "cookie", anonymous=True), "e9", after(hours=2))
        await desk.takes(received(merged, "m", after(hours=1)), later)
        handed = [r for r in desk.sent if isinstance(r.body, Handover)]
        assert [(r.key, r.body.original_id, r.body.hops, r.occurred_at) for r in handed] == [
            ("w:ann", "e2", 1, after(minutes=2)),
            ("w:ann", "e3", 1, after(minutes=3)),
            ("w:ann", "e4", 1, after(minutes=4)),
            ("w:ann", "e9", 1, after(hours=2)),
        ]
        assert await desk.rows("SELECT * FROM anonymous_event") == []
        records = [received(r.body, r.id, r.occurred_at, after(hours=2)) for r in handed]
        await desk.takes(*records)
        await desk.takes(*records)
        assert await desk.standing() == [("cart", "waiting", "browsing", 4)]


async def test_what_is_kept_too_long_is_swept_out(database: str) -> None:
    async with open_desk(database, CART) as desk:
        await desk.takes(received(cart("c1", "cookie", anonymous=True), "e1", MONDAY))
        await desk.takes(now=after(days=30))
        assert len(await desk.rows("SELECT * FROM anonymous_event")) == 1
        await desk.takes(now=after(days=31))
        assert await desk.rows("SELECT * FROM anonymous_event") == []


async def test_an_event_that_came_directly_is_not_applied_again_by_a_handover(desk: Desk) -> None:
    direct = received(cart("c1"), "e1", MONDAY)
    await desk.takes(direct)
    body = commands.Handover(
        workspace="w",
        customer="ann",
        original_id="e1",
        original_type="product_added",
        original_source="test",
        original_topic=direct.topic,
        occurred_at=MONDAY,
        value=direct.value.decode(),
    )
    before = await desk.dump()
    await desk.takes(received(body, "h", MONDAY, after(minutes=5)))
    assert await desk.dump() == before


async def test_two_known_customers_said_to_be_one_are_noted(desk: Desk) -> None:
    body = events.Merged(workspace="w", customer="ann", source="ann", target="bea", known=True)
    await desk.takes(received(body, "m", MONDAY), received(body, "m2", after(minutes=1)))
    assert await desk.rows("SELECT customer, other FROM merge_pending") == [{"customer": "w:ann", "other": "bea"}]


async def test_an_erased_customer_is_nowhere_and_still_counted(desk: Desk) -> None:
    who = "find-me"
    await desk.takes(
        received(events.Merged(workspace="w", customer=who, source="cookie", target=who), "m", MONDAY),
        received(order("1", customer=who), "e1", MONDAY),
        received(cart("c1", who), "e2", after(minutes=1)),
    )
    await desk.takes()
    await desk.takes(received(events.Erased(workspace="w", customer=who), "forget", after(hours=1)))
    for table, left in (await desk.dump()).items():
        assert who not in str(left), table
    rows = {row["journey"]: row for row in await desk.views.conservation(after(hours=1))}
    assert (rows["cart"]["entered"], rows["cart"]["exited"]) == (1, {"erased": 1})
    await desk.nobody_is_lost(after(hours=1))
    visitor, done = [r for r in desk.sent if r.topic.name == "events.customer.v1"]
    assert [(r.type, r.key) for r in (visitor, done)] == [("erased", "w:cookie"), ("erasure_done", f"w:{who}")]
    assert visitor.occurred_at == done.body.until == after(hours=1), "who comes back is not forgotten with it"
    assert len([r for r in desk.sent if isinstance(r.body, CancelMessage)]) == 1
    body = events.ErasureDone(workspace="w", customer=who, service="dispatch")
    await desk.takes(received(body, "done", after(hours=2)))
    assert await desk.rows("SELECT * FROM customer WHERE key = $1", f"w:{who}") == []
    await desk.takes(received(cart("c1", who), "e3", after(hours=3)))
    await desk.nobody_is_lost(after(hours=3))


@pytest.mark.parametrize("at_once", [True, False])
async def test_who_comes_back_after_an_erasure_begins_anew(desk: Desk, at_once: bool) -> None:
    await desk.takes(received(order("1"), "e1", MONDAY))
    await desk.takes()
    gone = received(events.Erased(workspace="w", customer="ann"), "forget", after(hours=1))
    back = received(order("2"), "e2", after(hours=2))
    for turn in [[gone, back]] if at_once else [[gone], [back]]:
        await desk.takes(*turn)
    await desk.takes()
    first, second = desk.sends()
    assert first.message_key != second.message_key, "dispatch sends no key twice"
    moves = await desk.rows("SELECT seq, kind, reason FROM transition ORDER BY seq")
    assert [(row["seq"], row["kind"]) for row in moves][:1] == [(1, "entered")]
    assert "erased" not in {row["reason"] for row in moves}, "the one before is nobody's"
    assert await desk.standing() == [("thanks", "exited", "erased", 1), ("thanks", "waiting", "thank", 1)]
    await desk.nobody_is_lost(after(hours=2))


async def test_a_handover_that_comes_after_the_erasure_brings_nothing_back(desk: Desk) -> None:
    who = "find-me"
    seen = received(cart("c1", "cookie", anonymous=True), "v1", MONDAY)
    merged = [events.Merged(workspace="w", customer=side, source="cookie", target=who) for side in ("cookie", who)]
    await desk.takes(received(order("1", customer=who), "e1", MONDAY))
    await desk.takes(seen, received(merged[0], "m", after(minutes=5)))
    (handed,) = [record.body for record in desk.sent if isinstance(record.body, Handover)]
    await desk.takes(received(merged[1], "m", after(minutes=5)))
    await desk.takes(received(events.Erased(workspace="w", customer=who), "forget", after(hours=1)))
    (visitor,) = [record.body for record in desk.sent if isinstance(record.body, events.Erased)]
    await desk.takes(received(visitor, "forget too", after(hours=1)))
    await desk.takes(received(handed, "h", after(minutes=5), after(hours=1)))
    for table, left in (await desk.dump()).items():
        assert who not in str(left), table

    await desk.takes(received(cart("c2", who), "e2", after(hours=2)))
    assert ("cart", "waiting", "browsing", 1) in await desk.standing()
    other = msgspec.structs.replace(handed, original_id="v2")
    await desk.takes(received(other, "h2", after(minutes=5), after(hours=3)))
    assert ("cart", "waiting", "browsing", 1) in await desk.standing(), "known again, and still erased until then"


async def test_a_record_that_no_journey_can_apply_is_rejected(desk: Desk) -> None:
    broken = received(order("1"), "e1", MONDAY)
    broken.type = "order_exploded"
    nowhere = received(commands.Enroll(workspace="w", customer="ann", journey="nowhere"), "x", MONDAY)
    applied = await desk.takes(broken, nowhere)
    assert [reason for _, reason in applied.rejected] == [
        "ce_type: unknown type 'order_exploded' on events.purchase.v1",
        "no journey 'nowhere'",
    ]


async def test_a_version_that_this_code_cannot_read_keeps_its_people_waiting(desk: Desk) -> None:
    await desk.takes(received(cart("c1"), "e1", MONDAY))
    broken = CART.replace("for: 4h", "for: 4 moons")
    await desk.pool.execute(
        "INSERT INTO journey_version SELECT workspace, journey, 2, published_at, file, $1, definition"
        " FROM journey_version WHERE journey = 'cart'",
        broken,
    )
    await desk.pool.execute("UPDATE journey_state SET version = 2 WHERE journey = 'cart'")
    await desk.takes(received(cart("c2"), "e2", after(minutes=5)), received(order("1"), "e3", after(minutes=6)))
    await desk.takes(now=after(days=1))
    assert await desk.standing() == [("cart", "exited", "purchased", 1), ("thanks", "waiting", "thank", 1)]
    (running,) = [row for row in await desk.views.journeys("w") if row["journey"] == "thanks"]
    assert running["paused"] is None


async def test_a_visitor_who_was_merged_is_not_enrolled_by_hand(desk: Desk) -> None:
    await desk.takes(
        received(events.Merged(workspace="w", customer="cookie", source="cookie", target="ann"), "m", MONDAY)
    )
    enroll = commands.Enroll(workspace="w", customer="cookie", journey="cart")
    applied = await desk.takes(received(enroll, "x", MONDAY))
    assert len(applied.rejected) == 1
    assert await desk.standing() == []


async def test_a_customer_paused_within_a_paused_journey_keeps_no_other_from_its_timer(database: str) -> None:
    async with open_desk(database, CART, timers=1) as desk:
        await desk.takes(received(cart("c1"), "e1", MONDAY))
        await desk.publisher.pause("w", "cart", "operator", after(hours=1))
        await desk.takes(received(order("0", cart_id="other"), "e2", after(hours=1)))
        pause = commands.Pause(workspace="w", customer="ann", journey="cart")
        await desk.takes(received(pause, "p1", after(hours=2)))
        await desk.publisher.pause("w", "cart", None, after(hours=3))
        await desk.takes(received(cart("c2", "bob"), "b1", after(hours=3)))
        status = await desk.pipeline.status(desk.pool, frozenset(range(4)), after(hours=3))  # type: ignore[arg-type]
        assert status.due == 0, "who is paused is not due"
        await desk.takes(now=after(hours=8))
        assert [(send.customer, send.state) for send in desk.sends()] == [("bob", "reminder")]


async def test_people_of_a_version_that_cannot_be_read_keep_no_other_from_its_timer(database: str) -> None:
    async with open_desk(database, CART, timers=1) as desk:
        await desk.takes(received(cart("c1"), "e1", MONDAY))
        await desk.publish(CART.replace("4h", "5h"))
        await desk.takes(received(cart("c2", "bob"), "b1", MONDAY))
        await desk.pool.execute("ALTER TABLE journey_version DISABLE TRIGGER ALL")
        await desk.pool.execute(
            "UPDATE journey_version SET source = $1 WHERE version = 1", CART.replace("for: 4h", "for: 4 moons")
        )
        desk.pipeline._journeys = PublishedJourneys(Shop())
        await desk.takes(now=after(hours=8))
        await desk.takes(now=after(hours=8))
        status = await desk.pipeline.status(desk.pool, frozenset(range(4)), after(hours=8))  # type: ignore[arg-type]
        assert status.due == 0, "who cannot go on is not due"
        assert [(send.customer, send.state) for send in desk.sends()] == [("bob", "reminder")]


async def test_what_was_erased_before_the_merge_is_not_handed_over(desk: Desk) -> None:
    seen = events.PageViewed(workspace="w", customer="cookie", anonymous=True, pii={"email": "a@example.jp"})
    await desk.takes(received(seen, "v1", MONDAY))
    erased = events.Erased(workspace="w", customer="cookie", anonymous=True)
    merged = events.Merged(workspace="w", customer="cookie", source="cookie", target="ann", anonymous=True)
    await desk.takes(received(erased, "x", after(minutes=1)), received(merged, "m", after(minutes=2)))
    assert [record.body for record in desk.sent if isinstance(record.body, Handover)] == []
    assert await desk.rows("SELECT * FROM anonymous_event") == []
