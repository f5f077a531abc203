"""Two shares and what lies between them: Newcombe's interval from two of Wilson's, without continuity correction.

R. G. Newcombe, Interval estimation for the difference between independent proportions, method 10,
Statistics in Medicine 17 (1998).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

Z95 = 1.959963984540054


@dataclass(frozen=True)
class Lift:
    """The difference of two shares with its 95 % interval."""

    difference: float
    low: float
    high: float

    @property
    def seen(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


def wilson(hits: int, people: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; (0, 1) where there is nobody."""
    if people == 0:
        return 0.0, 1.0
    share = hits / people
    middle = share + Z95**2 / (2 * people)
    half = Z95 * sqrt(share * (1 - share) / people + Z95**2 / (4 * people**2))
    scale = 1 + Z95**2 / people
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def lift(hits: int, people: int, base_hits: int, base_people: int) -> Lift:
    """The share of the first group less that of the second; nobody in a group gives no information."""
    if people == 0 or base_people == 0:
        return Lift(0.0, -1.0, 1.0)
    share, base = hits / people, base_hits / base_people
    low, high = wilson(hits, people)
    base_low, base_high = wilson(base_hits, base_people)
    return Lift(
        share - base,
        share - base - sqrt((share - low) ** 2 + (base_high - base) ** 2),
        share - base + sqrt((high - share) ** 2 + (base - base_low) ** 2),
    )
