"""Figures as people read them: thousands, shares, money in major units, spans of time, moments of the shop's day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tabiji_console.domain.words import Lang, said

DASH = "–"
_WHOLE = frozenset(
    (
        *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF"),
        *("XOF", "XPF"),
    )
)
_THOUSANDTHS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))
_UNITS = {0: 1, 2: 100, 3: 1000}
_SIGNS = {"JPY": "¥", "USD": "$", "EUR": "€", "GBP": "£"}
_STEPS = ((86400, "unit.day"), (3600, "unit.hour"), (60, "unit.minute"))


def number(value: float | None) -> str:
    """``12345`` as ``12,345``; a dash where there is none."""
    return DASH if value is None else f"{value:,.0f}"


def share(value: float | None, digits: int = 1) -> str:
    """A fraction in percent; a dash where there is none."""
    return DASH if value is None else f"{100 * value:.{digits}f}%"


def points(value: float | None) -> str:
    """A difference of two fractions in points, with its sign."""
    return DASH if value is None else f"{100 * value:+.1f}pt".replace("-", "\N{MINUS SIGN}")


def plain(value: float) -> str:
    """With one decimal, and a minus sign that is one."""
    return f"{value:.1f}".replace("-", "\N{MINUS SIGN}")


def digits_of(currency: str) -> int:
    """How many digits the minor unit of a currency has (ISO 4217)."""
    return 0 if currency in _WHOLE else 3 if currency in _THOUSANDTHS else 2


def major(minor: float, currency: str) -> float:
    """An amount of minor units in major ones."""
    return float(minor) / _UNITS[digits_of(currency)]


def money(minor: float | None, currency: str, digits: int | None = None) -> str:
    """``5610`` US cents as ``$56.10``; a currency without a sign of its own has its code behind the amount."""
    if minor is None:
        return DASH
    places = digits_of(currency) if digits is None else min(digits, digits_of(currency))
    amount = f"{abs(major(minor, currency)):,.{places}f}"
    sign = "\N{MINUS SIGN}" if minor < 0 else ""
    return f"{sign}{_SIGNS[currency]}{amount}" if currency in _SIGNS else f"{sign}{amount} {currency}"


def span(value: timedelta | None, lang: Lang) -> str:
    """A span in its largest fitting unit: ``3.2日``, ``3.2 d``, ``45分``; a whole number without a decimal."""
    if value is None:
        return DASH
    seconds = max(value.total_seconds(), 0.0)
    for size, unit in _STEPS:
        if seconds >= size:
            return said(lang, unit, n=f"{seconds / size:.1f}".removesuffix(".0"))
    return said(lang, "unit.second", n=f"{seconds:.0f}")


def moment(at: datetime, zone: str) -> str:
    """``11/24 10:31`` in the shop's zone."""
    return f"{at.astimezone(ZoneInfo(zone)):%m/%d %H:%M}"


def dated(at: datetime, zone: str) -> str:
    """``2026/11/24 10:31`` in the shop's zone, for what may lie years apart."""
    return f"{at.astimezone(ZoneInfo(zone)):%Y/%m/%d %H:%M}"


def day(at: datetime, zone: str) -> str:
    """``2026/11/24`` in the shop's zone."""
    return f"{at.astimezone(ZoneInfo(zone)):%Y/%m/%d}"


def clock(at: datetime, zone: str) -> str:
    """``10:31:07`` in the shop's zone."""
    return f"{at.astimezone(ZoneInfo(zone)):%H:%M:%S}"


def instant(text: str) -> datetime:
    """An RFC 3339 instant as a service tells it."""
    return datetime.fromisoformat(text)


def since_epoch(seconds: float) -> datetime:
    """An instant as metrics tell it."""
    return datetime.fromtimestamp(seconds, UTC)
