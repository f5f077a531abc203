"""A YAML or JSON text -> parts that know their path and line, and a list of every problem found in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import time
from decimal import Decimal, InvalidOperation
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from tabiji_journey.domain import durations
from tabiji_journey.domain.conditions import Condition
from tabiji_journey.domain.definition import WHOLE
from tabiji_journey.domain.durations import Duration

LONGEST_TEXT = 128 * 1024
MOST_PARTS = 10_000
DEEPEST = 12
DEEPEST_BRACKETS = 50

_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_PERCENT = re.compile(r"\d{1,3}(\.\d{1,4})?%")

_NESTING = re.compile(r"[\[\]{}]")
_MARKERS = re.compile(r"(?:[-?:][ \t]+){20}|^[ \t]{200}", re.MULTILINE)

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule. ``line`` counts from 1; ``path`` is like ``states.guide.send.template``."""

    file: str
    line: int
    path: str
    rule: str


class DefinitionError(Exception):
    """The document is no journey; ``problems`` holds every rule it breaks, by line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems), key=lambda p: (p.line, p.path, p.rule)))
        super().__init__("\n".join(f"{p.file}:{p.line}: {p.path}: {p.rule}" for p in self.problems))


@dataclass(slots=True)
class Book:
    """One document: its file's name, the line of every path, and what is wrong with it."""

    file: str
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def fail(self, path: Path, rule: str) -> None:
        """Note a broken rule at a path, or at the nearest one above it that stands in the text."""
        place = path
        while place and place not in self.lines:
            place = place[:-1]
        self.problems.append(Problem(self.file, self.lines.get(place, 1), ".".join(path) or "(document)", rule))


