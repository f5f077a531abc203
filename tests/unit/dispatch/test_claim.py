"""May it go out now? One row of the table each."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tabiji_dispatch.domain.claim import Case, Controls, Hold, Rules, Send, Suppress, decide, switch_reason
from tabiji_dispatch.domain.consent import Consent
from tabiji_dispatch.domain.outcomes import Keyed
from tests.unit.dispatch.make import HOUR, NOON, case, delivery

RULES = Rules()
QUIET = NOON + 10 * HOUR  # 22:00 in Tokyo


NOBODY_SAID = Controls()


def decided(of: Case, controls: Controls = NOBODY_SAID, rules: Rules = RULES, now: object = NOON) -> object:
    return decide(of, controls, rules, "here", now)  # type: ignore[arg-type]


def test_a_customer_who_agreed_gets_it() -> None:
    assert decided(case()) == Send()


@pytest.mark.parametrize(
    "switch", [("global", "", ""), ("workspace", "demo", ""), ("journey", "demo", "f2"), ("provider", "", "smtp")]
)
def test_each_kill_switch_holds(switch: tuple[str, str, str]) -> None:
    assert decided(case(), Controls(frozenset({switch}))) == Hold(switch_reason(*switch))


@pytest.mark.parametrize("switch", [("workspace", "other", ""), ("journey", "demo", "cart"), ("provider", "", "line")])
def test_a_switch_of_something_else_does_not(switch: tuple[str, str, str]) -> None:
    assert decided(case(), Controls(frozenset({switch}))) == Send()


def test_restore_mode_holds_before_anything_is_decided() -> None:
    late = case(delivery(not_after=NOON - HOUR, cancelled=True))
    assert decided(late, Controls(restore=True)) == Hold("restore")


def test_another_clusters_send_is_held_until_a_person_accepts_it() -> None:
    foreign = case(delivery(cluster="there"))
    assert decided(foreign) == Hold("other_cluster:there")
    assert decided(foreign, Controls(clusters=frozenset({"there"}))) == Send()
    assert decided(case(delivery(cluster="here"))) == Send()


def test_quiet_hours_hold_marketing_to_their_end() -> None:
    assert decided(case(), now=QUIET) == Hold("quiet", NOON + 20 * HOUR)
    assert decided(case(delivery(message_class="transactional")), now=QUIET) == Send()


def test_quiet_hours_are_the_customers_own() -> None:
    abroad = case(zone="America/New_York")  # 23:00 there
    assert decided(abroad) == Hold("quiet", NOON + 9 * HOUR)
    assert decided(case(zone="no zone"), now=QUIET) == Hold("quiet", NOON + 20 * HOUR)


def test_a_key_the_provider_forgot_is_held_where_the_message_is_in_doubt() -> None:
    keyed = Keyed(ttl=100, margin=10)
    assert decided(case(delivery(in_doubt=True), capability=keyed, age=95)) == Hold("key_expired")
    assert decided(case(delivery(in_doubt=True), capability=keyed, age=80)) == Send()
    assert decided(case(delivery(), capability=keyed, age=95)) == Send()


SUPPRESSED = [
    (case(delivery(cancelled=True)), "cancelled"),
    (case(delivery(not_after=NOON - timedelta(seconds=1))), "late"),
    (case(erased_at=NOON - HOUR, known=False), "erased"),
    (case(erased_at=NOON), "erased"),
    (case(consents={}), "no_consent"),
    (case(consents={"email": Consent(given=False, at=NOON)}), "no_consent"),
    (case(consents={"line": Consent(given=True, at=NOON)}), "no_consent"),
    (case(address=""), "no_address"),
    (case(listed={"all": "bounced"}), "suppression_list"),
    (case(listed={"marketing": "complained"}), "suppression_list"),
]


@pytest.mark.parametrize(("of", "reason"), SUPPRESSED)
def test_each_reason_suppresses(of: Case, reason: str) -> None:
    assert decided(of) == Suppress(reason)


def test_it_is_late_only_past_its_time() -> None:
    assert decided(case(delivery(not_after=NOON))) == Send()


def test_a_customer_who_came_back_after_an_erasure_is_a_new_one() -> None:
    back = case(delivery(decided_at=NOON + HOUR), erased_at=NOON, known=True)
    assert decided(back, now=NOON + HOUR) == Send()


def test_a_transactional_message_needs_no_consent_and_minds_no_marketing_list_or_cap() -> None:
    receipt = case(delivery(message_class="transactional"), consents={}, listed={"marketing": "complained"}, recent=9)
    assert decided(receipt, rules=replace(RULES, cap=1)) == Send()
    assert decided(replace(receipt, listed={"all": "bounced"})) == Suppress("suppression_list")


def test_the_cap_counts_recent_marketing_and_is_off_by_default() -> None:
    assert decided(case(recent=99)) == Send()
    assert decided(case(recent=2), rules=replace(RULES, cap=2)) == Suppress("cap")
    assert decided(case(recent=1), rules=replace(RULES, cap=2)) == Send()
