"""The driver's own files: what was accepted, mailed, opened. They decide, not the services' counters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)
_LINES = msgspec.json.Encoder()


class Bill(msgspec.Struct, frozen=True):
    """What an order came to, in major units as posted."""

    order_id: str
    total: Decimal
    currency: str


class Accepted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event that ingest answered with 200; ``bill`` is an order's."""

    id: str
    kind: str
    customer: str
    occurred_at: datetime
    at: datetime
    bill: Bill | None = None


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail that the mailbox took responsibility for; ``at`` is simulated time."""

    key: str
    recipient: str
    subject: str
    at: datetime


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader did (``open``, ``click``, ``unsubscribe``; ``scan`` is a machine's) and how it was answered."""

    key: str
    what: str
    at: datetime
    status: int


class Ledger(Generic[T]):
    """A file of one JSON object a line; a line is in the file (not on the disk) when ``add`` returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("wb", buffering=0)

    def add(self, rows: Iterable[T]) -> None:
        """Append ``rows`` with one write."""
        if text := b"".join(_LINES.encode(row) + b"\n" for row in rows):
            self._file.write(text)

    def close(self) -> None:
        """Close the file; harmless twice."""
        self._file.close()


def read(path: Path, type_: type[T]) -> Iterator[T]:
    """The rows of a ledger; raises ``ValueError`` with the line's number where one cannot be read."""
    decoder = msgspec.json.Decoder(type_)
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield decoder.decode(line)
            except msgspec.MsgspecError as error:
                raise ValueError(f"{path}, line {number}: {error}") from error