@dataclass(frozen=True, slots=True)
class Part:
    """One place of the document. Reading what is not as it should be notes a problem and gives a stand-in."""

    value: Any
    path: Path
    book: Book

    def __getitem__(self, name: str) -> Part:
        value = self.value.get(name) if isinstance(self.value, dict) else None
        return Part(value, (*self.path, name), self.book)

    @property
    def given(self) -> bool:
        """Whether anything stands there."""
        return self.value is not None

    def fail(self, rule: str) -> None:
        """Note a problem with this part."""
        self.book.fail(self.path, rule)

    def mapping(self, *, required: Iterable[str] = (), optional: Iterable[str] = ()) -> bool:
        """Whether it is a mapping; notes keys that are missing or unknown."""
        if not isinstance(self.value, dict):
            self.fail("must be a mapping" if self.given else "is missing")
            return False
        known = {*required, *optional}
        for name in required:
            if self.value.get(name) is None:
                self[name].fail("is missing")
        for name in self.value:
            if name not in known:
                self[name].fail(f"unknown key {name!r}; known are {', '.join(sorted(known))}")
        return True

    def items(self) -> Iterator[tuple[str, Part]]:
        """The entries of a mapping, in order; notes a problem where it is none or empty."""
        if not isinstance(self.value, dict) or not self.value:
            self.fail("must be a mapping with at least one entry" if self.given else "is missing")
            return
        for name in self.value:
            yield name, self[name]

    def parts(self) -> Iterator[Part]:
        """The items of a list, or the one item itself."""
        if isinstance(self.value, list):
            for number, value in enumerate(self.value):
                yield Part(value, (*self.path, str(number)), self.book)
        elif self.given:
            yield self

    def text(self, default: str | None = None, *, pattern: str = r".{1,200}", rule: str = "") -> str:
        """A text; where it is missing the default, or a problem without one."""
        if self.value is None and default is not None:
            return default
        if isinstance(self.value, str) and re.fullmatch(pattern, self.value):
            return self.value
        if self.given:
            self.fail(rule or "must be a text of 1 to 200 characters on one line")
        return ""

    def choice(self, options: tuple[str, ...], default: str | None = None) -> Any:
        """One of a closed set of words."""
        if self.value is None and default is not None:
            return default
        if self.value not in options:
            if self.given:
                self.fail(f"must be one of {', '.join(options)}")
            return options[0]
        return self.value

    def whole(self, default: int) -> int:
        """A whole number."""
        if self.value is None:
            return default
        if type(self.value) is not int or abs(self.value) > 1_000_000:
            self.fail("must be a whole number, at most a million")
            return default
        return self.value

    def duration(self, default: Duration | None = None) -> Duration:
        """A duration like ``3d`` or ``1h30m``."""
        stand_in = default or Duration(1)
        if self.value is None:
            return stand_in
        if not isinstance(self.value, str):
            self.fail("must be a duration like 3d, 90m or 1h30m")
            return stand_in
        try:
            return durations.parse(self.value)
        except ValueError as error:
            self.fail(str(error))
            return stand_in

    def clock(self) -> time:
        """A local time, ``HH:MM``."""
        found = _CLOCK.fullmatch(self.value) if isinstance(self.value, str) else None
        if found is None:
            self.fail('must be a local time like "10:00"')
            return time()
        return time(int(found[1]), int(found[2]))

    def share(self) -> int:
        """A percentage, in millionths."""
        if not isinstance(self.value, str) or not _PERCENT.fullmatch(self.value):
            if self.given:
                self.fail("must be a percentage like 50%, with at most four decimals")
            return 0
        try:
            share = int(Decimal(self.value.removesuffix("%")) * (WHOLE // 100))
        except InvalidOperation:  # pragma: no cover - the pattern lets only numbers through
            share = WHOLE + 1
        if share > WHOLE:
            self.fail("must be at most 100%")
        return share

    def condition(self) -> Condition | None:
        """A CEL expression that compiles and names only what there is."""
        if self.value is None:
            return None
        if not isinstance(self.value, str) or not self.value.strip():
            self.fail("must be a CEL expression")
            return None
        condition = Condition(self.value)
        for rule in condition.problems():
            self.fail(rule)
        return condition


def read(text: str, file: str) -> Part:
    """The whole document; raises ``DefinitionError`` where it is no YAML or JSON of a sane size."""
    book = Book(file)
    if rule := _too_much(text):
        raise DefinitionError([Problem(file, 1, "(document)", rule)])
    try:
        value = YAML(typ="rt", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise DefinitionError([_syntax(error, file)]) from error
    return Part(_plain(value, (), book, [0]), (), book)


def _too_much(text: str) -> str:
    """What makes a text too much for the parser, whose time grows with the square of the nesting."""
    if len(text) > LONGEST_TEXT:
        return f"must be at most {LONGEST_TEXT} characters long"
    depth = 0
    for found in _NESTING.finditer(text):
        depth += 1 if found[0] in "[{" else -1
        if depth > DEEPEST_BRACKETS:
            return "nested too deep"
    return "nested too deep" if _MARKERS.search(text) else ""


def _syntax(error: Exception, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    rule = getattr(error, "problem", None) or str(error).partition("\n")[0] or "nested too deep"
    return Problem(file, mark.line + 1 if mark else 1, "(document)", f"not a YAML or JSON document: {rule}")


def _plain(value: Any, path: Path, book: Book, count: list[int]) -> Any:
    """Dicts, lists and scalars only, every line kept; bounded, however often an alias repeats itself."""
    count[0] += 1
    if count[0] > MOST_PARTS or len(path) > DEEPEST:
        book.fail(path, "too many entries" if count[0] > MOST_PARTS else "nested too deep")
        raise DefinitionError(book.problems)
    if isinstance(value, CommentedMap):
        return {str(name): _entry(value, name, path, book, count) for name in value}
    if isinstance(value, CommentedSeq):
        return [_entry(value, number, path, book, count) for number in range(len(value))]
    if value is None or type(value) in {str, bool, int, float}:
        return value
    if isinstance(value, str | int | float):
        return next(plain(value) for plain in (str, int, float) if isinstance(value, plain))
    return str(value)


def _entry(holder: CommentedMap | CommentedSeq, name: Any, path: Path, book: Book, count: list[int]) -> Any:
    place = (*path, str(name))
    where = (holder.lc.data or {}).get(name)
    book.lines[place] = where[0] + 1 if where else book.lines.get(path, 1)
    return _plain(holder[name], place, book, count)
