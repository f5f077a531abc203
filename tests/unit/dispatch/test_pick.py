"""Of the candidates of a turn: who is sent to, who waits, who gets nothing; and which leases are over."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tabiji_dispatch.domain.carrier import Carrier
from tabiji_dispatch.domain.claim import Controls, Rules
from tabiji_dispatch.domain.consent import Consent, Contact, Word
from tabiji_dispatch.domain.ledger import Move
from tabiji_dispatch.domain.message import Delivery
from tabiji_dispatch.domain.outcomes import Keyed, Result, Unkeyed
from tabiji_dispatch.domain.pick import Candidate, Moment, Terms, pick
from tabiji_dispatch.domain.reap import Open, lost, over, watch
from tabiji_dispatch.domain.render import Shop, Template, Unrenderable, compile_template
from tests.unit.dispatch.make import HOUR, NOON, delivery

CARRIERS = {
    "smtp": Carrier("smtp", frozenset({"email"}), Unkeyed(), Unkeyed()),
    "hook": Carrier("hook", frozenset({"webhook"}), Keyed(), Keyed()),
}
TERMS = Terms(CARRIERS, Rules(), Shop("店", "https://shop.example.com", "http://127.0.0.1", "s"), 60, "me")
MOMENT = Moment(NOON, NOON + HOUR, 1000.0, "here")


def find(name: str) -> Template:
    if name == "f2/nowhere":
        raise Unrenderable(name)
    return compile_template(name, {"subject.liquid": "s", "body.txt": "{{ customer.name }} {{ unsubscribe_url }}"})


def candidate(of: Delivery) -> Candidate:
    fields = {"email": Word("c1@example.com", NOON), "name": Word("花子", NOON)}
    consents = {"email": Consent(given=True, at=NOON)}
    return Candidate(of, Contact("demo", of.customer, 0, fields, consents), known=True)


def picked(*of: Delivery, rooms: dict[str, int] | None = None, rules: Rules | None = None, **controls: Any) -> Any:
    terms = replace(TERMS, rules=rules) if rules else TERMS
    return pick(
        [candidate(one) for one in of], rooms or {"smtp": 9, "hook": 9}, Controls(**controls), terms, MOMENT, find
    )


def test_an_intent_has_the_next_token_and_a_letter() -> None:
    [intent], puts = picked(delivery(token=3))
    said = intent.letter.text.partition(" ")[0]
    assert (intent.token, intent.letter.address, said, puts) == (4, "c1@example.com", "花子", [])
    assert intent.delivery.first_attempt_at == MOMENT.wall


def test_no_more_than_there_are_free_slots_and_others_stay_queued() -> None:
    intents, puts = picked(*(delivery(key=f"m{n}", customer=f"c{n}") for n in range(5)), rooms={"smtp": 2})
    assert [intent.delivery.key for intent in intents] == ["m0", "m1"]
    assert puts == []


def test_holds_and_suppressions_need_no_slot() -> None:
    intents, puts = picked(delivery(cancelled=True), delivery(channel="line", provider="line"), rooms={"smtp": 0})
    assert intents == []
    assert [(put.move, put.reason) for put in puts] == [(Move.SUPPRESS, "cancelled"), (Move.SUPPRESS, "no_consent")]


def test_what_cannot_be_rendered_fails_and_takes_no_slot() -> None:
    intents, puts = picked(delivery(template="f2/nowhere"), delivery(key="m2", customer="c2"), rooms={"smtp": 1})
    assert [intent.delivery.key for intent in intents] == ["m2"]
    assert [(put.move, put.reason) for put in puts] == [(Move.FAIL, "template")]


def test_a_withheld_message_in_doubt_is_unknown() -> None:
    _, [put] = picked(delivery(cancelled=True, in_doubt=True))
    assert put.move is Move.DOUBT


def test_the_cap_counts_within_a_turn() -> None:
    of = [delivery(), delivery(key="m2", channel="email", journey="cart")]
    intents, puts = picked(*of, rules=Rules(cap=1))
    assert (len(intents), [put.reason for put in puts]) == (1, ["cap"])


def test_a_hold_is_looked_at_again_when_it_ends_or_the_message_is_late() -> None:
    late = delivery().not_after + timedelta(microseconds=1)
    _, [put] = picked(delivery(), switches=frozenset({("global", "", "")}))
    assert put.until == late
    _, [put] = picked(delivery(), restore=True)
    assert put.until is None


def test_a_frozen_letter_is_sent_again_as_it_was() -> None:
    [first], _ = picked(delivery())
    again = replace(candidate(delivery(token=1)), frozen=replace(first.letter, address="old@example.com"))
    [second], _ = pick([again], {"smtp": 1}, Controls(), TERMS, MOMENT, find)
    assert second.letter.address == "old@example.com"


def opened(who: str = "other", lease: float = -1, **changes: Any) -> Open:
    return Open(delivery(token=1, **changes), MOMENT.wall + timedelta(seconds=lease), who)


def test_an_attempt_that_a_courier_holds_is_not_watched() -> None:
    assert watch([opened()], {("m1", 1)}, {}, 5.0) == {}
    assert watch([opened()], frozenset(), {}, 5.0) == {("m1", 1): 5.0}
    assert watch([opened()], frozenset(), {("m1", 1): 2.0}, 5.0) == {("m1", 1): 2.0}


def test_anothers_attempt_is_over_when_both_clocks_say_so() -> None:
    one, long_ago, just_now = [opened()], {("m1", 1): 940.0}, {("m1", 1): 941.0}
    assert over(one, long_ago, TERMS, MOMENT) == one
    assert over(one, just_now, TERMS, MOMENT) == []
    assert over([opened(lease=1)], long_ago, TERMS, MOMENT) == []


def test_an_own_attempt_that_was_never_started_goes_back_at_once() -> None:
    one = opened(who="me", lease=60)
    assert over([one], {("m1", 1): 1000.0}, TERMS, MOMENT) == [one]
    settlement = lost(one, TERMS, MOMENT)
    assert (settlement.verdict.result, settlement.step.move) == (Result.UNSENT, Move.RETURNED)


def test_what_is_over_goes_by_the_providers_policy() -> None:
    assert lost(opened(), TERMS, MOMENT).step.move is Move.LOST
    assert lost(opened(provider="hook"), TERMS, MOMENT).step.move is Move.RESEND
    assert lost(opened(provider="gone"), TERMS, MOMENT).step.move is Move.LOST
    old = opened(provider="hook", first_attempt_at=MOMENT.wall - timedelta(hours=24))
    assert lost(old, TERMS, MOMENT).step.move is Move.EXPIRED
