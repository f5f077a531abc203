"""A journey's document as lines to show: what is a comment, what is a key, and which lines are the chosen state's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_KEY = re.compile(r"^(\s*(?:- )?)([\w.-]+:)(?=\s|$)(.*)$")


@dataclass(frozen=True)
class Line:
    """``lead`` and ``rest`` stand around a ``key``; ``at`` says that it is of the chosen state."""

    lead: str
    key: str
    rest: str
    comment: str
    at: bool


def lines_of(source: str, state: str) -> list[Line]:
    """Every line of ``source``."""
    inside = set(_lines_of_state(source.splitlines(), state)) if state else set()
    return [_line(text, number in inside) for number, text in enumerate(source.splitlines())]


def _line(text: str, at: bool) -> Line:  # noqa: FBT001 - made in one place
    if text.lstrip().startswith("#"):
        return Line("", "", "", text, at)
    found = _KEY.match(text)
    if found is None:
        return Line("", "", text, "", at)
    rest, _, comment = found[3].partition(" #")
    return Line(found[1], found[2], rest, f" #{comment}" if comment else "", at)


def _lines_of_state(lines: list[str], state: str) -> Iterator[int]:
    """The line that names it beneath ``states:``, and those that are further in."""
    begun, depth = False, -1
    for number, text in enumerate(lines):
        indent = len(text) - len(text.lstrip())
        if depth >= 0 and text.strip() and indent <= depth:
            return
        if text.startswith("states:"):
            begun = True
        elif depth >= 0 or (begun and indent > 0 and text.lstrip().startswith(f"{state}:")):
            depth = indent if depth < 0 else depth
            yield number
