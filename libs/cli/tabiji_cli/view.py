"""An analytics view on the terminal or as CSV: the same rows as ``GET /v1/views/NAME``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import msgspec

from tabiji_cli.keys import OPERATOR_SETTING, bearer
from tabiji_cli.viewtable import Tables


class ViewFailed(Exception):
    """Analytics has no such view, refused the question, or cannot be reached."""


def fetch(url: str, name: str, parameters: Mapping[str, str], *, key: str = "", csv: bool = False) -> bytes:
    """The view ``name`` as analytics tells it to an operator's ``key``: JSON, or CSV with a header line.

    Raises ``ViewFailed``.
    """
    headers = {"Accept": "text/csv" if csv else "application/json", **bearer(key)}
    asked = {**parameters, "format": "csv" if csv else "json"}
    try:
        answer = httpx.get(f"{url}/v1/views/{name}", params=asked, headers=headers, timeout=60)
    except httpx.TransportError as error:
        raise ViewFailed(f"analytics cannot be reached at {url}: {error}; is `tabiji up` running?") from error
    if answer.status_code == 401:
        raise ViewFailed(
            f"analytics at {url} does not know this operator key; give one by {OPERATOR_SETTING}, or make one with"
            " `tabiji keys create NAME --scope read`"
        )
    if answer.status_code != 200:
        raise ViewFailed(f"{name}: {_rule(answer)}")
    return answer.content


def table(name: str, content: bytes) -> Tables:
    """A view's JSON, to be printed: money in major units, shares in percent."""
    rows = rows_of(content)
    return Tables(name, list(rows[0]) if rows else [], rows)


def rows_of(content: bytes) -> list[dict[str, Any]]:
    """The rows of a view's JSON, whether they stand alone or under ``rows``."""
    document = msgspec.json.decode(content)
    rows: list[dict[str, Any]] = document["rows"] if isinstance(document, dict) else document
    return rows


def _rule(answer: httpx.Response) -> str:
    try:
        error = answer.json()["error"]
        return f"{error.get('field') or ''} {error['rule']}".strip()
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.text[:200]}"
