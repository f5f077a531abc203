"""Durations as journeys write them: ``3d``, ``90m``, ``1h30m``, or ISO 8601 (``P1DT12H``).

Weeks and days are civil (the same wall-clock time, days later), hours, minutes and seconds are exact.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

_SHORT = re.compile(r"(\d+)([a-zA-Zµ%]*)")
_ISO = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_SECONDS = {"h": 3600, "m": 60, "s": 1}
_DAYS = {"w": 7, "d": 1}
LONGEST_DAYS = 3660


@dataclass(frozen=True, slots=True)
class Duration:
    """``days`` civil days and then ``seconds`` exact seconds."""

    days: int = 0
    seconds: int = 0

    @property
    def flat(self) -> timedelta:
        """As an exact length, a day being 24 hours: for horizons and lateness, not for waits."""
        return timedelta(days=self.days, seconds=self.seconds)


def parse(text: str) -> Duration:
    """Read a duration; raises ``ValueError`` that names the rule it breaks (unknown unit, order, length)."""
    duration = _parse_iso(text) if text.startswith("P") else _parse_short(text)
    if not duration.flat:
        raise ValueError("a duration must be longer than zero")
    if duration.flat > timedelta(days=LONGEST_DAYS):
        raise ValueError("a duration must be ten years at most")
    return duration


def _parse_iso(text: str) -> Duration:
    found = _ISO.fullmatch(text)
    if found is None or len(text) > 40:
        raise ValueError(f"{text!r} is not an ISO 8601 duration of weeks, days, hours, minutes and seconds")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return Duration(weeks * 7 + days, hours * 3600 + minutes * 60 + seconds)


def _parse_short(text: str) -> Duration:
    parts = _SHORT.findall(text)
    if not parts or len(text) > 40 or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration like 3d, 90m or 1h30m")
    units = [unit for _, unit in parts]
    for unit in units:
        if unit not in _DAYS and unit not in _SECONDS:
            raise ValueError(f"unknown unit {unit!r} in {text!r}: use w, d, h, m or s")
    if units != sorted(set(units), key="wdhms".index):
        raise ValueError(f"units of {text!r} must each stand once, the longest first")
    days = sum(int(number) * _DAYS.get(unit, 0) for number, unit in parts)
    return Duration(days, sum(int(number) * _SECONDS.get(unit, 0) for number, unit in parts))
