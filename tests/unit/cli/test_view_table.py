"""Views on the terminal: nothing is cut or wrapped, and what says the same in every row is said once."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from tabiji_analytics.domain.catalog import VIEWS
from tabiji_cli.viewtable import SHARES, Row, Tables

TEXTS = {"journey": ("abandoned-cart", "f2-conversion"), "arms": ("", "coupon=a"), "holdout": (False, True)}


def shown(name: str, rows: Sequence[Row], width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, record=True)
    console.print(Tables(name, list(rows[0]) if rows else [], rows))
    return console.export_text().splitlines()


def value(column: str, row: int) -> Any:
    """Something as long as a run of the whole log has it."""
    if column.endswith("_minor"):
        return 1234567 + row
    if column in SHARES:
        return 0.123 + row / 100
    plain = {"workspace": "demo", "zone": "Asia/Tokyo", "currency": "USD", "version": 1, "reason": "no_consent"}
    texts = {"step": "suppressed", "state": "guide_again", "send_state": "guide_again", "outcome": "suppressed"}
    more = {"cohort_month": f"1997-{row + 1:02}", "month": f"1997-{row + 1:02}", "channel": "email"}
    last = {"template": f"{TEXTS['journey'][row % 2]}/usage-guide-again", "medium": "affiliate"}
    metric = {"metric": f"second_order_within_{row}65d_among_customers_observed_365d", "ltv_window": "first_order"}
    known: dict[str, Any] = plain | texts | more | last | metric | {"provider": "smtp"}
    if column in TEXTS:
        return TEXTS[column][row % 2]
    return known.get(column, 1139 + row)


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_fits_eighty_columns_with_every_figure_whole(name: str) -> None:
    rows = [{column: value(column, row) for column in VIEWS[name].columns} for row in range(3)]
    lines = shown(name, rows)
    assert max(map(cell_len, lines)) <= 80
    assert "…" not in "".join(lines)
    for column in VIEWS[name].columns:
        if column.endswith("_minor"):
            assert any("12,345.67" in line for line in lines)
    assert sum("1997-01" in line for line in lines) <= 2


def test_what_is_the_same_in_every_row_is_said_once_in_the_title() -> None:
    rows: list[Row] = [
        {
            "workspace": "demo",
            "currency": "JPY",
            "journey": "hello",
            "month": month,
            "sales_minor": 1234567,
            "bounced": 0,
        }
        for month in ("1997-01", "1997-02")
    ]
    title, *rest = shown("some", rows)
    assert title == "some · demo · JPY · journey hello"
    assert "JPY" not in "".join(rest)
    assert "0 or empty in every row: bounced" in rest[-1]


def test_money_is_in_major_units_shares_in_percent_and_nothing_is_blank() -> None:
    row: Row = {
        "workspace": "demo",
        "currency": "USD",
        "month": "1997-01",
        "sales_minor": 1234567,
        "share": 0.25,
        "orders": None,
    }
    yen: Row = {**row, "currency": "JPY", "month": "1997-02"}
    lines = shown("some", [row, yen])
    assert [line.split() for line in lines if "1997" in line] == [
        ["1997-01", "12,345.67", "25.0%"],
        ["1997-02", "1,234,567", "25.0%"],
    ]


def test_two_currencies_are_two_tables() -> None:
    rows: list[Row] = [
        {"workspace": "demo", "currency": code, "medium": "cpc", "customers": 1} for code in ("USD", "JPY")
    ]
    lines = shown("some", rows)
    assert lines.index("USD") < lines.index("JPY")


def test_what_is_too_wide_comes_beneath_with_its_labels_again() -> None:
    rows: list[Row] = [{"month": month, **{f"sales_{n}_minor": 100 * n for n in range(1, 9)}} for month in ("01", "02")]
    lines = shown("some", rows, width=32)
    assert max(map(cell_len, lines)) <= 32
    assert sum(line.startswith("month") for line in lines) > 1
    cells = [cell for line in lines if line.startswith("01") for cell in line.split()[1:]]
    assert cells == [f"{n}.00" for n in range(1, 9)]


def test_a_single_row_keeps_its_zeros_and_an_empty_view_says_so() -> None:
    assert shown("some", [{"month": "1997-01", "orders": 0}])[-1].split() == ["0"]
    assert "no rows yet" in "\n".join(shown("some", []))


def test_a_template_that_follows_from_its_state_is_told_once() -> None:
    base: Row = {
        "journey": "hello",
        "send_state": "thanks",
        "template": "hello/thank-you",
        "outcome": "sent",
        "messages": 5,
    }
    holdout = {**base, "template": "", "outcome": "suppressed"}
    other = {**base, "send_state": "guide", "template": "hello/usage"}
    lines = shown("some", [base, holdout, other])
    assert "templates: thanks thank-you, guide usage" in lines
    assert not any(line.startswith("state") and "template" in line for line in lines)
