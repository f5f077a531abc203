"""Dead letters in the terminal."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from tabiji_cli.dlq.again import Outcome, SortedOut
from tabiji_cli.dlq.desk import Found, Letter
from tabiji_cli.palette import BAD, FAINT, GOAL, WARN

MOST_REASONS = 20


def table(letters: Sequence[Letter]) -> Table:
    """Two lines each: where it stood and whose it was, and the reason. An id is whole, so that it can be copied."""
    made = Table(box=None, pad_edge=False, header_style=FAINT)
    made.add_column("id", no_wrap=True, min_width=36)
    made.add_column("state", no_wrap=True)
    made.add_column("record, and why", overflow="fold")
    for letter in letters:
        row = letter.row
        state = Text(row["state"] + (f" ×{row['attempts']}" if row["attempts"] else ""), style=_colour(row["state"]))
        place = (letter.service, row["topic"], row["type"], row["customer"], row["died_at"][:19])
        made.add_row(letter.id, state, Text(f"{' · '.join(map(str, place))}\n{row['reason']}"))
    return made


def _colour(state: str) -> str:
    return {"dead": BAD, "replayed": GOAL}.get(state, WARN)


def counted(found: Found) -> str:
    """How many are shown of how many."""
    return f"{len(found.letters):,} of {found.total:,}"


def one(found: Mapping[str, Any]) -> Group:
    """Where it stood, its headers, why it could not apply, and its body."""
    facts = Table(box=None, pad_edge=False, show_header=False)
    facts.add_column(style=FAINT)
    facts.add_column(overflow="fold")
    place = f"{found['topic']} · partition {found['partition']} · offset {found['offset']}"
    told = {"service": found["service"], "stood at": place, "key": found["key"], "put aside": found["died_at"]}
    told |= {"state": f"{found['state']}, replayed {found['attempts']} times", "reason": found["reason"]}
    if found["refused"]:
        told["no replay"] = found["refused"]
    for name, value in {**told, **found["headers"]}.items():
        facts.add_row(name, Text(str(value)))
    if found["body"] is None:
        return Group(facts, Text(""), Text(found["text"]))
    return Group(facts, Text(""), Syntax(json.dumps(found["body"], ensure_ascii=False, indent=2), "json"))


def before(found: SortedOut) -> Text:
    """What a replay would do."""
    services = Counter(letter.service for letter in found.ready)
    where = ", ".join(f"{service} {count:,}" for service, count in sorted(services.items()))
    lines = [f"{len(found.ready):,} to replay{f' ({where})' if where else ''}"]
    if found.done:
        lines.append(f"{len(found.done):,} were replayed before, and stay as they are")
    return Text("\n".join([*lines, *_told("cannot be replayed", found.refused)]))


def after(outcome: Outcome) -> Text:
    """What it did."""
    lines = [f"{len(outcome.replayed):,} replayed, {len(outcome.repeats):,} had been applied already"]
    lines += _told("are dead again: their cause is not mended", outcome.dead)
    lines += _told("were refused", outcome.refused)
    if outcome.waiting:
        lines.append(f"{len(outcome.waiting):,} are in the log and wait for their service; `tabiji dlq list` tells")
    return Text("\n".join(lines))


def _told(what: str, ones: Sequence[tuple[str, str]]) -> list[str]:
    if not ones:
        return []
    reasons = Counter(reason for _, reason in ones).most_common(MOST_REASONS)
    return [f"{len(ones):,} {what}", *(f"  {count:,} × {reason}" for reason, count in reasons)]
