"""orders.csv -> orders to import, each with its line number; what is wrong is told by line and column.

Columns: order_id, customer_id, ordered_at (ISO 8601; without an offset it is UTC), amount (whole minor units, negative
for a return booked as an order), and optionally currency (ISO 4217) and medium. Other columns are passed over. Text is
UTF-8, with or without a byte order mark, or else Shift_JIS, which is what Excel writes in Japan.
"""

from __future__ import annotations

import contextlib
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

REQUIRED = ("order_id", "customer_id", "ordered_at", "amount")
ENCODINGS = ("utf-8-sig", "cp932")
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)  # as ingest has it
LATEST = datetime(2199, 12, 31, tzinfo=UTC)
_WHOLE = re.compile(r"[+-]?\d{1,15}")
_CURRENCY = re.compile(r"[A-Z]{3}")


class BadLine(ValueError):
    """A line that cannot be imported: where, and the rule it breaks."""

    def __init__(self, file: str, line: int, column: str, rule: str) -> None:
        super().__init__(f"{file}, line {line}, {column}: {rule}")
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class ImportedOrder:
    """One line of the file."""

    line: int
    order_id: str
    customer_id: str
    ordered_at: datetime
    amount_minor: int
    currency: str
    medium: str | None


def read(path: Path, currency: str, from_line: int = 0, latest: datetime = LATEST) -> Iterator[ImportedOrder | BadLine]:
    """Every line from ``from_line`` on, as an order or as what is wrong with it.

    ``currency`` is for lines that name none; what was ordered after ``latest`` is wrong. Raises ``BadLine`` where the
    header lacks a column, or the file is no text.
    """
    with path.open(encoding=_encoding(path), newline="") as file:
        rows = csv.DictReader(file, strict=True)
        try:
            missing = [name for name in REQUIRED if name not in (rows.fieldnames or ())]
            if missing:
                raise BadLine(path.name, 1, "header", f"lacks {', '.join(missing)}")
            for row in rows:
                if rows.line_num >= from_line:
                    yield _order(path.name, rows.line_num, row, currency, latest)
        except csv.Error as error:
            raise BadLine(path.name, rows.line_num, "line", f"cannot be read: {error}") from error


def _encoding(path: Path) -> str:
    """The first of ``ENCODINGS`` that all of the file can be read in; raises ``BadLine`` where none is."""
    for encoding in ENCODINGS:
        with path.open(encoding=encoding) as file, contextlib.suppress(UnicodeDecodeError):
            while file.read(1 << 20):
                pass
            return encoding
    raise BadLine(path.name, 1, "text", "is neither UTF-8 nor Shift_JIS: save the file as UTF-8")


def _order(file: str, line: int, row: dict[str, str], currency: str, latest: datetime) -> ImportedOrder | BadLine:
    cells = {name: (row.get(name) or "").strip() for name in (*REQUIRED, "currency", "medium")}

    def bad(column: str, rule: str) -> BadLine:
        return BadLine(file, line, column, rule)

    if None in row:
        return bad("line", "has more cells than the header")
    for name in REQUIRED:
        if not cells[name]:
            return bad(name, "must not be empty")
    if not _WHOLE.fullmatch(cells["amount"]):
        return bad("amount", f"must be whole minor units (12.50 USD is 1250), not {cells['amount']!r}")
    try:
        when = _instant(cells["ordered_at"], latest)
    except ValueError as error:
        return bad("ordered_at", str(error))
    money = (cells["currency"] or currency).upper()
    if not _CURRENCY.fullmatch(money):
        return bad("currency", f"must be an ISO 4217 code such as JPY, not {money!r}")
    return ImportedOrder(
        line,
        cells["order_id"],
        cells["customer_id"],
        when,
        int(cells["amount"]),
        money,
        cells["medium"] or None,
    )


def _instant(text: str, latest: datetime) -> datetime:
    """Aware, UTC where nothing else is said. Raises ``ValueError`` with the rule."""
    try:
        when = datetime.fromisoformat(text.upper())
    except ValueError:
        raise ValueError(f"must be an ISO 8601 date or time, not {text!r}") from None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    if not EARLIEST <= when <= latest:
        raise ValueError(f"must lie between {EARLIEST:%Y} and tomorrow, not {text!r}")
    return when
