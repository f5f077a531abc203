"""Conditions in CEL: compiled once, checked when a journey is loaded, shown only what they name.

Variables: ``customer`` (the profile), ``event`` (the event being looked at), ``trigger`` (the
entering event), ``enrollment`` (``key``, ``holdout``, ``arms``), ``now``. A field that is named
and not there is ``null`` (``false`` for consent, 0 for a total), except where the expression
asks ``has(...)`` for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import cel
import msgspec
from msgspec import field

from tabiji_journey.domain.known import Profile
from tabiji_journey.domain.model import (
    Enrollment,
)

VARIABLES = frozenset({"customer", "event", "trigger", "enrollment", "now"})
CUSTOMER_FIELDS = frozenset(
    {
        *("order_count", "total_minor", "currency", "totals_minor", "first_order_at"),
        *("last_order_at", "products", "traits", "consent", "timezone"),
    }
)
ENROLLMENT_FIELDS = frozenset({"key", "holdout", "arms"})
LONGEST = 2000

# Inside a map of the profile, what stands for an entry that is not there.
_ABSENT: Mapping[str, Any] = {"traits": None, "consent": False, "totals_minor": 0}
_FUNCTIONS = frozenset(
    {
        *("size", "contains", "startsWith", "endsWith", "matches", "timestamp", "duration"),
        *("int", "uint", "double", "string", "bytes", "bool", "type", "dyn", "min", "max"),
        *("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"),
        *("getHours", "getMinutes", "getSeconds", "getMilliseconds"),
    }
)
_TYPES = frozenset({"int", "uint", "double", "string", "bytes", "bool", "list", "map", "null_type"})
_TEXT = re.compile(r"(?<!\[)(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')")
_STEP = r"(?:\.(\w+)|\[(?:\"([^\"\\]+)\"|'([^'\\]+)')\])"
_PATH = re.compile(rf"(?<![\w.])(customer|event|trigger|enrollment)\b{_STEP}?{_STEP}?")
_HAS = re.compile(r"\bhas\(([^()]*)\)")
_BOUND = re.compile(r"\.(?:all|exists|exists_one|map|filter)\(\s*(\w+)\s*,")


class ConditionError(Exception):
    """The expression could not be evaluated, or gave something else than was asked for."""


class Scope(msgspec.Struct, frozen=True):
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
        """What is wrong with it before it is ever evaluated: syntax, variables, functions, fields."""
        if len(self.source) > LONGEST:
            return (f"a condition has at most {LONGEST} characters",)
        try:
            program = self._program
        except (ValueError, RuntimeError, RecursionError) as error:
            return (f"not a CEL expression: {_first_line(error)}",)
        bound = set(_BOUND.findall(self.source))
        variables = set(program.variables()) - bound - _TYPES - VARIABLES
        functions = {name for name in program.functions() if name[0] not in "_!-@"} - _FUNCTIONS
        return (
            *(f"unknown variable {name!r}" for name in sorted(variables)),
            *(f"unknown function {name!r}" for name in sorted(functions)),
            *_unknown("customer", self.fields_of("customer"), CUSTOMER_FIELDS),
            *_unknown("enrollment", self.fields_of("enrollment"), ENROLLMENT_FIELDS),
        )

    def fields_of(self, variable: str) -> frozenset[str] | None:
        """The fields that it names of ``variable``; ``None`` if it takes all of it."""
        named = [path[1] for path in self._paths if path[0] == variable]
        return None if "" in named else frozenset(named)

    def holds(self, scope: Scope) -> bool:
        """Whether it is true; raises ``ConditionError`` where it is neither true nor false."""
        result = self._evaluate(scope)
        if not isinstance(result, bool):
            raise ConditionError(f"{self.source!r} is {type(result).__name__}, not true or false")
        return result

    def value(self, scope: Scope) -> Any:
        """Its value as JSON has it (times as ISO 8601 text); raises ``ConditionError``."""
        return _plain(self._evaluate(scope))

    def _evaluate(self, scope: Scope) -> Any:
        context = {name: self._shown(name, scope) for name in self._names}
        try:
            return self._program.execute(context)
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise ConditionError(f"{self.source!r}: {_first_line(error)}") from error

    def _shown(self, name: str, scope: Scope) -> Any:
        match name:
            case "customer":
                return self._customer(scope.profile)
            case "event":
                return self._filled("event", scope.event)
            case "trigger":
                return self._filled("trigger", scope.trigger)
            case "enrollment":
                return _enrollment(scope.enrollment)
        return scope.now

    def _customer(self, profile: Profile) -> dict[str, Any]:
        fields = self.fields_of("customer")
        shown = {}
        for name in sorted(CUSTOMER_FIELDS if fields is None else fields & CUSTOMER_FIELDS):
            value = getattr(profile, name)
            if name in _ABSENT:
                asked = {path[2] for path in self._open_paths if path[:2] == ("customer", name)}
                value = {**dict.fromkeys(asked - {""}, _ABSENT[name]), **value}
            shown[name] = value
        return shown

    def _filled(self, variable: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        missing = {path[1] for path in self._open_paths if path[0] == variable} - fields.keys() - {""}
        return {**dict.fromkeys(missing), **fields} if missing else fields

    @cached_property
    def _program(self) -> cel.Program:
        return cel.compile(self.source)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(name for name in self._program.variables() if name in VARIABLES)

    @cached_property
    def _paths(self) -> tuple[tuple[str, str, str], ...]:
        """(variable, field, field of that) of every place that names a variable."""
        return _paths_in(self.source)

    @cached_property
    def _open_paths(self) -> frozenset[tuple[str, str, str]]:
        """Paths that no ``has(...)`` asks for."""
        asked = {path for inner in _HAS.findall(self.source) for path in _paths_in(inner)}
        return frozenset(self._paths) - asked


def _paths_in(source: str) -> tuple[tuple[str, str, str], ...]:
    found = _PATH.findall(_TEXT.sub('""', source))
    return tuple((hit[0], "".join(hit[1:4]), "".join(hit[4:7])) for hit in found)


def _enrollment(enrollment: Enrollment | None) -> dict[str, Any]:
    if enrollment is None:
        return {"key": "", "holdout": False, "arms": {}}
    return {
        "key": enrollment.key,
        "holdout": enrollment.holdout,
        "arms": dict(enrollment.arms),
    }


def _unknown(variable: str, named: frozenset[str] | None, known: frozenset[str]) -> list[str]:
    return [f"unknown field {variable}.{name}" for name in sorted((named or frozenset()) - known)]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise ConditionError(f"a {type(value).__name__} cannot be a template's variable")


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]
