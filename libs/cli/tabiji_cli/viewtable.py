"""Rows of a view -> tables as wide as the terminal.

A column that says the same in every row goes into the title, or under the table where that is 0; what is too wide goes
into a second table beneath, with the columns that name a row again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.table import Table
from rich.text import Text

from tabiji_cli.palette import FAINT, ROAD
from tabiji_ingest.domain.money import EXPONENTS

Row = Mapping[str, Any]

GAPS = (2, 1)  # blanks between two columns: fewer where that saves a table
PLAIN = ("workspace", "zone", "currency")  # their values need no name beside them
SECTIONS = ("currency", "journey", "version", "holdout")  # a table for each, where there are several
LABELS = (
    *("zone", "currency", "month", "cohort_month", "month_index", "medium", "ltv_window", "metric", "journey"),
    *("version", "holdout", "arms", "step", "state", "send_state", "channel", "provider", "template", "outcome"),
    "reason",
)
UNSEEN = frozenset({"position"})  # sorts the rows, and they are sorted
SHARES = frozenset({"retention", "share"})
MONEY = "_minor"
HEADS = {
    "cohort_month": "cohort",
    "month_index": "month",
    "cohort_size": "people",
    "active_customers": "active",
    "cum_revenue_minor": "revenue so far",
    "ltv_minor": "LTV",
    "ltv_window": "window",
    "send_state": "state",
    "enrollments": "enrolled",
    "transitions": "moves",
    "unsubscribed": "unsub- scribed",
}
FOLLOWS = {"template": "send_state"}  # told once for each of those, where there is one for each


@dataclass(frozen=True)
class Column:
    """A column to show: its head in lines, and one cell for each row."""

    name: str
    head: str
    cells: Sequence[str]

    @property
    def label(self) -> bool:
        """Whether it names rows, and does not measure them."""
        return self.name in LABELS

    @property
    def width(self) -> int:
        return max(map(cell_len, [*self.head.splitlines(), *self.cells]), default=0)


@dataclass(frozen=True)
class Tables:
    """A view, drawn to the width there is."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Row]

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        """Title, tables, and which columns are 0 throughout."""
        told, silent = constant(self.columns, self.rows)
        sections = [name for name in SECTIONS if name in self.columns and name not in told]
        legends = {name: by for name, by in FOLLOWS.items() if name in self.columns and follows(name, by, self.rows)}
        away = {*told, *silent, *sections, *legends, *UNSEEN}
        split = parts([_column(name, self.rows) for name in self.columns if name not in away], options.max_width)
        yield Text(" · ".join([self.name, *(_said(name, value) for name, value in told.items())]), style=f"bold {ROAD}")
        if not self.rows:
            yield Text("no rows yet", style=FAINT)
        for heading, places in _sections(self.rows, sections):
            yield Text(f"\n{heading}".rstrip(), style="bold")
            for name, by in legends.items():
                yield Text(_legend(name, by, [self.rows[place] for place in places]), style=FAINT)
            for number, (gap, columns) in enumerate(split):
                yield from [Text()] * (number > 0)
                yield _table(columns, places, gap)
        if silent:
            yield Text(f"\n0 or empty in every row: {', '.join(map(_words, silent))}", style=FAINT)


def constant(columns: Sequence[str], rows: Sequence[Row]) -> tuple[dict[str, Any], list[str]]:
    """The labels with one value in all rows, where there is any, and what is empty or, in several rows, always 0."""
    told: dict[str, Any] = {}
    silent: list[str] = []
    for name in columns:
        values = {row[name] for row in rows}
        if name in LABELS or name == "workspace":
            some = list(values - {"", None})
            told |= {name: some[0]} if len(some) == 1 else {}
            silent += [] if some else [name]
        elif len(rows) > 1 and values <= {0, None} and name not in UNSEEN:
            silent.append(name)
    return told, silent


def follows(name: str, by: str, rows: Sequence[Row]) -> bool:
    """Whether rows that agree in ``by`` (and in the section) agree in ``name``, where they have any."""
    found: dict[tuple[Any, ...], set[Any]] = {}
    for row in rows:
        found.setdefault((row.get("journey"), row.get("version"), row[by]), set()).add(row[name] or "")
    return all(len(values - {""}) <= 1 for values in found.values())


def parts(columns: Sequence[Column], width: int) -> list[tuple[int, list[Column]]]:
    """``columns`` in as few tables of ``width`` as can be, each with its gap; the labels are in every one."""
    tried = [(gap, _parts(columns, width, gap)) for gap in GAPS]
    gap, fewest = min(tried, key=lambda one: len(one[1]))
    return [(gap, part) for part in fewest]


def _parts(columns: Sequence[Column], width: int, gap: int) -> list[list[Column]]:
    """Of widths as equal as can be."""
    labels = [column for column in columns if column.label]
    measures = [column for column in columns if not column.label]
    room = width + gap - _width(labels, gap)
    fewest = len(_filled(measures, room, gap))
    least = next((less for less in range(room) if len(_filled(measures, less, gap)) <= fewest), room)
    return [labels + part for part in _filled(measures, least, gap)] or [labels]


def _filled(columns: Sequence[Column], room: int, gap: int) -> list[list[Column]]:
    """One after the other as long as they fit; at least one in each part."""
    filled: list[list[Column]] = []
    for column in columns:
        if filled and _width([*filled[-1], column], gap) <= room:
            filled[-1].append(column)
        else:
            filled.append([column])
    return filled


def _width(columns: Sequence[Column], gap: int) -> int:
    return sum(column.width + gap for column in columns)


def _sections(rows: Sequence[Row], names: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
    """Headings, and the places of the rows under each; in the order in which they come."""
    found: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        found.setdefault(" · ".join(_said(name, row[name]) for name in names), []).append(place)
    yield from found.items()


def _legend(name: str, by: str, rows: Sequence[Row]) -> str:
    pairs = {str(row[by]): _cell(name, row) for row in rows if row[name]}
    return f"{name}s: {', '.join(f'{key} {value}' for key, value in pairs.items())}" if pairs else ""


def _table(columns: Sequence[Column], places: Sequence[int], gap: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style=FAINT, padding=(0, gap, 0, 0))
    for column in columns:
        justify: JustifyMethod = "left" if column.label and column.name != "month_index" else "right"
        table.add_column(column.head, justify=justify, no_wrap=True, min_width=column.width, vertical="bottom")
    for place in places:
        table.add_row(*(column.cells[place] for column in columns))
    return table


def _column(name: str, rows: Sequence[Row]) -> Column:
    cells = [_cell(name, row) for row in rows]
    return Column(name, _head(name, max(map(cell_len, cells), default=0)), cells)


def _head(name: str, width: int) -> str:
    """The words of a name one under the other, as many on a line as the cells are wide."""
    lines: list[str] = []
    for word in HEADS.get(name, _words(name)).split():
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "\n".join(lines)


def _words(name: str) -> str:
    return name.removesuffix(MONEY).replace("_", " ")


def _said(name: str, value: Any) -> str:
    return str(value) if name in PLAIN else f"{_words(name)} {_text(value)}"


def _cell(name: str, row: Row) -> str:
    """Money in major units of its currency, shares in percent, counts with separators; the template by its own name."""
    value = row[name]
    if value is None:
        return ""
    if name.endswith(MONEY):
        exponent = EXPONENTS.get(str(row.get("currency")), 2)
        return f"{value / 10**exponent:,.{exponent}f}"
    if name in SHARES:
        return f"{value:.1%}"
    if name == "template":
        return str(value).removeprefix(f"{row.get('journey')}/")
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int | float) else str(value)
