"""Messages by their latest truth, and journeys step by step."""

from __future__ import annotations

from typing import Any

from tabiji_common import events
from tabiji_common.commands import Outcome, Transition
from tabiji_common.kafka.turn import Received
from tabiji_common.topics import ENGAGEMENTS, OUTCOMES, TRANSITIONS
from tests.integration.analytics.yard import Yard, at, record


def outcome(state: Any, message: str = "m1", token: int = 1, when: str = "2024-01-10", **more: Any) -> Received:
    body = Outcome(
        workspace="demo",
        customer=more.pop("customer", "ann"),
        message_key=message,
        state=state,
        channel="email",
        provider="smtp",
        journey="f2",
        version=1,
        enrollment="n1",
        send_state="thanks",
        template="f2/thanks",
        at=at(when),
        token=token,
        **more,
    )
    return record(OUTCOMES, body, f"o-{message}-{token}-{state}", when)


def reaction(kind: type[events.EngagementEvent], message: str | None = "m1", **more: Any) -> Received:
    event = more.pop("event", f"{kind.__name__}-{message}-{more}")
    body = kind(workspace="demo", customer=more.pop("customer", "ann"), message_key=message, **more)
    return record(ENGAGEMENTS, body, event, "2024-01-11")


def moved(kind: Any, enrollment: str = "n1", n: int = 0, **more: Any) -> Received:
    body = Transition(
        workspace="demo",
        customer=more.pop("customer", "ann"),
        enrollment=enrollment,
        journey="f2",
        version=1,
        kind=kind,
        at=at("2024-01-10"),
        **more,
    )
    return record(TRANSITIONS, body, f"{enrollment}-{n}", "2024-01-10")


async def outcomes(yard: Yard) -> dict[tuple[str, str], int]:
    return {(row["outcome"], row["reason"]): row["messages"] for row in await yard.view("message_outcomes")}


async def steps(yard: Yard) -> dict[tuple[str, str, str], tuple[int, int]]:
    return {
        (row["step"], row["state"], row["reason"]): (row["enrollments"], row["transitions"])
        for row in await yard.view("journey_funnel")
    }


async def assert_true(yard: Yard) -> None:
    drift = await yard.drift()
    assert drift.differences == []


async def test_a_message_that_was_unknown_is_shown_as_what_it_turned_out_to_be(yard: Yard) -> None:
    await yard.feed([outcome("unknown"), outcome("sent", "m2")])
    assert await outcomes(yard) == {("unknown", ""): 1, ("sent", ""): 1}

    await yard.feed([outcome("sent", when="2024-01-09")])

    assert await outcomes(yard) == {("sent", ""): 2}
    await assert_true(yard)


async def test_the_latest_truth_does_not_depend_on_the_order_of_arrival(yard: Yard) -> None:
    told = [outcome("unknown"), outcome("failed", token=2), outcome("delivered", token=0), outcome("sent", token=3)]
    await yard.feed(told, cut=1)
    await yard.feed([*told[::-1], *told], cut=2)

    assert await outcomes(yard) == {("delivered", ""): 1}
    assert yard.counts.facts["outcome"] == 4
    await assert_true(yard)


async def test_people_and_machines_are_counted_apart_and_a_message_once(yard: Yard) -> None:
    await yard.feed([reaction(events.EmailOpened), outcome("sent", sent_after_exit=True)])
    await yard.feed(
        [
            reaction(events.EmailOpened, event="again"),
            reaction(events.EmailOpened, machine=True),
            reaction(events.EmailClicked, machine=True),
            reaction(events.EmailClicked, event="1"),
            reaction(events.EmailClicked, event="2"),
            reaction(events.Unsubscribed),
            reaction(events.EmailBounced, message=None),
        ]
    )

    (row,) = await yard.view("message_outcomes")
    shown = {name: row[name] for name in ("messages", "opened", "clicked", "machine_opened", "machine_clicked")}
    assert set(shown.values()) == {1}
    assert (row["unsubscribed"], row["bounced"], row["complained"], row["sent_after_exit"]) == (1, 0, 0, 1)
    assert yard.counts.facts["engagement"] == 8
    await assert_true(yard)


async def test_a_reaction_under_another_customers_key_does_not_count_for_the_message(yard: Yard) -> None:
    await yard.feed([outcome("sent"), reaction(events.EmailOpened, customer="eve")])

    assert [row["opened"] for row in await yard.view("message_outcomes")] == [0]
    await assert_true(yard)


