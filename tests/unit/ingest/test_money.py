"""Amounts: what clients send in major units is kept in minor units, exactly."""

from typing import Any

import pytest

from tabiji_ingest.domain.money import CURRENCIES, EXPONENTS, MAX_MINOR, read_currency, read_minor
from tabiji_ingest.domain.refusal import Refusal


@pytest.mark.parametrize(
    ("value", "currency", "minor"),
    [
        (1980, "JPY", 1980),
        (1980.5, "JPY", 1981),
        (-1980.5, "JPY", -1981),
        (27.5, "USD", 2750),
        (0.1 + 0.2, "USD", 30),
        (19.99, "USD", 1999),
        (1.005, "USD", 101),
        (8.165, "EUR", 817),
        ("19.99", "USD", 1999),
        (" 1980 ", "JPY", 1980),
        ("1e3", "JPY", 1000),
        (1.2345, "KWD", 1235),
        (12.5, "CLF", 125_000),
        (0, "JPY", 0),
        (-0.0, "USD", 0),
        (5e-324, "USD", 0),
        ("1e-999999999", "USD", 0),
        (10**13, "USD", MAX_MINOR),
    ],
)
def test_an_amount_in_major_units_becomes_minor_units_by_iso_4217(value: Any, currency: str, minor: int) -> None:
    assert read_minor(value, currency, "properties.total") == minor


@pytest.mark.parametrize(
    "value",
    [
        "", "1,980", "¥1980", "NaN", "Infinity", "-Infinity", "sNaN", True, None, [], {}, "1" * 41,
        10**16, 1e308, "1e999999999", "9" * 40,
    ],
)  # fmt: skip
def test_what_is_no_amount_is_refused_with_its_field(value: Any) -> None:
    with pytest.raises(Refusal) as refused:
        read_minor(value, "USD", "properties.total")
    assert refused.value.field == "properties.total"


def test_a_currency_is_read_without_case_and_has_a_default() -> None:
    assert read_currency("usd", "c", "JPY") == "USD"
    assert read_currency(" eur ", "c", "JPY") == "EUR"
    assert read_currency(None, "c", "JPY") == "JPY"
    assert read_currency("", "c", "JPY") == "JPY"


@pytest.mark.parametrize("value", ["YEN", "RMB", "円", "US", "DOLLAR", 392, ["JPY"], "XXX"])
def test_what_is_no_currency_of_iso_4217_is_refused(value: Any) -> None:
    with pytest.raises(Refusal, match="ISO 4217"):
        read_currency(value, "properties.currency", "JPY")


def test_every_exponent_belongs_to_a_listed_currency() -> None:
    assert EXPONENTS.keys() <= CURRENCIES
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in CURRENCIES)
