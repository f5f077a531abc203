"""Contacts and consent: the last word by occurred_at, in whatever order the words arrive."""

import itertools
from datetime import datetime, timedelta
from typing import Any

import pytest

from tabiji_common import events
from tabiji_common.commands import Withdraw
from tabiji_common.identity import customer_hash
from tabiji_dispatch.domain.consent import (
    Consent,
    Contact,
    Listing,
    address_hash,
    agreed,
    bad_address,
    fold,
)
from tabiji_dispatch.domain.register import came_back, fold_all
from tabiji_dispatch.domain.triage import Change
from tests.unit.dispatch.make import HOUR, NOON

WHO: dict[str, Any] = {"workspace": "demo", "customer": "c1"}
NOBODY = Contact("demo", "c1", 0)


def identified(**pii: Any) -> events.Identified:
    return events.Identified(**WHO, pii=pii)


def test_fields_are_kept_one_by_one() -> None:
    first = fold(NOBODY, identified(email="a@example.com", name="古い"), NOON)
    second = fold(first, identified(name="新しい"), NOON + HOUR)
    assert (second.value("email"), second.value("name")) == ("a@example.com", "新しい")
    assert fold(second, identified(name="遅れて来た"), NOON).value("name") == "新しい"


def test_every_order_of_arrival_ends_the_same() -> None:
    said = [
        (identified(email="a@example.com"), NOON),
        (identified(email="b@example.com", phone="1"), NOON + HOUR),
        (events.ConsentGiven(**WHO, channel="email"), NOON),
        (events.ConsentWithdrawn(**WHO, channel="email"), NOON + HOUR),
        (events.ConsentGiven(**WHO, channel="email"), NOON + 2 * HOUR),
    ]
    ends = set()
    for order in itertools.permutations(said):
        contact = NOBODY
        for event, at in order:
            contact = fold(contact, event, at)
        ends.add((contact.value("email"), contact.value("phone"), agreed(contact.consents, "email")))
    assert ends == {("b@example.com", "1", True)}


def test_a_no_after_a_yes_after_a_no_holds_however_fast_they_came() -> None:
    contact = NOBODY
    for second, event in enumerate(
        (
            events.Unsubscribed(**WHO, channel="email"),
            events.ConsentGiven(**WHO, channel="email"),
            events.Unsubscribed(**WHO, channel="email"),
        )
    ):
        contact = fold(contact, event, NOON + timedelta(seconds=second))
    assert contact.consents["email"] == Consent(given=False, at=NOON + timedelta(seconds=2))


def test_a_name_is_made_of_its_parts_family_name_first() -> None:
    assert fold(NOBODY, identified(first_name="花子", last_name="山田"), NOON).value("name") == "山田 花子"
    assert fold(NOBODY, identified(firstName="花子"), NOON).value("name") == "花子"


def test_an_address_can_be_taken_away_and_what_is_no_text_is_nothing() -> None:
    with_address = fold(NOBODY, identified(email="a@example.com"), NOON)
    assert fold(with_address, identified(email=""), NOON + HOUR).value("email") == ""
    assert fold(with_address, identified(email=17), NOON + HOUR) == with_address


WITHDRAWN = [
    (events.ConsentWithdrawn(**WHO, channel="email"), "email"),
    (events.Unsubscribed(**WHO, channel="email"), "email"),
    (events.Unsubscribed(**WHO), "email"),
    (events.EmailComplained(**WHO), "email"),
    (events.LineBlocked(**WHO), "line"),
]


@pytest.mark.parametrize(("event", "channel"), WITHDRAWN)
def test_each_way_to_say_no(event: Any, channel: str) -> None:
    yes = fold(NOBODY, events.ConsentGiven(**WHO, channel=channel), NOON)
    assert agreed(yes.consents, channel)
    assert not agreed(fold(yes, event, NOON + HOUR).consents, channel)
    assert not agreed(fold(yes, event, NOON).consents, channel)  # at the same instant, no stands
    assert agreed(fold(yes, event, NOON - HOUR).consents, channel)


def test_no_on_every_channel_is_lifted_by_a_later_yes_on_one() -> None:
    contact = fold(NOBODY, events.Unsubscribed(**WHO), NOON)
    contact = fold(contact, events.ConsentGiven(**WHO, channel="email"), NOON + HOUR)
    assert agreed(contact.consents, "email")
    assert not agreed(contact.consents, "line")
    assert not agreed({"*": Consent(given=True, at=NOON)}, "email")


def test_an_erasure_forgets_and_what_was_said_before_stays_forgotten() -> None:
    contact = fold(fold(NOBODY, identified(email="a@example.com"), NOON), events.Erased(**WHO), NOON + HOUR)
    assert (contact.fields, contact.consents, contact.erased_at) == ({}, {}, NOON + HOUR)
    assert fold(contact, identified(email="a@example.com"), NOON + HOUR) == contact
    assert fold(contact, identified(email="new@example.com"), NOON + 2 * HOUR).value("email") == "new@example.com"


