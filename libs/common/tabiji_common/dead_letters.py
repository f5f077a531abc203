"""HTTP that services with state share: records that could not apply, and asking for them once more.

A replay is a command in the customer's own order (``kafka.dead_letters``). Its id is a pure function of the dead letter
and the attempt, so asking twice is asking once, and nothing here writes but to the log.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

import asyncpg
import msgspec
from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from tabiji_common.clock import Clock
from tabiji_common.commands import Payload
from tabiji_common.failpoints import Failpoint
from tabiji_common.guard import tell
from tabiji_common.kafka.dead_letters import DEAD, FORGOTTEN, ID_REUSED, forgotten, last_forgotten
from tabiji_common.parked import Append
from tabiji_common.topics import PAGE_VIEWS, Record, Topic, cloud_headers, derived_id, split_key
from tabiji_common.web import Refused

APPENDED = Failpoint("runtime.replay.appended", "replays are in the log, and nobody was told")
MOST = 1000
BROKEN = "its key or headers are broken: only its sender can send it again, with new ones"
REUSED = "another body was applied under its id"
UNKNOWN = "there is no such dead letter"

State = Literal["dead", "replayed", "repeat", "all"]
Limit = Annotated[int, Query(ge=1, le=MOST)]

_SHOWN = (
    "letter, topic, key, id, type, source, occurred_at, appended_at, partition_offset, day, reason, whole, died_at,"
    " state, attempts, tried_at"
)
_MATCH = """
    ($1 = 'all' OR state = $1) AND ($2 = '' OR topic = $2) AND ($3 = '' OR strpos(lower(reason), lower($3)) > 0)
    AND died_at >= $4 AND ($5::text[] IS NULL OR letter = ANY($5))
"""
_COUNT = f"SELECT count(*) FROM dead_letter WHERE {_MATCH}"  # noqa: S608 - literals
_LIST = f"""
SELECT {_SHOWN} FROM dead_letter d WHERE {_MATCH}
    AND ($6 = '' OR (died_at, letter) < (SELECT a.died_at, a.letter FROM dead_letter a WHERE a.letter = $6))
ORDER BY died_at DESC, letter DESC LIMIT $7
"""  # noqa: S608 - literals
# The oldest first, so that of more than one answer holds each customer keeps its order; after what can be replayed.
_NEXT = f"""
SELECT {_SHOWN} FROM dead_letter WHERE {_MATCH}
ORDER BY state <> 'dead' OR NOT whole OR reason = $6 OR (topic = ANY($7)
    AND day <= CASE WHEN topic = '{PAGE_VIEWS.name}' OR type = 'handover' THEN $9 ELSE $8 END),
    attempts, appended_at, partition_offset, letter LIMIT $10
"""  # noqa: S608 - literals
_GROUPS = """
SELECT topic, reason, count(*) AS records, min(died_at) AS first, max(died_at) AS last FROM dead_letter
WHERE state = 'dead' GROUP BY topic, reason ORDER BY max(died_at) DESC, topic, reason LIMIT $1
"""
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


class Wanted(BaseModel):
    """Which dead letters to replay: ``ids``, or those that a topic, a reason's words and a time name, or ``all``."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[str], Field(max_length=MOST)] | None = None
    topic: str = ""
    reason: str = ""
    since: datetime | None = None
    all: bool = False

    def match(self) -> tuple[Any, ...]:
        """The values of ``_MATCH``; ids are looked up in every state. Raises ``Refused`` where nothing is named."""
        if self.ids is None and not (self.topic or self.reason or self.since or self.all):
            raise Refused(422, "must name ids, a topic, a reason or a time, or say all", "ids")
        return ("all" if self.ids else DEAD, self.topic, self.reason, _aware(self.since), self.ids)


