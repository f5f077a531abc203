"""Amounts: major units as the client sent them -> integer minor units by the exponents of ISO 4217."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from tabiji_ingest.domain.refusal import Kind, Refusal

_LISTED = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
    CHE CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
    GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP
    LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN
    PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS
    TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW
    ZWG ZWL
"""
CURRENCIES = frozenset(_LISTED.split())
"""Codes of ISO 4217 list one (national currencies and their funds), with those withdrawn since 2022."""

_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"
EXPONENTS = {code: exponent for codes, exponent in ((_NONE, 0), (_THREE, 3), (_FOUR, 4)) for code in codes.split()}
"""Where the minor unit of ISO 4217 is not a hundredth."""

MAX_MINOR = 10**15
_MAX_DIGITS = 15
_LONGEST = 40


def read_currency(value: Any, field: str, default: str) -> str:
    """An ISO 4217 code in capitals; ``default`` where absent. Raises ``Refusal``."""
    if value is None or value == "":
        return default
    code = value.strip().upper() if isinstance(value, str) else ""
    if code not in CURRENCIES:
        raise Refusal(field, "must be a currency code of ISO 4217", Kind.MONEY)
    return code


def read_minor(value: Any, currency: str, field: str) -> int:
    """``value`` (a number, or one in a string) of ``currency`` in minor units; half a unit is rounded away from zero.

    Raises ``Refusal`` for what is no finite number, or beyond ``MAX_MINOR``.
    """
    number = _decimal(value, field)
    if number.adjusted() > _MAX_DIGITS or abs(scaled := number.scaleb(EXPONENTS.get(currency, 2))) > MAX_MINOR:
        raise Refusal(field, "must be an amount of money that a shop can take", Kind.MONEY)
    return int(scaled.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _decimal(value: Any, field: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Refusal(field, "must be a number", Kind.MONEY)
    try:
        # repr of a float is the shortest text that reads back as it: the digits that the client sent
        number = Decimal(value if isinstance(value, int) else _short(str(value)))
    except InvalidOperation:
        raise Refusal(field, "must be a number", Kind.MONEY) from None
    if not number.is_finite():
        raise Refusal(field, "must be a finite number", Kind.MONEY)
    return number


def _short(text: str) -> str:
    if len(text) > _LONGEST:
        raise InvalidOperation
    return text.strip()