async def test_a_message_that_the_journey_itself_suppressed_is_shown(yard: Yard) -> None:
    held = moved("suppressed", to_state="thanks", reason="holdout", message_key="m1", holdout=True)
    await yard.feed([held, held])
    assert await outcomes(yard) == {("suppressed", "holdout"): 1}

    await yard.feed([outcome("suppressed", token=0, reason="cancelled")])

    assert await outcomes(yard) == {("suppressed", "cancelled"): 1}
    await assert_true(yard)


async def test_a_journey_is_shown_step_by_step_and_entered_is_waiting_finished_and_exited(yard: Yard) -> None:
    records = [
        *(moved("entered", f"n{n}", 0, to_state="thanks") for n in range(5)),
        *(moved("moved", f"n{n}", 1, from_state="thanks", to_state="guide") for n in range(4)),
        moved("finished", "n0", 2, from_state="guide", to_state="end"),
        moved("exited", "n1", 2, from_state="guide", reason="converted"),
        moved("converted", "n1", 3, from_state="guide"),
        moved("exited", "n4", 1, from_state="thanks", reason="unsubscribed"),
    ]
    await yard.feed(records, cut=3)
    await yard.feed(records)

    assert await steps(yard) == {
        ("entered", "thanks", ""): (5, 5),
        ("reached", "thanks", ""): (5, 5),
        ("reached", "guide", ""): (4, 4),
        ("left", "thanks", ""): (5, 5),
        ("left", "guide", ""): (2, 2),
        ("finished", "end", ""): (1, 1),
        ("exited", "guide", "converted"): (1, 1),
        ("exited", "thanks", "unsubscribed"): (1, 1),
        ("converted", "guide", ""): (1, 1),
        ("waiting", "guide", ""): (2, 2),
    }
    shares = {row["step"]: row["share"] for row in await yard.view("journey_funnel") if row["state"] == "guide"}
    assert shares["reached"] == 0.8
    await assert_true(yard)


async def test_an_enrollment_that_passes_a_state_twice_is_one_enrollment_and_two_transitions(yard: Yard) -> None:
    loop = [moved("entered", n=0, to_state="a")]
    for n in range(1, 5):
        there, back = ("a", "b") if n % 2 else ("b", "a")
        loop.append(moved("moved", n=n, from_state=there, to_state=back))
    await yard.feed(loop, cut=2)

    shown = await steps(yard)
    assert shown["reached", "b", ""] == (1, 2)
    assert shown["reached", "a", ""] == (1, 3)
    assert shown["waiting", "a", ""] == (1, 1)
    await assert_true(yard)


async def test_ways_between_states_are_counted_and_an_exit_is_none(yard: Yard) -> None:
    await yard.feed(
        [
            moved("entered", "n1", 0, to_state="a"),
            moved("moved", "n1", 1, from_state="a", to_state="b"),
            moved("moved", "n1", 2, from_state="b", to_state="a"),
            moved("moved", "n1", 3, from_state="a", to_state="b"),
            moved("finished", "n1", 4, from_state="b", to_state="done"),
            moved("entered", "n2", 0, to_state="a", holdout=True),
            moved("exited", "n2", 1, from_state="a", reason="converted", holdout=True),
        ],
        cut=3,
    )
    assert [
        (row["holdout"], row["from_state"], row["to_state"], row["enrollments"], row["transitions"])
        for row in await yard.view("journey_flow")
    ] == [(False, "a", "b", 1, 2), (False, "b", "a", 1, 1), (False, "b", "done", 1, 1)]
    assert {row["step"] for row in await yard.view("journey_funnel")} == {
        *("entered", "reached", "left", "finished", "exited")
    }
    await assert_true(yard)


async def test_holdout_and_arms_are_counted_apart(yard: Yard) -> None:
    await yard.feed(
        [
            moved("entered", "n1", 0, to_state="coupon"),
            moved("entered", "n2", 0, to_state="coupon", holdout=True),
            moved("moved", "n1", 1, from_state="coupon", to_state="a", arms={"coupon": "a", "after": "x"}),
            moved("converted", "n2", 1, from_state="coupon", holdout=True),
        ]
    )

    rows = await yard.view("journey_funnel")
    assert {(row["holdout"], row["arms"]) for row in rows if row["step"] in {"converted", "reached"}} == {
        (True, ""),
        (False, ""),
        (False, "after=x,coupon=a"),
    }
    await assert_true(yard)