def test_only_hard_bounces_and_complaints_list_an_address() -> None:
    assert bad_address(events.EmailBounced(**WHO, hard=True)) == ("email", "all", "bounced")
    assert bad_address(events.EmailBounced(**WHO, hard=False)) is None
    assert bad_address(events.EmailComplained(**WHO)) == ("email", "marketing", "complained")
    assert bad_address(events.EmailOpened(**WHO)) is None


def test_hashes_know_an_address_in_any_spelling_and_no_other() -> None:
    one = address_hash("s", "demo", "email", "A@Example.com ")
    assert one == address_hash("s", "demo", "email", "a@example.com")
    others = [("t", "demo", "email"), ("s", "other", "email"), ("s", "demo", "sms")]
    assert all(address_hash(*other, "a@example.com") != one for other in others)
    assert customer_hash("s", "demo", "c1") != customer_hash("s", "demo", "c2")


def change(event: Any, at: datetime, id_: str = "x") -> Change:
    return Change("demo:c1", 0, id_, at, event)


def test_a_batch_folds_in_order_and_lists_the_address_of_its_time() -> None:
    changes = [
        change(identified(email="a@example.com"), NOON),
        change(events.EmailBounced(**WHO), NOON + HOUR),
        change(identified(email="b@example.com"), NOON + 2 * HOUR),
    ]
    folded = fold_all({"demo:c1": NOBODY}, changes, "s", NOON)
    assert folded.contacts["demo:c1"].value("email") == "b@example.com"
    hashed = address_hash("s", "demo", "email", "a@example.com")
    assert folded.listings == [Listing("demo", "email", hashed, "all", "bounced", NOON + HOUR)]


NEW, OLD = (address_hash("s", "demo", "email", f"{name}@example.com") for name in ("new", "old"))


@pytest.mark.parametrize(
    ("fields", "sent_to", "listed"),
    [
        ({"message_key": "m"}, {"m": OLD}, [OLD]),
        ({"message_key": "m"}, {}, []),  # a message nobody here sent, and an address that came after it
        ({"pii": {"email": " Old@example.com"}}, {}, [OLD]),
        ({"message_key": "m", "pii": {"email": "old@example.com"}}, {"m": NEW}, [OLD]),
        ({}, {}, []),
    ],
)
def test_a_late_bounce_lists_the_address_of_its_message_and_never_the_one_that_came_after(
    fields: dict[str, Any], sent_to: dict[str, bytes], listed: list[bytes]
) -> None:
    moved = fold(NOBODY, identified(email="new@example.com"), NOON + HOUR)
    bounce = change(events.EmailBounced(**WHO, **fields), NOON)
    folded = fold_all({"demo:c1": moved}, [bounce], "s", NOON, sent_to)
    assert [listing.hash for listing in folded.listings] == listed


def test_only_bad_addresses_are_asked_for() -> None:
    opened, bounced = events.EmailOpened(**WHO, message_key="a"), events.EmailBounced(**WHO, message_key="b")
    assert came_back([change(opened, NOON), change(bounced, NOON), change(events.EmailBounced(**WHO), NOON)]) == {
        "b": "demo:c1"
    }


def test_an_erasure_is_answered_each_time_and_done_once() -> None:
    known = fold(NOBODY, identified(email="a@example.com"), NOON)
    erased = change(events.Erased(**WHO), NOON + HOUR, "erase")
    folded = fold_all({"demo:c1": known}, [erased, erased], "s", NOON)
    assert [record.type for record in folded.records] == ["erasure_done"] * 2
    assert len({record.id for record in folded.records}) == 1
    assert [listing.reason for listing in folded.listings] == ["erased"]
    assert set(folded.erased) == {"demo:c1"}


def merged(source: str, target: str, *, known: bool = False) -> events.Merged:
    return events.Merged(**WHO, source=source, target=target, known=known)


def passed_on(*changes: Change, of: Contact = NOBODY) -> list[tuple[str, str, str, datetime]]:
    folded = fold_all({"demo:c1": of}, changes, "s", NOON + 9 * HOUR)
    return [(one.type, one.key, one.body.channel, one.occurred_at) for one in folded.records]


NO, YES = events.ConsentWithdrawn(**WHO, channel="email"), events.ConsentGiven(**WHO, channel="line")


@pytest.mark.parametrize("known", [True, False])
def test_a_no_is_passed_on_to_whom_the_visitor_turned_out_to_be_and_a_yes_is_not(known: bool) -> None:
    merge = change(merged("c1", "member", known=known), NOON + 2 * HOUR)
    gone = change(events.Unsubscribed(**WHO), NOON + 3 * HOUR)
    assert passed_on(change(NO, NOON), change(YES, NOON), merge, gone) == [
        ("withdraw", "demo:member", "email", NOON),
        ("withdraw", "demo:member", "*", NOON + 3 * HOUR),
    ]


