"""Conditions in CEL: compiled once, checked when a journey is loaded, shown only what they name.

Variables: ``customer`` (the profile), ``event`` (the event being looked at), ``trigger`` (the entering event),
``enrollment`` (``key``, ``holdout``, ``arms``), ``now``. A named field of an event or of ``customer.traits`` that is
not there is ``null``, except where the expression asks ``has(...)`` for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import cel

from tabiji_journey.domain.model import Enrollment, Profile

VARIABLES = frozenset({"customer", "event", "trigger", "enrollment", "now"})
CUSTOMER_FIELDS = frozenset(
    {
        "order_count", "total_minor", "currency", "totals_minor", "first_order_at", "last_order_at", "products",
        "traits", "consent", "timezone",
    }
)
LONGEST = 2000
_TEXT = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
_PATH = re.compile(r"(?<![\w.])(customer\.traits|customer|event|trigger|enrollment)(?:\.(\w+)|\[(?:\"([^\"\\]+)\"|'([^'\\]+)')\])?")
_HAS = re.compile(r"\bhas\(\s*([\w.]+)\s*\)")


class ConditionError(Exception):
    """The expression could not be evaluated, or gave something else than was asked for."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression may look at. Fields are read only if it names them."""

    profile: Profile
    now: datetime
    event: Mapping[str, Any] = field(default_factory=dict)
    trigger: Mapping[str, Any] = field(default_factory=dict)
    enrollment: Enrollment | None = None


@dataclass(frozen=True)
class Condition:
    """A CEL expression; equal to another of the same text. Compiled on first use."""

    source: str

    def problems(self) -> tuple[str, ...]:
        """What is wrong with it, before anything is evaluated: syntax, unknown variables, functions and fields."""
        raise NotImplementedError

    def fields_of(self, variable: str) -> frozenset[str] | None:
        """The fields it names of ``variable`` (``event``, ``trigger``, ``customer``); ``None`` if it takes all of it."""
        raise NotImplementedError

    def holds(self, scope: Scope) -> bool:
        """Whether it is true; raises ``ConditionError`` where it cannot be evaluated or is neither true nor false."""
        raise NotImplementedError

    def value(self, scope: Scope) -> Any:
        """Its value, for a template's variable; raises ``ConditionError``."""
        raise NotImplementedError

    @cached_property
    def _program(self) -> cel.Program:
        return cel.compile(self.source)
