"""A small shop and what a perfect run of it leaves behind; every test breaks one thing of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from tabiji_cli.cdnow import Order
from tabiji_cli.demo import checks, expected, inputs
from tabiji_cli.demo.evidence import Arm, Delivery, Evidence, JourneyCount
from tabiji_cli.demo.shop import row_of
from tabiji_cli.ledger import Accepted, Mail, Reaction

SEED = "test"
FIRST = date(1997, 1, 5)


def some_orders(customers: int = 40) -> list[Order]:
    """Every second customer comes back once, every sixth twice."""
    return [
        Order(f"{number:05d}-{visit}", f"{number:05d}", FIRST + timedelta(days=number + 50 * visit), 1000 + 7 * number)
        for number in range(customers)
        for visit in range(3)
        if visit == 0 or (visit == 1 and number % 2 == 0) or (visit == 2 and number % 6 == 0)
    ]


def accepted(plan: inputs.Plan) -> list[Accepted]:
    """The ledger of a run in which everything was accepted."""
    return [row_of(step, step.occurred_at) for step in plan.inputs]


def perfect() -> Evidence:
    """A run in which every promise was kept."""
    plan = inputs.plan(some_orders(), SEED)
    rows = accepted(plan)
    orders = expected.orders_of(rows)
    consents = {row.customer: row.occurred_at for row in rows if row.kind == "consent_given"}
    mails, deliveries = _thanked(orders, consents)
    reactions = [
        Reaction(key=mails[0].key, what="open", at=mails[0].at + timedelta(hours=9), status=200),
        Reaction(key=mails[0].key, what="click", at=mails[0].at + timedelta(hours=9), status=302),
        Reaction(key=mails[1].key, what="scan", at=mails[1].at + timedelta(hours=1), status=200),
    ]
    return Evidence(
        events=Counter(row.kind for row in rows),
        orders=orders,
        consents=consents,
        mails=mails,
        reactions=reactions,
        deliveries=deliveries,
        tables=_tables(orders),
        journeys=[JourneyCount("f2-conversion", 40, {"opened": 5}, 10, {"converted": 20, "revoked": 5}, 20)],
        arms=[Arm("f2-conversion", "holdout", "holdout", 4, 2), Arm("f2-conversion", "holdout", "treated", 36, 18)],
    )


def _thanked(orders: list[expected.Bought], consents: dict[str, Any]) -> tuple[list[Mail], dict[str, Delivery]]:
    mails: list[Mail] = []
    deliveries: dict[str, Delivery] = {}
    for order in orders:
        if not order.order_id.endswith("-0"):
            continue
        key, agreed = f"key-{order.customer}", order.customer in consents
        state, reason = ("sent", "") if agreed else ("suppressed", "no_consent")
        deliveries[key] = Delivery(
            key, order.customer, "f2-conversion", "f2-conversion/thank-you", "email", state, reason
        )
        if agreed:
            mails.append(
                Mail(
                    key=key,
                    recipient=f"customer.{order.customer}@example.com",
                    subject="ありがとうございます",
                    at=order.at + timedelta(hours=3),
                )
            )
    return mails, deliveries


def _tables(orders: list[expected.Bought]) -> dict[str, list[dict[str, Any]]]:
    tables: dict[str, list[dict[str, Any]]] = {}
    for zone, info in checks.ZONES.items():
        cells = expected.cohorts(orders, info)
        tables[f"retention_monthly@{zone}"] = tables[f"ltv_by_cohort@{zone}"] = [
            {
                "cohort_month": cell.cohort_month,
                "month_index": cell.month_index,
                "cohort_size": cell.cohort_size,
                "active_customers": cell.active_customers,
                "retention": float(cell.retention),
                "ltv_minor": float(cell.ltv_minor),
            }
            for cell in cells
        ]
        months: dict[str, list[int]] = {}
        for order in orders:
            month = months.setdefault(expected.month_name(expected.month_number(order.at, info)), [0, 0])
            month[0] += 1
            month[1] += order.amount_minor
        tables[f"new_vs_existing@{zone}"] = [
            {"month": month, "orders": count, "sales_minor": sales} for month, (count, sales) in months.items()
        ]
    tables["repeat_purchase"] = [
        {"metric": "customers" if n == 1 else f"customers_with_at_least_{n}_orders", "customers": customers}
        for n, customers in expected.repeat(orders).items()
    ]
    tables["message_outcomes"] = [{"outcome": "sent", "messages": 30, "opened": 1, "clicked": 1, "machine_opened": 1}]
    return tables


def with_table(evidence: Evidence, name: str, rows: list[dict[str, Any]]) -> Evidence:
    """The same run, but one view shows something else."""
    return replace(evidence, tables={**evidence.tables, name: rows})