@dataclass(frozen=True)
class Desk:
    """What the routes of one service need; ``inbox`` names its topics that are applied once."""

    pool: asyncpg.Pool[Any]
    append: Append
    clock: Clock
    topic: Topic[Any]
    command: type[Payload]
    inbox: Collection[str]

    def shown(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """One of a list."""
        workspace, customer = split_key(row["key"])
        return {
            "id": row["letter"],
            "topic": row["topic"],
            "type": row["type"],
            "workspace": workspace,
            "customer": customer,
            "event_id": row["id"],
            "source": row["source"],
            "occurred_at": row["occurred_at"],
            "appended_at": row["appended_at"],
            "reason": row["reason"],
            "died_at": row["died_at"],
            "state": row["state"],
            "attempts": row["attempts"],
            "tried_at": row["tried_at"],
            "refused": self.refused(row),
        }

    def refused(self, row: Mapping[str, Any]) -> str:
        """Why it cannot be replayed; empty where it can, and where it was."""
        if row["state"] != DEAD:
            return ""
        if not row["whole"]:
            return BROKEN
        if row["reason"] == ID_REUSED:
            return REUSED
        day, today = date.fromisoformat(row["day"]), self.clock.now().date()
        old = row["topic"] in self.inbox and forgotten(row["topic"], row["type"], day, today)
        return FORGOTTEN if old else ""

    async def next(self, match: Sequence[Any]) -> Sequence[Mapping[str, Any]]:
        """At most so many of those, the oldest first; what cannot be replayed comes last."""
        today = self.clock.now().date()
        long, short = (last_forgotten(short, today).isoformat() for short in (False, True))
        rows: Sequence[Any] = await self.pool.fetch(_NEXT, *match, ID_REUSED, list(self.inbox), long, short, MOST)
        return rows

    def asked(self, row: Mapping[str, Any]) -> Record[Any]:
        """The command that applies it once more."""
        workspace, customer = split_key(row["key"])
        fields = {"dead_letter": row["letter"], "attempt": row["attempts"]}
        body, now = self.command(workspace=workspace, customer=customer, **fields), self.clock.now()
        service = self.topic.name.partition(".")[0]
        return self.topic.record(
            body,
            id=derived_id("replay", service, row["letter"], str(row["attempts"])),
            source=f"tabiji/{service}/api",
            occurred_at=now,
            accepted_at=now,
            type="replay",
        )


def add_routes(app: FastAPI, desk: Desk) -> None:
    """``GET /v1/dead-letters``, ``…/groups`` and ``…/{id}``; ``POST /v1/dead-letters/replay``."""
    _add_list(app, desk)
    _add_replay(app, desk)

    @app.get("/v1/dead-letters/groups")
    async def groups(limit: Limit = 100) -> dict[str, Any]:
        """Those that are dead by topic and reason, the newest first."""
        return {"groups": [dict(row) for row in await desk.pool.fetch(_GROUPS, limit)]}

    @app.get("/v1/dead-letters/{id}")
    async def show(id: str) -> dict[str, Any]:  # noqa: A002 - the path's name
        """One as it was received, with the reason."""
        row = await desk.pool.fetchrow("SELECT * FROM dead_letter WHERE letter = $1", id)
        if row is None:
            raise Refused(404, UNKNOWN, "id")
        place = {"partition": row["p"], "offset": row["partition_offset"]}
        return {**desk.shown(row), **place, "key": row["key"], "headers": _headers(row), **_body(row["value"])}


def _add_list(app: FastAPI, desk: Desk) -> None:
    @app.get("/v1/dead-letters")
    async def listing(
        state: State = "dead",
        topic: str = "",
        reason: str = "",
        since: datetime | None = None,
        id: Annotated[Sequence[str] | None, Query(max_length=MOST)] = None,  # noqa: A002 - the query's name
        after: str = "",
        limit: Limit = 100,
    ) -> dict[str, Any]:
        """Records that could not apply, the newest first; ``reason`` is any part of it, ``total`` counts all pages.

        ``next`` is the ``after`` of the page that follows; empty on the last one.
        """
        match = (state, topic, reason, _aware(since), None if id is None else list(id))
        rows = await desk.pool.fetch(_LIST, *match, after, limit)
        total = await desk.pool.fetchval(_COUNT, *match)
        following = rows[-1]["letter"] if len(rows) == limit else ""
        return {"dead_letters": [desk.shown(row) for row in rows], "total": total, "next": following}


def _add_replay(app: FastAPI, desk: Desk) -> None:
    @app.post("/v1/dead-letters/replay", status_code=202)
    async def replay(wanted: Wanted, request: Request) -> dict[str, Any]:
        """Ask for at most 1,000 to be applied once more, as they were received, the oldest first; 202 once asked.

        ``asked`` are applied in a moment, or dead again; ``done`` were replayed before and are left alone, ``refused``
        cannot be, ``left`` are more of the same. Whatever was applied meanwhile is not applied again.
        """
        match = wanted.match()
        rows = await desk.next(match)
        refused = [{"id": row["letter"], "rule": rule} for row in rows if (rule := desk.refused(row))]
        known, not_again = {row["letter"] for row in rows}, {one["id"] for one in refused}
        asked = [row for row in rows if row["state"] == DEAD and row["letter"] not in not_again]
        asked.sort(key=lambda row: (row["appended_at"], row["partition_offset"]))
        missing = [id_ for id_ in dict.fromkeys(wanted.ids or ()) if id_ not in known]
        refused += [{"id": id_, "rule": UNKNOWN} for id_ in missing]
        if asked:
            await desk.append([desk.asked(row) for row in asked])
            await APPENDED()
        tell(request, f"{len(asked)} asked for, {len(refused)} refused")
        return {
            "asked": [row["letter"] for row in asked],
            "done": {row["letter"]: row["state"] for row in rows if row["state"] != DEAD},
            "refused": refused,
            "left": await desk.pool.fetchval(_COUNT, *match) - len(rows),
        }


def _aware(since: datetime | None) -> datetime:
    if since is None:
        return _ALWAYS
    if since.tzinfo is None:
        raise Refused(422, "must have a zone", "since")
    try:
        return since.astimezone(UTC)
    except OverflowError as error:
        raise Refused(422, "must be an instant that there can be", "since") from error


def _headers(row: Mapping[str, Any]) -> dict[str, str]:
    names = ("id", "type", "source", "occurred_at", "accepted_at", "mode", "body_hash", "day")
    return {name: value.decode() for name, value in cloud_headers(*(row[name] for name in names))}


def _body(value: bytes) -> dict[str, Any]:
    """``body`` where it is JSON, and ``text`` in any case."""
    text = value.decode("utf-8", "replace")
    try:
        return {"body": msgspec.json.decode(value), "text": text}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {"body": None, "text": text}
