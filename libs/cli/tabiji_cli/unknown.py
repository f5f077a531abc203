"""``tabiji unknown``: messages whose outcome nobody knows, through dispatch's HTTP API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from tabiji_cli.ask import ask
from tabiji_cli.palette import FAINT
from tabiji_common.errors import TabijiError

OUTCOMES = ("sent", "failed", "resend")


class SettleFailed(TabijiError):
    """There is no such outcome."""


def listed(limit: int) -> Table:
    """What a person may settle, with what is known of each."""
    rows: Sequence[dict[str, Any]] = ask("dispatch", "GET", "/v1/unknown", params={"limit": limit})
    shown = Table(box=None, pad_edge=False, header_style=FAINT)
    columns = ("message_key", "customer", "journey", "channel", "state", "reason", "at")
    for name in columns:
        whole = name == "message_key"  # to be copied
        shown.add_column(name.replace("_", " "), overflow="fold", no_wrap=whole, min_width=36 if whole else None)
    for row in rows:
        shown.add_row(*(Text(str(row.get(name) or "")) for name in columns))
    return shown


def settle(key: str, outcome: str) -> str:
    """Say what became of a message; the id of the command. The ledger follows in a moment."""
    if outcome not in OUTCOMES:
        raise SettleFailed(f"an outcome is one of {', '.join(OUTCOMES)}")
    return str(ask("dispatch", "POST", f"/v1/unknown/{key}", json={"outcome": outcome})["command"])
