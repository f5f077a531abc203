"""Any events in any order and cut: views equal their recomputation, and orders equal themselves in another order."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tabiji_analytics.adapters.tables import metadata
from tabiji_analytics.adapters.zones import settle
from tabiji_common import events
from tabiji_common.kafka.turn import Received
from tabiji_common.topics import PAGE_VIEWS
from tests.integration.analytics.test_messages_and_journeys import moved, outcome, reaction
from tests.integration.analytics.test_people import erased, merged
from tests.integration.analytics.yard import Yard, at, cancel, order, pools, received, record, refund

PEOPLE = ["ann", "bob", "anon-1", "anon-2"]
people = st.sampled_from(PEOPLE)
order_ids = st.sampled_from([f"o{n}" for n in range(12)])
instants = st.integers(0, 20_000).map(lambda hours: at("2022-12-30T15:00:00") + timedelta(hours=hours))
media = st.sampled_from([None, "cpc", "email"])
currencies = st.sampled_from(["JPY", "JPY", "JPY", "USD"])


def viewed(customer: str, when: Any, medium: str | None) -> Received:
    anonymous = customer.startswith("anon")
    body = events.PageViewed(workspace="demo", customer=customer, medium=medium, anonymous=anonymous)
    return record(PAGE_VIEWS, body, f"v-{customer}-{when}", when)


bought = st.builds(
    lambda who, id_, when, amount, currency, medium: order(who, id_, when, amount, currency=currency, medium=medium),
    people, order_ids, instants, st.integers(-300, 3000), currencies, media,
)  # fmt: skip
refunded = st.builds(
    lambda who, id_, when, amount, id2, currency: refund(who, id_, when, amount, id2, currency=currency),
    people, order_ids, instants, st.none() | st.integers(0, 2000), st.sampled_from([None, "a", "b"]),
    st.sampled_from([None, None, "JPY", "USD"]),
)  # fmt: skip
anything = st.one_of(
    bought,
    bought,
    refunded,
    st.builds(cancel, people, order_ids),
    st.builds(viewed, people, instants, media),
    st.builds(merged, st.sampled_from(["anon-1", "anon-2"]), people),
    st.builds(erased, people),
    st.builds(
        lambda state, token, who: outcome(state, "m1", token, customer=who),
        st.sampled_from(["unknown", "sent", "failed", "suppressed", "delivered"]), st.integers(-1, 3), people,
    ),
    st.builds(
        lambda kind, machine, who: reaction(kind, machine=machine, customer=who),
        st.sampled_from([events.EmailOpened, events.EmailClicked, events.Unsubscribed]), st.booleans(), people,
    ),
    st.builds(
        lambda kind, n, there, here: moved(kind, f"n{n % 2}", n, from_state=there, to_state=here),
        st.sampled_from(["entered", "moved", "finished", "exited"]), st.integers(0, 9),
        st.sampled_from([None, "a", "b"]), st.sampled_from(["a", "b"]),
    ),
)  # fmt: skip
cuts = st.lists(st.integers(1, 9), min_size=1, max_size=6)
light = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


async def _fresh(dsn: str) -> Yard:
    pool, patient = await pools(dsn)
    await patient.execute(f"TRUNCATE {', '.join(metadata.tables)}")
    await settle(patient, ["Asia/Tokyo", "UTC"])
    return Yard(pool, patient)


async def _close(yard: Yard) -> None:
    await yard.pool.close()
    await yard.patient.close()


@light
@given(st.lists(anything, max_size=40), cuts)
def test_the_views_equal_their_recomputation_whatever_happened(
    schema: str, records: list[Received], sizes: list[int]
) -> None:
    async def live() -> None:
        yard = await _fresh(schema)
        try:
            waiting, n = list(records), 0
            while waiting:
                size = sizes[n % len(sizes)]
                applied = await yard.turn(waiting[:size])
                # What is handed over arrives somewhere among what is still to come.
                waiting = waiting[size:]
                place = sizes[(n + 1) % len(sizes)]
                waiting[place:place] = [received(one) for one in applied.records]
                n += 1
                if n % 5 == 0:
                    assert (await yard.drift()).differences == []
            assert (await yard.drift()).differences == []
        finally:
            await _close(yard)

    asyncio.run(live())


def _own(records: list[Received]) -> list[Received]:
    """Each order and each refund told once: of two stories the first would count, which is a dependence."""
    kept: dict[Any, Received] = {}
    for one in records:
        refund_id = getattr(one.body, "refund_id", None)
        kept.setdefault((one.body.order_id, refund_id) if refund_id else one.id, one)
    return list(kept.values())


@light
@given(st.data(), st.lists(st.one_of(bought, refunded, st.builds(cancel, people, order_ids)), max_size=30), cuts)
def test_the_views_do_not_depend_on_order_repeats_or_cuts(
    schema: str, data: st.DataObject, records: list[Received], sizes: list[int]
) -> None:
    once = _own(records)
    again = data.draw(st.permutations(once + once[::3]))

    async def live() -> None:
        yard = await _fresh(schema)
        try:
            await yard.feed(once)
            straight = await yard.snapshot()
            await yard.patient.execute(f"TRUNCATE {', '.join(set(metadata.tables) - {'rolled_zone'})}")
            waiting, n = again, 0
            while waiting:
                await yard.feed(waiting[: sizes[n % len(sizes)]])
                waiting, n = waiting[sizes[n % len(sizes)] :], n + 1
            assert await yard.snapshot() == straight
            assert (await yard.drift()).differences == []
        finally:
            await _close(yard)

    asyncio.run(live())


@settings(light, max_examples=15)
@given(st.lists(st.lists(anything, min_size=1, max_size=12), min_size=2, max_size=8))
def test_two_owners_who_meet_on_the_same_orders_leave_the_views_true(schema: str, turns: list[list[Received]]) -> None:
    async def live() -> None:
        yard = await _fresh(schema)
        try:
            waiting = turns
            while waiting:
                outgoing = await asyncio.gather(*(_own_turns(yard, waiting, half) for half in range(2)))
                back = [received(one) for records in outgoing for one in records]
                waiting = [back] if back else []
            assert (await yard.drift()).differences == []
        finally:
            await _close(yard)

    asyncio.run(live())


async def _own_turns(yard: Yard, turns: list[list[Received]], half: int) -> list[Any]:
    """Apply what is of every second partition number, turn by turn; a deadlock is a turn to take again."""
    outgoing = []
    for turn in turns:
        mine = [one for one in turn if one.partition % 2 == half]
        while mine:
            try:
                outgoing += (await yard.turn(mine)).records
                break
            except asyncpg.DeadlockDetectedError:
                await asyncio.sleep(0)
    return outgoing