def test_of_two_known_customers_said_to_be_one_the_target_passes_its_no_on_too() -> None:
    """The stricter of both holds for the person: the law forbids advertising to who has said no to it."""
    gone = change(events.Unsubscribed(**WHO), NOON + 3 * HOUR)
    merge = change(merged("member", "c1", known=True), NOON + 2 * HOUR)
    assert passed_on(change(NO, NOON), change(YES, NOON), merge, gone) == [
        ("withdraw", "demo:member", "email", NOON),
        ("withdraw", "demo:member", "*", NOON + 3 * HOUR),
    ]


def test_a_no_between_two_known_customers_comes_to_rest() -> None:
    pair = {
        "demo:c1": Contact("demo", "c1", 0, others=frozenset({"member"})),
        "demo:member": Contact("demo", "member", 0, others=frozenset({"c1"})),
    }
    now = [Change("demo:c1", 0, "no", NOON, NO)]
    seen: set[str] = set()
    while now:
        folded = fold_all(pair, now, "s", NOON + HOUR)
        pair |= folded.contacts
        fresh = [one for one in folded.records if one.id not in seen]  # the inbox drops the others
        seen |= {one.id for one in fresh}
        now = [Change(one.key, 0, one.id, one.occurred_at, one.body) for one in fresh]
    assert len(seen) == 2
    assert {contact.consents["email"] for contact in pair.values()} == {Consent(given=False, at=NOON)}


def known_pair(source: str, target: str, at: datetime) -> list[Change]:
    pair = events.Merged(**WHO, source=source, target=target, known=True)
    return [Change(f"demo:{side}", 0, f"{source}-{target}-{side}", at, pair) for side in (source, target)]


CHAIN = [known_pair("a", "b", NOON + HOUR), known_pair("b", "c", NOON + HOUR), known_pair("c", "d", NOON + HOUR)]


@pytest.mark.parametrize("merges", [*itertools.permutations(CHAIN), [*CHAIN, known_pair("d", "a", NOON + HOUR)]])
@pytest.mark.parametrize("who", ["a", "b", "d"])
@pytest.mark.parametrize("when", range(4))
def test_a_no_goes_along_a_chain_of_merges_in_whatever_order_it_is_told(
    merges: list[list[Change]], who: str, when: int
) -> None:
    log = [change for pair in merges[:when] for change in pair]
    log.append(Change(f"demo:{who}", 0, "no", NOON, NO))
    log += [change for pair in merges[when:] for change in pair]
    contacts = {f"demo:{name}": Contact("demo", name, 0) for name in "abcd"}
    told = 0
    while log:
        folded = fold_all(contacts, [log.pop(0)], "s", NOON + HOUR)
        contacts |= folded.contacts
        told += len(folded.records)
        log += [Change(one.key, 0, one.id, one.occurred_at, one.body) for one in folded.records]
    assert {contact.consents["email"] for contact in contacts.values()} == {Consent(given=False, at=NOON)}
    assert told <= 2 * len(merges), "once along each tie and back"


def test_nothing_is_passed_on_that_was_taken_back_or_by_the_customer_itself_or_to_a_second_one() -> None:
    merge = change(merged("c1", "member"), NOON + 2 * HOUR)
    again = change(events.ConsentGiven(**WHO, channel="email"), NOON + HOUR)
    assert passed_on(change(NO, NOON), again, merge) == []
    assert passed_on(change(NO, NOON), change(merged("x", "c1"), NOON)) == []
    assert passed_on(change(NO, NOON), change(merged("c1", "c1"), NOON)) == []
    second = change(merged("c1", "family"), NOON + 3 * HOUR)
    assert {key for _, key, _, _ in passed_on(change(NO, NOON), merge, second)} == {"demo:member"}


def test_a_no_that_was_passed_on_counts_from_when_it_was_said_and_does_not_go_on_for_ever() -> None:
    yes = fold(NOBODY, events.ConsentGiven(**WHO, channel="email"), NOON)
    told = Withdraw(**WHO, channel="email")
    assert not agreed(fold(yes, told, NOON + HOUR).consents, "email")
    assert agreed(fold(yes, told, NOON - HOUR).consents, "email")
    moved = Contact("demo", "c1", 0, merged_into="member")
    hops = [passed_on(change(Withdraw(**WHO, channel="email", hops=n), NOON), of=moved) for n in (1, 31, 32)]
    assert [len(records) for records in hops] == [1, 1, 0]


def test_agreeing_again_lifts_an_erasures_listing() -> None:
    known = fold(NOBODY, identified(email="a@example.com"), NOON)
    folded = fold_all({"demo:c1": known}, [change(events.ConsentGiven(**WHO, channel="email"), NOON)], "s", NOON)
    assert folded.relisted == {address_hash("s", "demo", "email", "a@example.com"): NOON}
