"""An anonymous visitor's facts become the customer's; an erased customer's stay, under a random id."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from tabiji_common import events
from tabiji_common.commands import FactsHandover, Outcome, Transition
from tabiji_common.kafka.turn import Received
from tabiji_common.topics import ANALYTICS_HANDOVERS, CUSTOMERS, ENGAGEMENTS, OUTCOMES, PAGE_VIEWS, TRANSITIONS
from tests.integration.analytics.yard import NOW, Yard, at, cancel, order, received, record, refund


def merged(source: str, target: str, *, under: str | None = None, known: bool = False) -> Received:
    body = events.Merged(workspace="demo", customer=under or source, source=source, target=target, known=known)
    return record(CUSTOMERS, body, f"m-{source}-{target}-{under}", "2024-04-01")


def erased(customer: str, event: str = "gone") -> Received:
    return record(CUSTOMERS, events.Erased(workspace="demo", customer=customer), event, "2024-05-01")


def viewed(customer: str, when: str, medium: str) -> Received:
    body = events.PageViewed(workspace="demo", customer=customer, medium=medium, anonymous=True)
    return record(PAGE_VIEWS, body, f"v-{customer}-{when}", when)


async def sizes(yard: Yard) -> dict[str, int]:
    rows = await yard.view("retention_monthly")
    return {row["cohort_month"]: row["cohort_size"] for row in rows if row["month_index"] == 0}


async def assert_true(yard: Yard) -> None:
    drift = await yard.drift()
    assert drift.differences == []


async def test_the_visitors_orders_and_medium_become_the_customers(yard: Yard) -> None:
    await yard.feed([viewed("anon", "2024-01-01", "cpc"), order("anon", "1", "2024-01-10", 300)])
    await yard.feed([order("ann", "2", "2024-03-10", 500)])
    assert await sizes(yard) == {"2024-01": 1, "2024-03": 1}

    turns = await yard.feed([merged("anon", "ann"), merged("anon", "ann", under="ann")])

    assert [one.key for turn in turns for one in turn.records] == ["demo:ann"]
    assert await sizes(yard) == {"2024-01": 1}
    assert {row["medium"] for row in await yard.view("ltv_by_medium")} == {"cpc"}
    await assert_true(yard)


async def test_between_minus_there_and_plus_here_the_views_are_still_true(yard: Yard) -> None:
    await yard.feed(
        [order("anon", "1", "2024-01-10", 300), refund("anon", "1", "2024-01-11", 100), cancel("anon", "9")]
    )
    applied = await yard.turn([merged("anon", "ann")])
    assert await sizes(yard) == {}
    await assert_true(yard)

    # A refund and the order itself come again meanwhile, under either key.
    await yard.turn([refund("ann", "1", "2024-01-12", 50), order("anon", "9", "2024-02-01")])
    await yard.feed([received(one) for one in applied.records])

    assert await sizes(yard) == {"2024-01": 1}
    assert [row["sales_minor"] for row in await yard.view("new_vs_existing")] == [150]
    await assert_true(yard)


async def test_what_comes_after_the_merge_is_passed_on(yard: Yard) -> None:
    await yard.feed([merged("anon", "ann")])
    await yard.feed(
        [
            order("anon", "1", "2024-01-10", 300),
            refund("anon", "1", "2024-02-10", 100),
            viewed("anon", "2024-01-01", "cpc"),
        ]
    )

    assert await sizes(yard) == {"2024-01": 1}
    owner = await yard.pool.fetchval("SELECT customer FROM order_fact")
    assert owner == "ann"
    assert [row["sales_minor"] for row in await yard.view("new_vs_existing")] == [300, -100]
    assert {row["medium"] for row in await yard.view("ltv_by_medium")} == {"cpc"}
    await assert_true(yard)


async def test_a_cancelled_order_stays_cancelled_when_it_is_handed_over(yard: Yard) -> None:
    await yard.feed([order("anon", "1", "2024-01-10"), cancel("anon", "1"), order("anon", "2", "2024-02-10")])
    await yard.feed([merged("anon", "ann")])

    assert await sizes(yard) == {"2024-02": 1}
    await assert_true(yard)


async def test_a_handover_that_comes_twice_counts_once(yard: Yard) -> None:
    await yard.feed([order("anon", "1", "2024-01-10"), viewed("anon", "2024-01-01", "cpc")])
    applied = await yard.turn([merged("anon", "ann")])
    handed = [received(one) for one in applied.records]
    await yard.feed([*handed, *handed, merged("anon", "ann")])
    await yard.feed(handed)

    assert await sizes(yard) == {"2024-01": 1}
    await assert_true(yard)


async def test_facts_follow_three_hops_and_then_stay(yard: Yard) -> None:
    chain = ["a", "b", "c", "d", "e"]
    await yard.feed([merged(source, target) for source, target in pairwise(chain)])
    await yard.feed([order("a", "1", "2024-01-10")])

    assert await yard.pool.fetchval("SELECT customer FROM order_fact") == "d"
    await assert_true(yard)


async def test_a_circle_of_merges_comes_to_rest(yard: Yard) -> None:
    await yard.feed([merged("a", "b"), merged("b", "a"), order("a", "1", "2024-01-10")])

    assert await sizes(yard) == {"2024-01": 1}
    await assert_true(yard)


async def test_two_known_customers_said_to_be_one_are_recorded_and_nothing_moves(yard: Yard) -> None:
    await yard.feed([order("ann", "1", "2024-01-10"), order("bob", "2", "2024-02-10")])
    await yard.feed([merged("bob", "ann", known=True), merged("bob", "ann", under="ann", known=True)])

    assert await sizes(yard) == {"2024-01": 1, "2024-02": 1}
    assert yard.counts.other["merge_pending"] == 1


async def test_an_id_that_was_a_users_is_a_known_customer_whatever_its_merge_says(yard: Yard) -> None:
    await yard.feed([order("bob", "1", "2024-01-10"), merged("bob", "ann"), merged("bob", "ann", under="ann")])
    await yard.feed([merged("bob", "cid"), order("bob", "2", "2024-02-10")])

    assert {row[0] for row in await yard.pool.fetch("SELECT customer FROM order_fact")} == {"bob"}
    pairs = await yard.pool.fetch("SELECT source, target FROM merge_pending ORDER BY 2")
    assert [tuple(row) for row in pairs] == [("bob", "ann"), ("bob", "cid")]
    assert await yard.pool.fetchval("SELECT count(*) FROM merged") == 0
    assert yard.counts.other["merge_pending"] == 2
    await assert_true(yard)


async def test_an_erased_user_may_come_back_as_a_visitor(yard: Yard) -> None:
    await yard.feed([order("bob", "1", "2024-01-10"), erased("bob"), merged("bob", "ann")])

    assert await yard.pool.fetchval("SELECT target FROM merged") == "ann"
    assert await yard.pool.fetch("SELECT key FROM user_id WHERE key LIKE '%bob'") == []


async def test_a_thousand_facts_go_in_records_of_five_hundred(yard: Yard) -> None:
    await yard.feed([order("anon", str(n), at("2024-01-01"), 1) for n in range(1200)], cut=5000)
    turns = await yard.feed([merged("anon", "ann")])

    assert [len(one.body.facts) for one in turns[0].records] == [500, 500, 200]
    assert [row["orders"] for row in await yard.view("new_vs_existing")] == [1200]
    await assert_true(yard)


async def test_a_broken_handover_is_dead_lettered(yard: Yard) -> None:
    broken = record(ANALYTICS_HANDOVERS, _handover([{"kind": "order"}]), "h", NOW)
    (applied,) = await yard.feed([broken, order("ann", "1", "2024-01-10")])

    assert [one.id for one, _ in applied.rejected] == ["h"]
    assert await sizes(yard) == {"2024-01": 1}


def _handover(facts: list[dict[str, object]]) -> object:
    return FactsHandover(workspace="demo", customer="ann", source="anon", facts=facts)


async def test_an_erased_customer_leaves_the_views_as_they_were_and_no_id_behind(yard: Yard) -> None:
    await yard.feed(_life("marker-77"))
    before = await yard.snapshot()

    turns = await yard.feed([erased("marker-77")])

    (done,) = turns[0].records
    assert (done.topic.name, done.key, done.type) == ("events.customer.v1", "demo:marker-77", "erasure_done")
    assert done.body.service == "analytics"
    assert await yard.snapshot() == before
    await assert_true(yard)
    assert await _found(yard, "marker-77") == []


async def test_what_others_tell_of_an_erased_customer_until_they_are_done_leaves_no_id_behind(yard: Yard) -> None:
    who: dict[str, Any] = {"workspace": "demo", "customer": "marker-77"}
    await yard.feed([*_life("marker-77"), erased("marker-77")])
    left = Transition(**who, enrollment="n", journey="f2", version=1, kind="exited", at=at("2024-05-01"), seq=2)
    late = order("marker-77", "marker-77-9", "2024-04-30")
    done = [
        record(CUSTOMERS, events.ErasureDone(**who, service=by), by, "2024-05-01") for by in ("analytics", "journey")
    ]
    await yard.feed([record(TRANSITIONS, left, "t2", "2024-05-01"), late, done[0]])
    assert await _found(yard, "marker-77") != []
    before = await yard.snapshot()

    turns = await yard.feed(done[1:])

    assert [turn.records for turn in turns] == [[]], "nobody asked: there is nothing to answer"
    assert await yard.snapshot() == before
    await assert_true(yard)
    assert set(await _found(yard, "marker-77")) <= {"user_id"}


async def test_a_late_word_that_an_erasure_is_done_leaves_alone_who_has_come_back_since(yard: Yard) -> None:
    who: dict[str, Any] = {"workspace": "demo", "customer": "marker-77"}
    await yard.feed([*_life("marker-77"), erased("marker-77")])
    left = Transition(**who, enrollment="n", journey="f2", version=1, kind="exited", at=at("2024-05-03"), seq=2)
    begun = Transition(**who, enrollment="again", journey="f2", version=1, kind="entered", at=at("2024-05-03"), seq=1)
    told = [_sent(who, "old", "n", "2024-05-03"), _sent(who, "new", "again", "2024-05-03")]
    await yard.feed(
        [
            order("marker-77", "late", "2024-04-30", 5),
            order("marker-77", "back", "2024-05-02", 7, medium="mail"),
            viewed("marker-77", "2024-04-29", "cpc"),
            viewed("marker-77", "2024-05-02", "mail"),
            record(TRANSITIONS, left, "t2", "2024-05-03"),
            record(TRANSITIONS, begun, "t3", "2024-05-03"),
            *(record(OUTCOMES, one, one.message_key, "2024-05-03") for one in told),
            record(ENGAGEMENTS, events.EmailOpened(**who, message_key="old"), "open-old", "2024-05-04"),
            record(ENGAGEMENTS, events.EmailOpened(**who, message_key="new"), "open-new", "2024-05-04"),
            merged("anon-2", "marker-77"),
        ]
    )
    others = await yard.snapshot()

    done = events.ErasureDone(**who, service="dispatch", until=at("2024-05-01"))
    await yard.feed([record(CUSTOMERS, done, "done", "2024-05-05")])

    assert await _his(yard, "order_fact", "order_id", "marker-77") == ["back"]
    assert await _his(yard, "touch_fact", "medium", "marker-77") == ["mail"]
    assert await _his(yard, "transition_fact", "enrollment", "marker-77") == ["again"]
    assert await _his(yard, "outcome_fact", "message_key", "marker-77") == ["new"]
    assert await _his(yard, "engagement_fact", "message_key", "marker-77") == ["new"]
    assert await yard.pool.fetchval("SELECT target FROM merged WHERE customer = 'anon-2'") == "marker-77"
    await assert_true(yard)
    assert (await sizes(yard))["2024-05"] == 1, "who came back is a new customer"
    same = [name for name in others if name.startswith(("message_outcomes", "journey_"))]
    now = await yard.snapshot()
    assert {name: now[name] for name in same} == {name: others[name] for name in same}


async def test_a_word_of_before_there_were_bounds_counts_until_it_was_said(yard: Yard) -> None:
    done = events.ErasureDone(workspace="demo", customer="ann", service="journey")
    await yard.feed([order("ann", "1", "2024-05-04"), order("ann", "2", "2024-05-06")])
    await yard.feed([record(CUSTOMERS, done, "done", "2024-05-05")])

    assert await _his(yard, "order_fact", "order_id", "ann") == ["2"]
    await assert_true(yard)


def _sent(who: dict[str, Any], message_key: str, enrollment: str, when: str) -> Outcome:
    said: dict[str, Any] = {"channel": "email", "journey": "f2", "send_state": "thanks", "state": "sent"}
    return Outcome(**who, **said, message_key=message_key, enrollment=enrollment, at=at(when))


async def _his(yard: Yard, table: str, column: str, customer: str) -> list[str]:
    rows = await yard.pool.fetch(f"SELECT {column} FROM {table} WHERE customer = $1 ORDER BY 1", customer)
    return [row[0] for row in rows]


async def test_an_erased_customers_order_still_counts_once_and_can_still_be_refunded(yard: Yard) -> None:
    bought = order("marker-77", "marker-77-1", "2024-01-10", 1000)
    await yard.feed([bought, erased("marker-77")])
    await yard.feed([bought, refund("marker-77", "marker-77-1", "2024-02-10", 400)])

    assert [row["sales_minor"] for row in await yard.view("new_vs_existing")] == [1000, -400]
    assert await sizes(yard) == {"2024-01": 1}
    await assert_true(yard)


async def test_who_comes_back_after_an_erasure_is_somebody_new_even_in_the_same_turn(yard: Yard) -> None:
    await yard.feed(
        [order("ann", "1", "2024-01-10"), erased("ann"), order("ann", "2", "2024-03-10"), erased("ann", "again")]
    )
    await yard.feed([order("ann", "3", "2024-05-10")])

    assert await sizes(yard) == {"2024-01": 1, "2024-03": 1, "2024-05": 1}
    assert yard.counts.other["erased"] == 2
    await assert_true(yard)


async def test_erasure_keeps_which_of_two_simultaneous_orders_was_the_first(yard: Yard) -> None:
    await yard.feed([order("ann", "b", "2024-01-10", 5), order("ann", "a", "2024-01-10", 7), erased("ann")])

    assert [row["sales_first_order_minor"] for row in await yard.view("new_vs_existing")] == [7]
    await assert_true(yard)


def _life(customer: str) -> list[Received]:
    who: dict[str, Any] = {"workspace": "demo", "customer": customer}
    move = Transition(
        **who, enrollment="n", journey="f2", version=1, kind="entered", at=at("2024-01-11"), to_state="thanks"
    )
    sent = Outcome(
        **who,
        message_key="m",
        state="sent",
        channel="email",
        journey="f2",
        enrollment="n",
        send_state="thanks",
        at=at("2024-01-11"),
    )
    return [
        viewed(customer, "2024-01-01", "cpc"),
        order(customer, f"{customer}-1", "2024-01-10"),
        order(customer, f"{customer}-2", "2024-02-10"),
        refund(customer, f"{customer}-1", "2024-02-11", 5),
        merged("anon", customer),
        record(TRANSITIONS, move, "t", "2024-01-11"),
        record(OUTCOMES, sent, "o", "2024-01-11"),
        record(ENGAGEMENTS, events.EmailOpened(**who, message_key="m"), "open", "2024-01-12"),
    ]


async def _found(yard: Yard, marker: str) -> list[str]:
    """The tables that still hold the marker anywhere."""
    tables = await yard.pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'analytics'")
    found = []
    for (table,) in tables:
        if await yard.pool.fetchval(f"SELECT count(*) FROM {table} t WHERE t::text LIKE $1", f"%{marker}%"):
            found.append(table)
    return found
