"""Every simulated choice is a hash of what it is about, never a draw: order and speed cannot move it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def chance(*about: str) -> float:
    """A fraction in [0, 1), evenly spread over different ``about``, always the same for one."""
    digest = hashlib.blake2b("\x1f".join(about).encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / 2**56


def choose(options: Sequence[tuple[T, float]], *about: str) -> T:
    """One of ``options`` (value, weight), each as often as its weight says; weights add up to 1."""
    left = chance(*about)
    for value, weight in options:
        left -= weight
        if left < 0:
            return value
    return options[-1][0]


def whole(low: int, high: int, *about: str) -> int:
    """A whole number from ``low`` to ``high``, both included."""
    return low + int(chance(*about) * (high - low + 1))
