"""Replaying: ask for a hundred at a time, and wait until their services say what became of them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tabiji_cli.ask import ask
from tabiji_cli.dlq.desk import CHUNK, PATH, Letter, Search
from tabiji_common.topics import parse_time

LOOK_EVERY = 0.2


@dataclass
class SortedOut:
    """What there is to do: ``refused`` are (id, rule)."""

    ready: list[Letter] = field(default_factory=list)
    done: list[Letter] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Outcome:
    """What became of them, by id; ``dead`` and ``refused`` are (id, reason)."""

    replayed: list[str] = field(default_factory=list)
    repeats: list[str] = field(default_factory=list)
    dead: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)


def sort_out(letters: Iterable[Letter], ids: Sequence[str]) -> SortedOut:
    """Which can be replayed, which were, and which cannot; of ``ids`` none is left unsaid."""
    found, there = SortedOut(), set[str]()
    for letter in letters:
        there.add(letter.id)
        if letter.row["state"] != "dead":
            found.done.append(letter)
        elif rule := letter.row["refused"]:
            found.refused.append((letter.id, rule))
        else:
            found.ready.append(letter)
    found.refused += [(id_, "no service has it") for id_ in dict.fromkeys(ids) if id_ not in there]
    return found


def replay(letters: Sequence[Letter], console: Console, patience: float) -> Outcome:
    """Replay them, the oldest first; gives up waiting once nothing has moved for ``patience`` seconds."""
    outcome = Outcome()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    oldest = sorted(letters, key=lambda letter: (letter.service, parse_time(letter.row["appended_at"])))
    with Progress(*columns, console=console, disable=len(letters) <= CHUNK) as bar:
        task = bar.add_task("replaying", total=len(letters))
        for service, group in groupby(oldest, key=lambda letter: letter.service):
            mine = list(group)
            for start in range(0, len(mine), CHUNK):
                chunk = mine[start : start + CHUNK]
                _replay(service, chunk, outcome, patience)
                bar.advance(task, len(chunk))
    return outcome


def _replay(service: str, chunk: Sequence[Letter], outcome: Outcome, patience: float) -> None:
    answer = ask(service, "POST", f"{PATH}/replay", json={"ids": [letter.id for letter in chunk]})
    outcome.refused += [(one["id"], one["rule"]) for one in answer["refused"]]
    refused = {one["id"] for one in answer["refused"]}
    waiting = {letter.id: int(letter.row["attempts"]) for letter in chunk if letter.id not in refused}
    moved = time.monotonic()
    while waiting:
        settled = [row for row in _look(service, tuple(waiting)) if _is_settled(row, waiting)]
        for letter in settled:
            del waiting[letter.id]
            _count(letter, outcome)
        moved = time.monotonic() if settled else moved
        if time.monotonic() - moved > patience:
            outcome.waiting += waiting
            return
        if waiting:
            time.sleep(LOOK_EVERY)


def _look(service: str, ids: tuple[str, ...]) -> list[Letter]:
    return Search((service,), ids=ids).find("all", None).letters


def _is_settled(letter: Letter, attempts: dict[str, int]) -> bool:
    """Whether the attempt was made, which counts it; another's before ours counts as well."""
    return bool(letter.row["state"] != "dead" or letter.row["attempts"] > attempts[letter.id])


def _count(letter: Letter, outcome: Outcome) -> None:
    match letter.row["state"]:
        case "replayed":
            outcome.replayed.append(letter.id)
        case "repeat":
            outcome.repeats.append(letter.id)
        case _:
            outcome.dead.append((letter.id, letter.row["reason"]))
