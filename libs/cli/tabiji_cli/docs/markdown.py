"""Pieces of a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

MADE = "<!-- Written by `make docs` from the code; change the code, not this page. -->"


def page(title: str, *parts: str) -> str:
    """A page that says where it comes from."""
    return "\n\n".join([f"# {title}", MADE, *filter(None, parts)]) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a cell's bars and line ends are made harmless. Empty where there are no rows."""
    lines = [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(heads)} |", "|" + "---|" * len(heads), *lines])


def code(text: str) -> str:
    """``text`` as code, where there is any."""
    return f"`{text}`" if text else ""


def sentence(docstring: str | None) -> str:
    """A docstring as one line of Markdown."""
    return re.sub(r"\s+", " ", (docstring or "").strip()).replace("``", "`").replace("`None`", "`null`")


def _cell(text: str) -> str:
    """One line; what is not code cannot be taken for a tag."""
    pieces = re.sub(r"\s+", " ", text).replace("|", "\\|").strip().split("`")
    return "`".join(piece if n % 2 else piece.replace("<", "&lt;") for n, piece in enumerate(pieces))
