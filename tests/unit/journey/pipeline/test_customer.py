"""The fold of one customer: events against timers, exits, restarts, handovers, pauses."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from tabiji_common import commands, events
from tabiji_common.clock import EPOCH
from tabiji_common.commands import Seen
from tabiji_common.kafka.turn import Received
from tabiji_common.topics import Mode
from tabiji_journey.domain.model import Moved
from tabiji_journey.domain.outgoing import outgoing
from tests.unit.journey.pipeline.people import (
    CART,
    MONDAY,
    THANKS,
    Person,
    after,
    cart,
    catalog_of,
    order,
    outcome,
    received,
)

WELCOME = """
id: welcome
enter: {on: identified, when: customer.order_count == 0, reenter: never}
start: hello
states:
  hello: {send: {channel: email, template: hello}, next: done}
  done: {end: true}
"""


LETTERS = """
id: letters
enter: {on: product_added, key: cart_id, reenter: restart}
exit:
  - {on: unsubscribed, as: unsubscribed}
start: waiting
states:
  waiting: {wait: {for: 4h}, next: done}
  done: {end: true}
"""


@pytest.fixture
def ann() -> Person:
    return Person(catalog_of(CART, THANKS))


def test_who_unsubscribes_within_a_minute_of_withdrawing_consent_still_leaves() -> None:
    ann = Person(catalog_of(LETTERS))
    who: dict[str, Any] = {"workspace": "w", "customer": "ann", "channel": "email"}
    ann.meets(received(cart("c1"), "e1", MONDAY))
    ann.meets(received(events.ConsentWithdrawn(**who), "no", after(minutes=1)))
    ann.meets(received(events.Unsubscribed(**who, message_key="m1"), "left", after(minutes=1, seconds=5)))
    assert ann.standing["letters"] == ("exited", "unsubscribed")


def test_a_timer_due_before_an_event_was_taken_fires_before_it(ann: Person) -> None:
    ann.meets(received(cart("c1"), "e1", MONDAY))
    ann.meets(received(order("1", cart_id="c1"), "e2", after(hours=4, minutes=1)))
    assert ann.moves[:2] == [("moved", "reminder", "elapsed"), ("converted", None, "")]
    assert ("exited", None, "purchased") in ann.moves
    assert [send.journey for send in ann.sends] == ["thanks"], "the reminder was decided and taken back at once"
    assert ("suppressed", "reminder", "exited") in ann.moves


def test_a_timer_due_after_an_event_was_taken_does_not_fire(ann: Person) -> None:
    ann.meets(received(cart("c1"), "e1", MONDAY))
    ann.meets(received(order("1", cart_id="c1"), "e2", after(hours=3, minutes=59)), until=after(days=9))
    assert ann.standing["cart"] == ("exited", "purchased")
    assert [send.journey for send in ann.sends if send.journey == "cart"] == []


def test_a_timers_now_is_when_it_was_due(ann: Person) -> None:
    ann.meets(received(cart("c1"), "e1", MONDAY))
    ann.meets(until=after(hours=5))
    assert [send.decided_at for send in ann.sends] == [after(hours=4)]


def test_timers_are_held_while_no_barrier_has_passed(ann: Person) -> None:
    ann.meets(received(cart("c1"), "e1", MONDAY))
    ann.meets(until=None, now=after(days=2))
    assert ann.last.effects == []


def test_an_event_taken_by_a_clock_that_ran_ahead_fires_nothing_before_its_time(ann: Person) -> None:
    ann.meets(received(cart("c1"), "e1", MONDAY))
    ann.meets(received(cart("c2"), "e2", after(days=1)), now=after(minutes=1))
    assert [move for move in ann.moves if move[0] != "entered"] == []
    ann.meets(until=after(hours=4))
    assert [send.decided_at for send in ann.sends] == [after(hours=4)]


def test_while_all_timers_are_paused_no_event_fires_one(ann: Person) -> None:
    ann.meets(received(cart("c1"), "e1", MONDAY))
    ann.meets(received(order("1", cart_id="c1"), "e2", after(hours=5)), limit=EPOCH)
    assert [send.journey for send in ann.sends] == ["thanks"]
    assert ann.standing["cart"] == ("exited", "purchased")
    assert ("moved", "reminder", "elapsed") not in ann.moves


def test_an_entry_that_a_later_record_of_the_same_turn_makes_wrong_sends_nothing() -> None:
    ann = Person(catalog_of(WELCOME))
    signed_up = received(events.Identified(workspace="w", customer="ann"), "e1", MONDAY)
    ann.meets(signed_up, received(order("1"), "e2", after(seconds=1)))
    assert ann.sends == []
    assert ann.moves == [
        ("entered", "hello", ""),
        ("exited", None, "entry_revoked"),
        ("suppressed", "hello", "exited"),
    ]


def test_a_cart_event_read_after_the_purchase_that_followed_it_starts_nothing(ann: Person) -> None:
    ann.meets(received(order("1", cart_id="c1"), "buy", after(minutes=30)))
    ann.meets(received(cart("c1"), "late", after(minutes=10), after(minutes=40)))
    assert "cart" not in ann.standing
    assert ("cart", "already_over") in ann.last.refused


def test_another_product_starts_the_cart_anew(ann: Person) -> None:
    ann.meets(received(cart("c1"), "e1", MONDAY))
    ann.meets(received(cart("c1"), "e2", after(hours=3)))
    assert [move for move in ann.moves if move[0] in ("exited", "entered")] == [
        ("exited", None, "restarted"),
        ("entered", "browsing", ""),
    ]
    ann.meets(until=after(hours=6, minutes=59))
    assert ann.sends == []
    ann.meets(until=after(hours=7))
    assert len(ann.sends) == 1


def test_carts_have_enrollments_of_their_own(ann: Person) -> None:
    ann.meets(received(cart("c1"), "e1", MONDAY), received(cart("c2"), "e2", after(hours=1)))
    ann.meets(received(order("1", cart_id="c1"), "e3", after(hours=2)))
    states = sorted((e.key, e.status) for e in ann.state.enrollments.values() if e.journey == "cart")
    assert states == [("c1", "exited"), ("c2", "waiting")]


def test_an_order_told_again_neither_exits_nor_enters(ann: Person) -> None:
    ann.meets(received(order("1"), "sdk", MONDAY))
    ann.meets(received(order("1"), "webhook", after(minutes=1)), received(order("1", 900), "poll", after(minutes=2)))
    assert ann.last.effects == []
    assert ann.last.conflicts == 1
    assert ann.standing["thanks"] == ("waiting", "thank")


def test_a_second_order_converts_and_cancels_the_message_that_is_out(ann: Person) -> None:
    ann.meets(received(order("1"), "e1", MONDAY))
    key = ann.sends[0].message_key
    ann.meets(received(order("2"), "e2", after(hours=1)))
    assert [cancel.message_key for cancel in ann.cancels] == [key]
    assert ann.last.withdrawn == set()
    assert ann.standing["thanks"] == ("exited", "converted")


def test_a_message_that_has_not_left_is_withdrawn_and_said_to_be_suppressed(ann: Person) -> None:
    ann.meets(received(order("1"), "e1", MONDAY))
    ann.held = {ann.sends[0].message_key}
    ann.meets(received(order("2"), "e2", after(hours=1)))
    assert ann.cancels == []
    assert ann.last.withdrawn == ann.held
    assert ("suppressed", "thank", "exited") in ann.moves


def test_a_message_that_an_earlier_owner_may_have_published_is_withdrawn_and_cancelled(ann: Person) -> None:
    ann.meets(received(order("1"), "e1", MONDAY))
    ann.held = ann.inherited = {ann.sends[0].message_key}
    ann.meets(received(order("2"), "e2", after(hours=1)))
    assert ann.last.withdrawn == {cancel.message_key for cancel in ann.cancels} == ann.held
    assert ("suppressed", "thank", "exited") in ann.moves


def test_a_send_is_looked_at_again_when_it_is_released(ann: Person) -> None:
    ann.meets(received(order("1"), "e1", MONDAY))
    send = ann.sends[0]
    ann.held = {send.message_key}
    assert send.before_first_wait
    ann.meets(released=[send.message_key])
    assert ann.last.effects == []
    # The refused second order is history that a backfill brings: it exits nobody, yet this was no first order.
    ann.meets(
        received(order("0"), "old", after(days=-30), after(minutes=1), mode=Mode.BACKFILL),
        released=[send.message_key],
    )
    assert ann.standing["thanks"] == ("exited", "entry_revoked")
    assert ann.last.withdrawn == {send.message_key}


@pytest.mark.parametrize("mode", [Mode.BACKFILL, Mode.REPLAY])
def test_history_teaches_the_profile_and_starts_nothing(ann: Person, mode: Mode) -> None:
    ann.meets(received(order("1"), "e1", MONDAY, mode=mode))
    assert ann.state.profile.order_count == 1
    assert ann.standing == {}


def test_an_event_taken_more_than_a_day_late_starts_nothing(ann: Person) -> None:
    ann.meets(received(order("1"), "e1", MONDAY, after(hours=24, minutes=1)))
    assert ann.state.profile.order_count == 1
    assert ann.standing == {}
    assert ("thanks", "too_late") in ann.last.refused


def test_an_outcome_moves_a_send_state_on_and_a_wait_ends_by_its_event(ann: Person) -> None:
    ann.meets(received(order("1"), "e1", MONDAY))
    ann.meets(received(outcome(ann.sends[0], "sent", after(minutes=1)), "o1", after(minutes=1)))
    assert ann.standing["thanks"] == ("waiting", "arrived")
    delivered = events.OrderDelivered(workspace="w", customer="ann", order_id="1")
    ann.meets(received(delivered, "e2", after(days=2)))
    assert ann.standing["thanks"] == ("waiting", "guide")
    guide = ann.sends[0]
    ann.meets(received(outcome(guide, "sent", after(days=2)), "o2", after(days=2)))
    opened = events.EmailOpened(workspace="w", customer="ann", message_key=guide.message_key)
    ann.meets(received(opened, "e3", after(days=3)))
    assert ann.standing["thanks"] == ("finished", "done")


def test_an_open_read_before_the_wait_for_it_begins_ends_it_at_once(ann: Person) -> None:
    ann.meets(received(order("1"), "e1", MONDAY))
    ann.meets(received(outcome(ann.sends[0], "sent", after(minutes=1)), "o1", after(minutes=1)))
    ann.meets(received(events.OrderDelivered(workspace="w", customer="ann", order_id="1"), "e2", after(days=1)))
    guide = ann.sends[0]
    opened = events.EmailOpened(workspace="w", customer="ann", message_key=guide.message_key)
    ann.meets(received(opened, "e3", after(days=1, minutes=2)))
    assert ann.standing["thanks"] == ("waiting", "guide")
    ann.meets(received(outcome(guide, "sent", after(days=1)), "o2", after(days=1, minutes=3)))
    assert ann.standing["thanks"] == ("finished", "done")


def test_an_anonymous_visitor_is_never_enrolled_and_its_events_are_kept() -> None:
    visitor = Person(catalog_of(CART, THANKS), "cookie")
    visitor.meets(received(cart("c1", "cookie", anonymous=True), "e1", MONDAY))
    assert [record.id for record in visitor.last.kept] == ["e1"]
    assert visitor.state.enrollments == {}


def test_a_merge_passes_on_what_was_kept_and_what_comes_later() -> None:
    visitor = Person(catalog_of(CART, THANKS), "cookie")
    merged = events.Merged(workspace="w", customer="cookie", source="cookie", target="ann")
    visitor.meets(
        received(cart("c1", "cookie", anonymous=True), "e1", MONDAY),
        received(merged, "m", after(minutes=1)),
        received(cart("c1", "cookie", anonymous=True), "e2", after(minutes=2)),
    )
    assert visitor.last.merged == "ann"
    assert visitor.last.kept == []
    assert [(record.id, target) for record, target in visitor.last.passed] == [("e1", "ann"), ("e2", "ann")]
    visitor.meets(received(cart("c2", "cookie", anonymous=True), "e3", after(minutes=3)))
    assert [(record.id, target) for record, target in visitor.last.passed] == [("e3", "ann")]


def test_of_several_merges_of_one_visitor_the_first_stands() -> None:
    visitor = Person(catalog_of(CART, THANKS), "cookie")
    for minutes, target in ((1, "ann"), (2, "bob")):
        merged = events.Merged(workspace="w", customer="cookie", source="cookie", target=target)
        visitor.meets(received(merged, f"m{minutes}", after(minutes=minutes)))
    visitor.meets(received(cart("c1", "cookie", anonymous=True), "e1", after(minutes=3)))
    assert [(record.id, target) for record, target in visitor.last.passed] == [("e1", "ann")]


def handed_over(record_id: str, minutes: int, hops: int = 1, taken: int = 45) -> Received:
    original = received(cart("c1", "cookie", anonymous=True), record_id, after(minutes=minutes))
    body = commands.Handover(
        workspace="w",
        customer="ann",
        original_id=original.id,
        original_type=original.type,
        original_source=original.source,
        original_topic=original.topic,
        occurred_at=original.occurred_at,
        value=original.value.decode(),
        hops=hops,
    )
    return received(body, f"h {record_id}", after(minutes=minutes), after(minutes=taken))


def test_a_handed_over_event_is_folded_like_the_original_at_the_time_of_the_handover(ann: Person) -> None:
    ann.meets(handed_over("e1", 10))
    (enrollment,) = ann.state.enrollments.values()
    assert (enrollment.journey, enrollment.trigger.occurred_at) == ("cart", after(minutes=10))
    assert enrollment.entered_at == after(minutes=45)


def test_a_later_purchase_read_first_stops_what_a_handed_over_cart_would_start(ann: Person) -> None:
    ann.meets(received(order("1", cart_id="c1"), "buy", after(minutes=30)))
    ann.meets(handed_over("e1", 10))
    assert "cart" not in ann.standing


def test_an_event_is_handed_over_three_times_at_most() -> None:
    visitor = Person(catalog_of(CART), "ann")
    visitor.meets(received(events.Merged(workspace="w", customer="ann", source="ann", target="bea"), "m", MONDAY))
    visitor.meets(handed_over("e1", 10, hops=2))
    assert [target for _, target in visitor.last.passed] == ["bea"]
    visitor.meets(handed_over("e2", 11, hops=3))
    assert visitor.last.passed == []
    assert visitor.last.rejected[0][1] == "handed over 3 times already"


def test_two_known_customers_are_not_merged(ann: Person) -> None:
    body = events.Merged(workspace="w", customer="ann", source="ann", target="bea", known=True)
    ann.meets(received(body, "m", MONDAY))
    assert ann.last.pending == [("bea", MONDAY)]
    assert ann.last.answered == []
    assert ann.state.merged_into == ""


def test_a_users_merge_moves_nothing_and_the_other_customer_is_told(ann: Person) -> None:
    ann.state = replace(ann.state, user=True)
    ann.meets(received(events.Merged(workspace="w", customer="ann", source="ann", target="bea"), "m", MONDAY))
    assert ann.last.pending == [("bea", MONDAY)]
    assert ann.state.merged_into == ""
    [answer] = outgoing(ann.last, Seen(cluster="", offsets={}), MONDAY).records
    assert (answer.key, answer.body.source, answer.body.target, answer.body.known) == ("w:bea", "ann", "bea", True)


def test_a_customer_told_that_its_visitor_is_a_user_does_not_take_it_along_when_erased(ann: Person) -> None:
    body = events.Merged(workspace="w", customer="ann", source="bea", target="ann")
    ann.meets(received(body, "m", MONDAY))
    assert ann.state.ties.visitors == ("bea",)
    ann.meets(received(msgspec.structs.replace(body, known=True), "k", MONDAY))
    assert ann.last.pending == [("bea", MONDAY)]
    assert ann.last.answered == []
    ann.meets(received(events.Erased(workspace="w", customer="ann"), "e", after(hours=1)))
    assert ann.last.forgotten == ()


def command(kind: type[commands.JourneyCommand], **fields: object) -> commands.JourneyCommand:
    return kind(workspace="w", customer="ann", **fields)


def test_a_person_can_take_a_customer_out(ann: Person) -> None:
    ann.meets(received(order("1"), "e1", MONDAY))
    ann.meets(received(command(commands.Exit, journey="thanks", reason="asked to"), "x", after(hours=1)))
    assert ann.standing["thanks"] == ("exited", "asked to")
    assert len(ann.cancels) == 1


def test_a_person_can_put_a_customer_in_once(ann: Person) -> None:
    ann.meets(received(command(commands.Enroll, journey="thanks"), "x", MONDAY))
    assert ann.standing["thanks"] == ("waiting", "thank")
    ann.meets(received(command(commands.Enroll, journey="thanks"), "y", after(hours=1)))
    assert ann.last.refused == [("thanks", "already_entered")]
    ann.meets(received(command(commands.Enroll, journey="nowhere"), "z", after(hours=1)))
    assert ann.last.rejected[0][1] == "no journey 'nowhere'"


def test_an_order_known_from_history_converts_nobody_when_it_is_told_again(ann: Person) -> None:
    ann.meets(received(order("1"), "import", MONDAY, mode=Mode.BACKFILL))
    ann.meets(received(command(commands.Enroll, journey="thanks"), "x", after(minutes=-1), after(minutes=1)))
    ann.meets(received(order("1"), "webhook", MONDAY, after(minutes=2)))
    assert ann.standing["thanks"] == ("waiting", "thank")


def test_a_paused_customer_stays_until_resumed_and_then_goes_on(ann: Person) -> None:
    ann.meets(received(cart("c1"), "e1", MONDAY))
    ann.meets(received(command(commands.Pause, journey="cart"), "x", after(hours=1)), until=after(days=3))
    assert ann.sends == []
    ann.meets(received(cart("c2"), "e2", after(days=3)))
    assert ("cart", "paused") in ann.last.refused
    ann.meets(received(command(commands.Pause, journey="cart", on=False), "y", after(days=4)), until=after(days=4))
    assert [send.state for send in ann.sends] == ["reminder"]


def test_a_paused_journey_holds_timers_and_waits_and_lets_exits_through() -> None:
    ann = Person(catalog_of(CART, THANKS))
    ann.meets(received(order("1"), "e1", MONDAY), received(cart("c1"), "e2", after(minutes=1)))
    ann.meets(received(outcome(ann.sends[0], "sent", MONDAY), "o", after(minutes=1)))
    running, ann.catalog = ann.catalog, catalog_of(CART, THANKS, paused=["cart", "thanks"])
    delivered = events.OrderDelivered(workspace="w", customer="ann", order_id="1")
    ann.meets(received(delivered, "e3", after(days=1)), until=after(days=30))
    assert ann.last.effects == []
    assert ann.last.state.enrollments.keys() == ann.state.enrollments.keys()
    ann.catalog = running
    ann.meets(until=after(days=1, hours=1))
    assert {send.state for send in ann.sends} == {"guide", "reminder"}, "the delivery was not forgotten"


def test_an_erased_customer_leaves_every_journey_and_nothing_behind(ann: Person) -> None:
    ann.meets(
        received(events.Merged(workspace="w", customer="ann", source="cookie", target="ann"), "m", MONDAY),
        received(order("1"), "e1", MONDAY),
    )
    ann.meets(received(events.Erased(workspace="w", customer="ann"), "forget", after(hours=1)))
    assert [e.exit_reason for e in ann.last.gone.values()] == ["erased"]
    assert len(ann.cancels) == 1
    assert ann.last.forgotten == ("cookie",)
    assert ann.state.enrollments == {}
    assert ann.state.profile.order_count == 0


def test_what_happened_before_an_erasure_stays_forgotten_and_who_comes_again_is_somebody_new(ann: Person) -> None:
    ann.meets(received(events.Erased(workspace="w", customer="ann"), "forget", after(hours=1)))
    before = ann.state
    ann.meets(
        received(order("1"), "late", MONDAY, after(hours=2)),
        received(events.Merged(workspace="w", customer="ann", source="cookie", target="ann"), "m", MONDAY),
    )
    assert (ann.state, ann.last.too_late) == (before, 2)
    ann.meets(received(order("2"), "again", after(hours=3)))
    assert ann.state.profile.order_count == 1
    assert ann.standing["thanks"] == ("waiting", "thank")
    ann.meets(received(events.Erased(workspace="w", customer="ann"), "earlier", MONDAY, after(hours=4)))
    assert ann.state == before, "an erasure told late takes nothing of an earlier one back"


def test_every_move_of_an_enrollment_has_its_own_number(ann: Person) -> None:
    seen: list[tuple[str, int]] = []
    ann.held = set()
    ann.meets(received(order("1"), "e1", MONDAY))
    ann.held = {ann.sends[0].message_key}
    seen += [(e.enrollment, e.seq) for e in ann.last.effects if isinstance(e, Moved)]
    ann.meets(received(order("2"), "e2", after(hours=1)))
    seen += [(e.enrollment, e.seq) for e in ann.last.effects if isinstance(e, Moved)]
    assert [seq for _, seq in seen] == list(range(1, len(seen) + 1))


def test_a_timer_tells_by_how_much_it_was_late(ann: Person) -> None:
    ann.meets(received(cart("c1"), "e1", MONDAY))
    folded = ann.meets(until=after(hours=5), now=after(hours=6))
    assert folded.late == [7200.0], "due after 4 hours"
    assert folded.fired == 1
