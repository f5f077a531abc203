"""The reader of the CDNOW log: one order is a customer's day."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tabiji_cli import cdnow

PUBLISHED = {True: (67_591, 23_570, 80), False: (6_696, 2_357, 8)}


@pytest.mark.parametrize("full", [True, False], ids=["full", "sample"])
def test_the_log_has_as_many_orders_and_customers_as_published(full: bool) -> None:
    orders = list(cdnow.orders(cdnow.dataset(full=full)))

    customers = {order.customer_id for order in orders}
    free = [order for order in orders if order.amount_minor == 0]
    assert (len(orders), len(customers), len(free)) == PUBLISHED[full]
    assert len({order.order_id for order in orders}) == len(orders)
    assert orders == sorted(orders, key=lambda order: (order.ordered_on, order.customer_id))
    assert (orders[0].ordered_on, orders[-1].ordered_on) == (date(1997, 1, 1), date(1998, 6, 30))


def test_the_rows_of_a_day_are_added_up_in_cents(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text(
        " customer_id  date number_of_cds  dollar_value\n 1 19970102 1 11.77\n 1 19970102 2 0.5\n 1 19970101 1 3\n"
    )

    assert list(cdnow.orders(log)) == [
        cdnow.Order("1-19970101", "1", date(1997, 1, 1), 300),
        cdnow.Order("1-19970102", "1", date(1997, 1, 2), 1227),
    ]


def test_a_line_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text(" 1 19970101 1 1.00\n 1 19971301 1 1.00\n")

    with pytest.raises(ValueError, match=r"log\.txt, line 2"):
        list(cdnow.orders(log))
