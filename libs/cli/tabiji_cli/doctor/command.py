"""``tabiji doctor``: one line for each finding, the worst of them as the exit status."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tabiji_cli.doctor.findings import Finding, worst
from tabiji_cli.doctor.look import look
from tabiji_cli.palette import BAD, FAINT, GOAL, WARN

COLOURS = {"ok": GOAL, "warn": WARN, "bad": BAD}
STATUS = {"ok": 0, "warn": 0, "bad": 1}


def doctor(console: Console, *, json: bool) -> int:
    """Look, print, and tell by the exit status: 1 where anything is bad."""
    found = asyncio.run(look())
    if json:
        document = {"worst": worst(found), "findings": [asdict(one) for one in found]}
        console.print_json(msgspec.json.encode(document).decode())
    else:
        console.print(table(found))
    return STATUS[worst(found)]


def table(found: Sequence[Finding]) -> Table:
    """The findings, for people."""
    shown = Table(box=None, pad_edge=False, show_header=False)
    shown.add_column(no_wrap=True)
    shown.add_column(no_wrap=True)
    shown.add_column(overflow="fold")
    for one in found:
        told = Text(one.seen)
        if one.do:
            told.append(f"\n→ {one.do}", style=FAINT)
        shown.add_row(Text(one.level, style=COLOURS[one.level]), one.about, told)
    return shown
