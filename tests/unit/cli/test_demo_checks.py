"""Every check holds for a perfect run, and fails for the one fault it is there for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from tabiji_cli.demo import checks
from tabiji_cli.demo.evidence import Evidence, JourneyCount
from tabiji_cli.ledger import Reaction
from tests.unit.cli.support import perfect, with_table


def failed(evidence: Evidence) -> set[str]:
    return {check.name for check in checks.run(evidence) if not check.ok}


def test_a_perfect_run_holds_every_check() -> None:
    assert failed(perfect()) == set()


def one_customer_missing(run: Evidence) -> Evidence:
    rows = [dict(row) for row in run.tables["retention_monthly@UTC"]]
    rows[0]["active_customers"] -= 1
    return with_table(run, "retention_monthly@UTC", rows)


def one_cent_too_much(run: Evidence) -> Evidence:
    rows = [dict(row) for row in run.tables["ltv_by_cohort@Asia/Tokyo"]]
    rows[-1]["ltv_minor"] += 1 / rows[-1]["cohort_size"]
    return with_table(run, "ltv_by_cohort@Asia/Tokyo", rows)


def a_month_without_an_order(run: Evidence) -> Evidence:
    rows = [dict(row) for row in run.tables["new_vs_existing@UTC"]]
    rows[0]["orders"] -= 1
    return with_table(run, "new_vs_existing@UTC", rows)


def a_second_order_missed(run: Evidence) -> Evidence:
    rows = [dict(row) for row in run.tables["repeat_purchase"]]
    rows[1]["customers"] -= 1
    return with_table(run, "repeat_purchase", rows)


def an_order_that_analytics_never_saw(run: Evidence) -> Evidence:
    return replace(run, orders=[*run.orders, replace(run.orders[0], order_id="lost", customer="lost")])


def the_log_is_not_the_published_one(run: Evidence) -> Evidence:
    return replace(run, known={"f2": 11_516})


def a_mail_taken_twice(run: Evidence) -> Evidence:
    return replace(run, mails=[*run.mails, run.mails[0]])


def a_mail_nobody_recorded(run: Evidence) -> Evidence:
    key = run.mails[0].key
    return replace(run, deliveries={**run.deliveries, key: replace(run.deliveries[key], state="queued")})


def a_mail_that_never_arrived(run: Evidence) -> Evidence:
    return replace(run, mails=run.mails[:-1])


def a_mail_without_consent(run: Evidence) -> Evidence:
    customer = run.deliveries[run.mails[0].key].customer
    return replace(run, consents={who: at for who, at in run.consents.items() if who != customer})


def a_mail_after_unsubscribing(run: Evidence) -> Evidence:
    first = run.mails[0]
    left = Reaction(key=first.key, what="unsubscribe", at=first.at - timedelta(minutes=1), status=200)
    return replace(run, reactions=[*run.reactions, left])


def a_line_message_without_consent(run: Evidence) -> Evidence:
    first = run.mails[0]
    return replace(run, deliveries={**run.deliveries, first.key: replace(run.deliveries[first.key], channel="line")})


def a_win_back_mail_to_somebody_who_just_bought(run: Evidence) -> Evidence:
    first = run.mails[0]
    early = replace(run.deliveries[first.key], journey="win-back", template="win-back/come-back")
    return replace(run, deliveries={**run.deliveries, first.key: early})


def a_reminder_after_the_second_order(run: Evidence) -> Evidence:
    reader = next(mail for mail in run.mails if int(run.deliveries[mail.key].customer) % 2 == 0)
    late = msgspec.structs.replace(reader, at=reader.at + timedelta(days=60))
    return replace(run, mails=[late if mail is reader else mail for mail in run.mails])


def a_machines_open_counted_as_a_persons(run: Evidence) -> Evidence:
    return with_table(run, "message_outcomes", [{"opened": 2, "clicked": 1, "machine_opened": 0}])


def somebody_lost(run: Evidence) -> Evidence:
    return replace(run, journeys=[replace(run.journeys[0], entered=41)])


def nobody_entered(run: Evidence) -> Evidence:
    return replace(run, journeys=[JourneyCount("f2-conversion", 0, {}, 0, {})])


def somebody_stuck(run: Evidence) -> Evidence:
    return replace(run, stuck=1)


def drift(run: Evidence) -> Evidence:
    return replace(run, drift=1)


def parked(run: Evidence) -> Evidence:
    return replace(run, parked=1)


def dead_letters(run: Evidence) -> Evidence:
    return replace(run, dead_letters=1)


RETENTION = "every accepted order is in the retention matrix"
LTV = "every accepted amount is in the LTV table"
MONTHS = "every month has its orders and sales"
F2 = "F2 to Fn are those of the log"


@pytest.mark.parametrize(
    ("fault", "names"),
    [
        (one_customer_missing, {RETENTION}),
        (one_cent_too_much, {LTV}),
        (a_month_without_an_order, {MONTHS}),
        (a_second_order_missed, {F2}),
        (an_order_that_analytics_never_saw, {RETENTION, LTV, MONTHS, F2}),
        (the_log_is_not_the_published_one, {F2}),
        (a_mail_taken_twice, {"nobody got a message twice"}),
        (a_mail_nobody_recorded, {"what was sent is what arrived"}),
        (a_mail_that_never_arrived, {"what was sent is what arrived"}),
        (a_mail_without_consent, {"no mail without consent"}),
        (a_line_message_without_consent, {"no mail without consent"}),
        (a_win_back_mail_to_somebody_who_just_bought, {"nobody is won back who was not away"}),
        (a_mail_after_unsubscribing, {"no mail without consent"}),
        (a_reminder_after_the_second_order, {"nobody is asked for an order already made"}),
        (a_machines_open_counted_as_a_persons, {"opens and clicks are those of the mailbox"}),
        (somebody_lost, {"nobody is lost"}),
        (nobody_entered, {"nobody is lost"}),
        (somebody_stuck, {"nobody is lost"}),
        (drift, {"views equal their recomputation"}),
        (parked, {"views equal their recomputation"}),
        (dead_letters, {"views equal their recomputation"}),
    ],
)
def test_each_fault_is_seen_by_its_check_and_by_no_other(
    fault: Callable[[Evidence], Evidence], names: set[str]
) -> None:
    assert failed(fault(perfect())) == names


def test_an_unknown_outcome_is_listed_and_fails_nothing() -> None:
    run = perfect()
    key = run.mails[0].key
    unsure = replace(run, deliveries={**run.deliveries, key: replace(run.deliveries[key], state="unknown")})
    assert failed(unsure) == set()
    assert any("1 unknown" in check.detail for check in checks.run(unsure))


def test_an_order_taken_in_at_the_instant_of_a_win_back_mail_came_after_it() -> None:
    first = perfect().mails[0]
    run = a_win_back_mail_to_somebody_who_just_bought(perfect())
    customer = run.deliveries[first.key].customer
    long_ago = {order.order_id: first.at - checks.AWAY for order in run.orders if order.customer == customer}
    again = replace(run.orders[0], order_id="again", customer=customer)
    taken_in = long_ago | {"again": first.at}
    with_another = replace(run, orders=[*run.orders, again], taken_in=taken_in)
    assert "nobody is won back who was not away" not in failed(with_another)
    earlier = replace(with_another, taken_in=taken_in | {"again": first.at - timedelta(seconds=1)})
    assert "nobody is won back who was not away" in failed(earlier)


def test_a_run_in_which_nothing_happened_proves_nothing() -> None:
    empty = Evidence({}, [], {}, [], [], {}, {}, [])
    assert {F2, "nobody is lost"} <= failed(empty)
