"""Reading the parts of what a client sent, with the path of whatever is wrong."""

from __future__ import annotations

from typing import Any

import msgspec

from tabiji_ingest.domain.money import read_currency, read_minor
from tabiji_ingest.domain.refusal import Kind, Refusal

MAX_TEXT = 256


def read_object(value: Any, field: str) -> dict[str, Any]:
    """An object, or an empty one where absent; raises ``Refusal`` for anything else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refusal(field, "must be an object")
    return value


def read_text(value: Any, field: str) -> str | None:
    """A short text or whole number as text, ``None`` where absent or empty; raises ``Refusal``."""
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise Refusal(field, "must be a string")
    if len(value) > MAX_TEXT:
        raise Refusal(field, f"must be at most {MAX_TEXT} characters")
    return value


class Properties(msgspec.Struct, frozen=True):
    """The properties of one event; ``at`` is where they stand in what the client sent."""

    values: dict[str, Any]
    at: str

    def path(self, name: str) -> str:
        """Where the property ``name`` stands."""
        return f"{self.at}.{name}" if self.at else name

    def text(self, *names: str) -> str | None:
        """The first of ``names`` that is there, as text."""
        for name in names:
            if (text := read_text(self.values.get(name), self.path(name))) is not None:
                return text
        return None

    def required(self, *names: str) -> str:
        """The same, refused where none is there."""
        text = self.text(*names)
        if text is None:
            raise Refusal(self.path(names[0]), "is required")
        return text

    def currency(self, default: str) -> str:
        """The currency of these amounts."""
        return read_currency(self.values.get("currency"), self.path("currency"), default)

    def minor(self, currency: str, *names: str) -> int | None:
        """The first of ``names`` that is there, as minor units of ``currency``."""
        for name in names:
            if (value := self.values.get(name)) is not None:
                return read_minor(value, currency, self.path(name))
        return None

    def objects(self, name: str) -> list[dict[str, Any]]:
        """A list of objects, empty where absent."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise Refusal(self.path(name), "must be a list of objects")
        for index, item in enumerate(value):
            if not isinstance(item, dict):
                raise Refusal(f"{self.path(name)}.{index}", "must be an object")
        return value

    def one_of(self, allowed: frozenset[str], name: str, default: str | None = None) -> str:
        """A word out of ``allowed``, without case."""
        word = self.text(name)
        word = default if word is None else word.strip().casefold()
        if word not in allowed:
            raise Refusal(self.path(name), f"must be one of {', '.join(sorted(allowed))}", Kind.SHAPE)
        return word
