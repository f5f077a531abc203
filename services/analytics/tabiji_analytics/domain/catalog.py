"""The views that others can count on: names, key columns and columns, as in docs/views.md."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class View:
    """A view in schema ``analytics``.

    ``order`` sorts its rows; ``keys`` names a row (with the workspace); ``zoned`` and ``money`` say whether it has
    a ``zone`` and a ``currency`` column.
    """

    name: str
    shows: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    order: tuple[str, ...]
    zoned: bool = False
    money: bool = True


_COHORT_KEYS = ("zone", "currency", "cohort_month", "month_index")
_MESSAGE_KEYS = ("journey", "version", "send_state", "channel", "provider", "template", "outcome", "reason")
_WAY_KEYS = ("journey", "version", "holdout", "from_state", "to_state")
_STEP_KEYS = ("journey", "version", "holdout", "arms", "step", "state", "reason")

_VIEWS = (
    View(
        "ltv_by_cohort",
        "Customers, orders and revenue of each cohort by months since its first order, and LTV so far",
        (
            *("workspace", "zone", "currency", "cohort_month", "month_index", "active_customers", "orders"),
            *("revenue_minor", "cohort_size", "retention", "cum_revenue_minor", "ltv_minor"),
        ),
        _COHORT_KEYS,
        _COHORT_KEYS,
        zoned=True,
    ),
    View(
        "ltv_by_medium",
        "LTV by acquisition medium: of the first order, of the first 30, 90, 180 and 365 days, and so far",
        ("workspace", "currency", "medium", "position", "ltv_window", "customers", "revenue_minor", "ltv_minor"),
        ("currency", "medium", "ltv_window"),
        ("currency", "medium", "position"),
    ),
    View(
        "retention_monthly",
        "Share of each cohort that ordered in each month since",
        (
            *("workspace", "zone", "currency", "cohort_month", "month_index"),
            *("cohort_size", "active_customers", "orders", "retention"),
        ),
        _COHORT_KEYS,
        _COHORT_KEYS,
        zoned=True,
    ),
    View(
        "repeat_purchase",
        "F2 to F10, and how soon the second order follows",
        ("workspace", "currency", "position", "metric", "customers", "share"),
        ("currency", "metric"),
        ("currency", "position"),
    ),
    View(
        "new_vs_existing",
        "Customers, orders and sales by month, of new and of existing customers",
        (
            *("workspace", "zone", "currency", "month", "customers", "new_customers", "existing_customers", "orders"),
            *("orders_first", "orders_repeat", "sales_minor", "sales_first_order_minor", "sales_repeat_order_minor"),
            *("sales_new_customer_month_minor", "sales_existing_customer_month_minor"),
        ),
        ("zone", "currency", "month"),
        ("zone", "currency", "month"),
        zoned=True,
    ),
    View(
        "journey_funnel",
        "Enrollments of each journey by step: entered, states reached and left, waiting, finished, exited, converted",
        ("workspace", *_STEP_KEYS, "enrollments", "transitions", "share"),
        _STEP_KEYS,
        _STEP_KEYS,
        money=False,
    ),
    View(
        "journey_flow",
        "Who went from which state of a journey to which other",
        ("workspace", *_WAY_KEYS, "enrollments", "transitions"),
        _WAY_KEYS,
        _WAY_KEYS,
        money=False,
    ),
    View(
        "message_outcomes",
        "Messages by what became of them, and who opened, clicked, bounced, complained and unsubscribed",
        (
            *("workspace", *_MESSAGE_KEYS, "messages", "opened", "clicked", "machine_opened", "machine_clicked"),
            *("bounced", "complained", "unsubscribed", "sent_after_exit"),
        ),
        _MESSAGE_KEYS,
        _MESSAGE_KEYS,
        money=False,
    ),
)
VIEWS = {view.name: view for view in _VIEWS}
