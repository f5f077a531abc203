"""Evidence -> does every promise hold? These decide the exit status of a run.

The driver's and the mailbox's own files are the measure; what the services say is held against them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from tabiji_cli.demo import expected
from tabiji_cli.demo.evidence import Evidence, Row

ZONES: dict[str, tzinfo] = {"UTC": UTC, "Asia/Tokyo": ZoneInfo("Asia/Tokyo")}
AWAY = timedelta(days=90)
SHOWN = 3  # differences told in full
_AT_LEAST = re.compile(r"customers_with_at_least_(\d+)_orders")


@dataclass(frozen=True)
class Check:
    """One promise, whether it held, and the figures."""

    name: str
    ok: bool
    detail: str


def run(evidence: Evidence) -> list[Check]:
    """Every check, in the order in which they are told."""
    return [
        retention_matches(evidence),
        ltv_matches(evidence),
        months_match(evidence),
        f2_matches(evidence),
        nobody_mailed_twice(evidence),
        mailbox_matches_deliveries(evidence),
        only_with_consent(evidence),
        nobody_reminded_after_buying(evidence),
        won_back_only_when_away(evidence),
        reactions_counted(evidence),
        nobody_lost(evidence),
        nothing_odd(evidence),
    ]


def retention_matches(evidence: Evidence) -> Check:
    """Cohort sizes and the retention matrix are those of the accepted orders, in both zones."""

    def shown(row: Row) -> tuple[Any, ...]:
        return int(row["cohort_size"]), int(row["active_customers"])

    def known(cell: expected.Cell) -> tuple[Any, ...]:
        return cell.cohort_size, cell.active_customers

    return _cohort_check("every accepted order is in the retention matrix", "retention_monthly", evidence, shown, known)


def ltv_matches(evidence: Evidence) -> Check:
    """Cumulated revenue for each customer is that of the accepted orders, in both zones."""

    def shown(row: Row) -> tuple[Any, ...]:
        return int(row["cohort_size"]), round(float(row["ltv_minor"]), 4)

    def known(cell: expected.Cell) -> tuple[Any, ...]:
        return cell.cohort_size, round(float(cell.ltv_minor), 4)

    return _cohort_check("every accepted amount is in the LTV table", "ltv_by_cohort", evidence, shown, known)


def _cohort_check(
    name: str,
    view: str,
    evidence: Evidence,
    shown: Callable[[Row], tuple[Any, ...]],
    known: Callable[[expected.Cell], tuple[Any, ...]],
) -> Check:
    wrong: list[str] = []
    cells = 0
    for zone, info in ZONES.items():
        own = {(cell.cohort_month, cell.month_index): known(cell) for cell in expected.cohorts(evidence.orders, info)}
        theirs = {
            (str(row["cohort_month"])[:7], int(row["month_index"])): shown(row)
            for row in evidence.tables.get(f"{view}@{zone}", ())
        }
        cells += len(own)
        wrong += [
            f"{zone} {key[0]}+{key[1]}: {theirs.get(key)} instead of {own.get(key)}" for key in differing(own, theirs)
        ]
    return Check(
        name, not wrong, _told(wrong, f"{cells} cells in {len(ZONES)} zones equal, {len(evidence.orders):,} orders")
    )


def months_match(evidence: Evidence) -> Check:
    """Orders and sales of each month are those of the accepted orders."""
    wrong: list[str] = []
    for zone, info in ZONES.items():
        orders: Counter[str] = Counter()
        sales: Counter[str] = Counter()
        for order in evidence.orders:
            month = expected.month_name(expected.month_number(order.at, info))
            orders[month] += 1
            sales[month] += order.amount_minor
        own = {month: (orders[month], sales[month]) for month in orders}
        theirs = {
            str(row["month"])[:7]: (int(row["orders"]), int(row["sales_minor"]))
            for row in evidence.tables.get(f"new_vs_existing@{zone}", ())
            if int(row["orders"])
        }
        wrong += [f"{zone} {key}: {theirs.get(key)} instead of {own.get(key)}" for key in differing(own, theirs)]
    return Check("every month has its orders and sales", not wrong, _told(wrong, "equal in both zones"))


def f2_matches(evidence: Evidence) -> Check:
    """Customers with a second order, a third, … are those of the accepted orders, and of the published log."""
    own = expected.repeat(evidence.orders)
    theirs = repeats_of(evidence.tables.get("repeat_purchase", ()))
    wrong = [f"F{n}: {theirs.get(n)} instead of {own.get(n, 0)}" for n in theirs if theirs[n] != own.get(n, 0)]
    if len(theirs) < 2:
        wrong.append("the view has no repeat customers")
    published = evidence.known.get("f2")
    if published is not None and own.get(2) != published:
        wrong.append(f"F2 of the log is {published}, {own.get(2)} were accepted")
    share = Fraction(own.get(2, 0), own.get(1, 0) or 1)
    detail = f"{own.get(2, 0):,} of {own.get(1, 0):,} customers, {float(share):.2%}"
    return Check("F2 to Fn are those of the log", not wrong, _told(wrong, detail))


def repeats_of(rows: Iterable[Row]) -> dict[int, int]:
    """Customers with at least n orders, out of the rows of ``repeat_purchase``."""
    found: dict[int, int] = {}
    for row in rows:
        if row["metric"] == "customers":
            found[1] = int(row["customers"])
        elif match := _AT_LEAST.fullmatch(str(row["metric"])):
            found[int(match.group(1))] = int(row["customers"])
    return found


def nobody_mailed_twice(evidence: Evidence) -> Check:
    """The mailbox took no message key twice."""
    twice = [key for key, times in Counter(mail.key for mail in evidence.mails).items() if times > 1]
    return Check("nobody got a message twice", not twice, _told(twice, f"{len(evidence.mails):,} mails, as many keys"))


def mailbox_matches_deliveries(evidence: Evidence) -> Check:
    """Every mail in the mailbox has a delivery that says ``sent``, and the other way round."""
    taken = {mail.key for mail in evidence.mails}
    sent = {key for key, delivery in evidence.deliveries.items() if delivery.state in {"sent", "delivered"}}
    unknown = {key for key, delivery in evidence.deliveries.items() if delivery.state == "unknown"}
    wrong = [f"{key}: in the mailbox, not recorded as sent" for key in sorted(taken - sent - unknown)]
    wrong += [f"{key}: recorded as sent, not in the mailbox" for key in sorted(sent - taken)]
    detail = f"{len(sent):,} sent, {len(taken):,} taken, {len(unknown)} unknown{_listed(sorted(unknown))}"
    return Check("what was sent is what arrived", not wrong, _told(wrong, detail))


def only_with_consent(evidence: Evidence) -> Check:
    """Nobody got a mail or a LINE message without having agreed to these, or after having unsubscribed."""
    customer = {key: delivery.customer for key, delivery in evidence.deliveries.items()}
    on_line = {key for key, delivery in evidence.deliveries.items() if delivery.channel == "line"}
    left: dict[str, datetime] = {}
    for reaction in evidence.reactions:
        if reaction.what == "unsubscribe" and (who := customer.get(reaction.key)):
            left[who] = min(reaction.at, left.get(who, reaction.at))
    wrong: list[str] = []
    for mail in evidence.mails:
        who = customer.get(mail.key, "")
        line = mail.key in on_line
        agreed = (evidence.line_consents if line else evidence.consents).get(who)
        if agreed is None or agreed > mail.at:
            wrong.append(f"{mail.key}: {who or 'somebody'} had not agreed")
        elif not line and who in left and left[who] < mail.at:
            wrong.append(f"{mail.key}: {who} had unsubscribed at {left[who]}")
    detail = f"{len(evidence.consents):,} agreed, {len(left):,} unsubscribed later, {len(on_line):,} meant for LINE"
    return Check("no mail without consent", not wrong, _told(wrong, detail))


def nobody_reminded_after_buying(evidence: Evidence) -> Check:
    """No mail towards a second order left once the second order was in the log."""
    second: dict[str, datetime] = {}
    counts: Counter[str] = Counter()
    for order in evidence.orders:
        counts[order.customer] += 1
        if counts[order.customer] == 2:
            second[order.customer] = order.at
    late: list[str] = []
    checked = 0
    for mail in evidence.mails:
        delivery = evidence.deliveries.get(mail.key)
        if delivery is None or delivery.journey != "f2-conversion":
            continue
        checked += 1
        if (bought := second.get(delivery.customer)) and bought <= mail.at:
            late.append(f"{mail.key}: {delivery.template} at {mail.at}, second order at {bought}")
    return Check("nobody is asked for an order already made", not late, _told(late, f"{checked:,} mails looked at"))


def won_back_only_when_away(evidence: Evidence) -> Check:
    """No win-back mail within ninety days of taking an order in.

    Orders are taken in while time stands at a tick, once its mails have left: one of the same instant came later.
    """
    orders: dict[str, list[datetime]] = {}
    for order in evidence.orders:
        orders.setdefault(order.customer, []).append(evidence.taken_in.get(order.order_id, order.at))
    early: list[str] = []
    checked = 0
    for mail in evidence.mails:
        delivery = evidence.deliveries.get(mail.key)
        if delivery is None or delivery.journey != "win-back":
            continue
        checked += 1
        last = max((at for at in orders.get(delivery.customer, ()) if at < mail.at), default=None)
        if last is None or mail.at - last < AWAY:
            early.append(f"{mail.key}: {delivery.template} at {mail.at}, last order at {last}")
    return Check("nobody is won back who was not away", not early, _told(early, f"{checked:,} mails looked at"))


def reactions_counted(evidence: Evidence) -> Check:
    """Opens and clicks of people are counted once a message, those of machines are not."""
    shown: Counter[str] = Counter()
    for row in evidence.tables.get("message_outcomes", ()):
        shown["open"] += int(row.get("opened", 0) or 0)
        shown["click"] += int(row.get("clicked", 0) or 0)
        shown["scan"] += int(row.get("machine_opened", 0) or 0)
    own = Counter(what for _, what in {(reaction.key, reaction.what) for reaction in evidence.reactions})
    wrong = [
        f"{what}: {shown[what]} instead of {own[what]}"
        for what in ("open", "click", "scan")
        if shown[what] != own[what]
    ]
    detail = f"{own['open']:,} opened, {own['click']:,} clicked, {own['scan']:,} scanned by machines"
    return Check("opens and clicks are those of the mailbox", not wrong, _told(wrong, detail))


def nobody_lost(evidence: Evidence) -> Check:
    """For every journey: entered = waiting + finished + exited, and everyone who waits has a timer."""
    wrong = [
        f"{count.journey}: {count.unaccounted} of {count.entered} unaccounted for"
        for count in evidence.journeys
        if count.unaccounted
    ]
    if evidence.stuck:
        wrong.append(f"{evidence.stuck} wait without a live timer")
    if not any(count.entered for count in evidence.journeys):
        wrong.append("nobody entered any journey")
    entered = sum(count.entered for count in evidence.journeys)
    return Check("nobody is lost", not wrong, _told(wrong, f"{entered:,} entered = waiting + finished + exited"))


def nothing_odd(evidence: Evidence) -> Check:
    """Views equal their recomputation, nobody is parked, nothing was dead-lettered."""
    figures = {"drift": evidence.drift, "parked": evidence.parked, "dead letters": evidence.dead_letters}
    wrong = [f"{name} {value}" for name, value in figures.items() if value]
    return Check("views equal their recomputation", not wrong, _told(wrong, "drift 0, parked 0, dead letters 0"))


def differing(own: dict[Any, Any], theirs: dict[Any, Any]) -> list[Any]:
    """Keys whose values differ, those that only one side has included, in order."""
    return sorted(key for key in own.keys() | theirs.keys() if own.get(key) != theirs.get(key))


def _listed(keys: Sequence[str]) -> str:
    return f" ({', '.join(_first(keys))})" if keys else ""


def _told(wrong: Sequence[str], else_: str) -> str:
    return "; ".join(_first(wrong)) if wrong else else_


def _first(wrong: Sequence[str]) -> Iterator[str]:
    yield from wrong[:SHOWN]
    if len(wrong) > SHOWN:
        yield f"and {len(wrong) - SHOWN} more"
