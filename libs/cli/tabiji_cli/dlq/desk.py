"""What the services tell of their dead letters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any

from tabiji_cli.ask import NotThere, ask
from tabiji_common.clock import LiveClock
from tabiji_common.errors import TabijiError
from tabiji_common.topics import format_time, parse_time

SERVICES = ("journey", "dispatch", "analytics")
PATH = "/v1/dead-letters"
PAGE = 500
CHUNK = 100
"""Ids in one question: they stand in its address."""

_AGO = re.compile(r"(\d+)([mhd])")
_UNIT = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


class DeadLettersFailed(TabijiError):
    """There is no such dead letter, or no such time; the message says which."""


@dataclass(frozen=True)
class Letter:
    """A dead letter of a service, as a list shows it."""

    service: str
    row: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Its id; no two services share one."""
        return str(self.row["id"])


@dataclass(frozen=True)
class Found:
    """What was looked for; ``total`` counts those beyond a limit too."""

    letters: list[Letter]
    total: int


@dataclass(frozen=True)
class Search:
    """Which dead letters: of these services, and of those by topic, words of the reason, time, or id."""

    services: Sequence[str]
    topic: str = ""
    reason: str = ""
    since: str = ""
    ids: tuple[str, ...] = ()

    def find(self, state: str, limit: int | None) -> Found:
        """The newest first, at most ``limit`` of all services together."""
        total, letters = 0, list[Letter]()
        for service in self.services:
            for ids in _chunks(self.ids) if self.ids else [()]:
                query = {"state": state, "topic": self.topic, "reason": self.reason, "id": list(ids)}
                pages = _pages(service, query | ({"since": self.since} if self.since else {}), limit)
                first = next(pages)
                total += first["total"]
                rows = [*first["dead_letters"], *(row for page in pages for row in page["dead_letters"])]
                letters += [Letter(service, row) for row in islice(rows, limit)]
        letters.sort(key=lambda letter: (parse_time(letter.row["died_at"]), letter.id), reverse=True)
        return Found(letters[:limit], total)


def _pages(service: str, query: Mapping[str, Any], limit: int | None) -> Iterator[dict[str, Any]]:
    after, taken = "", 0
    while True:
        page = ask(service, "GET", PATH, params={**query, "after": after, "limit": min(PAGE, limit or PAGE)})
        yield page
        after, taken = page["next"], taken + len(page["dead_letters"])
        if not after or (limit is not None and taken >= limit):
            return


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


def show(id_: str) -> dict[str, Any]:
    """One, from whichever service has it."""
    for service in SERVICES:
        try:
            return {"service": service, **ask(service, "GET", f"{PATH}/{id_}")}
        except NotThere:
            continue
    raise DeadLettersFailed(f"no service has a dead letter {id_}")


def instant(since: str) -> str:
    """An RFC 3339 instant, said as such or as how long ago."""
    if ago := _AGO.fullmatch(since):
        return format_time(LiveClock().now() - int(ago[1]) * _UNIT[ago[2]])
    try:
        when = parse_time(since)
    except ValueError as error:
        raise DeadLettersFailed(f"--since {since}: say 30m, 2h, 7d, or an RFC 3339 instant") from error
    if when.tzinfo is None:
        raise DeadLettersFailed(f"--since {since}: an instant needs a zone")
    return format_time(when)
