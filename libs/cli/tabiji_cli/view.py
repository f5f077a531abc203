"""An analytics view on the terminal or as CSV: the same rows as ``GET /v1/views/NAME``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import msgspec
from rich.table import Table


class ViewFailed(Exception):
    """Analytics has no such view, refused the question, or cannot be reached."""


def fetch(url: str, name: str, parameters: Mapping[str, str], *, csv: bool = False) -> bytes:
    """The view ``name`` as analytics tells it: JSON, or CSV with a header line. Raises ``ViewFailed``."""
    headers = {"Accept": "text/csv" if csv else "application/json"}
    asked = {**parameters, "format": "csv" if csv else "json"}
    try:
        answer = httpx.get(f"{url}/v1/views/{name}", params=asked, headers=headers, timeout=60)
    except httpx.TransportError as error:
        raise ViewFailed(f"analytics cannot be reached at {url}: {error}; is `tabiji up` running?") from error
    if answer.status_code != 200:
        raise ViewFailed(f"{name}: {_rule(answer)}")
    return answer.content


def table(name: str, content: bytes) -> Table:
    """JSON rows as a table; figures to the right, money as it is (minor units)."""
    rows: Sequence[Mapping[str, Any]] = rows_of(content)
    shown = Table(title=name, box=None, pad_edge=False, header_style="dim", title_justify="left")
    columns = list(rows[0]) if rows else []
    for column in columns:
        figures = all(isinstance(row[column], int | float | None) for row in rows)
        shown.add_column(column, justify="right" if figures else "left", no_wrap=True)
    for row in rows:
        shown.add_row(*(_cell(row[column]) for column in columns))
    return shown


def rows_of(content: bytes) -> list[dict[str, Any]]:
    """The rows of a view's JSON, whether they stand alone or under ``rows``."""
    document = msgspec.json.decode(content)
    rows: list[dict[str, Any]] = document["rows"] if isinstance(document, dict) else document
    return rows


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _rule(answer: httpx.Response) -> str:
    try:
        error = answer.json()["error"]
        return f"{error.get('field') or ''} {error['rule']}".strip()
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.text[:200]}"
