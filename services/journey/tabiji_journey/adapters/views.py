"""What people ask about journeys: lists, counts, a customer's history, and whether anybody is lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import asyncpg

from tabiji_common.topics import split_key
from tabiji_journey.domain.memory import NOTHING, Memory
from tabiji_journey.domain.model import read_progress
from tabiji_journey.domain.outline import outline_of

Row = dict[str, Any]

_JOURNEYS = """
SELECT s.journey, v.definition ->> 'name' AS name, s.version, s.paused, s.since, v.published_at FROM journey_state s
JOIN journey_version v USING (workspace, journey, version) WHERE s.workspace = $1 ORDER BY s.journey
"""
_VERSIONS = """
SELECT version, published_at, file FROM journey_version WHERE workspace = $1 AND journey = $2 ORDER BY version
"""
_SOURCE = "SELECT source, file FROM journey_version WHERE workspace = $1 AND journey = $2 AND version = $3"
_WAITING_IN = """
SELECT e.id AS enrollment, e.customer, e.version, e.entered_at, t.due_at AS next_due, t.kind AS waits_for
FROM timer t JOIN enrollment e ON e.id = t.enrollment
WHERE t.journey = (SELECT number FROM journey_state WHERE workspace = $1 AND journey = $2)
  AND e.state = $3 AND ($4::int IS NULL OR e.version = $4) ORDER BY t.due_at, e.id LIMIT $5
"""
_COUNTS = """
SELECT version, status, state, reason, sum(n)::bigint AS enrollments FROM state_count
WHERE workspace = $1 AND journey = $2 GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0 ORDER BY 1, 2 DESC, 3, 4
"""
_ENROLLMENTS = """
SELECT e.id, e.journey, e.version, e.entry_key AS key, e.status, e.state, e.reason, e.entered_at, e.ended_at,
  e.progress,
  t.due_at AS next_due, t.kind AS waits_for,
  (k.key IS NOT NULL) AS parked, (coalesce(t.held, false) OR s.paused IS NOT NULL) AS paused
FROM enrollment e LEFT JOIN timer t ON t.enrollment = e.id LEFT JOIN parked k ON k.key = e.customer
LEFT JOIN journey_state s ON s.workspace = e.workspace AND s.journey = e.journey
WHERE e.customer = $1 ORDER BY e.entered_at DESC, e.id LIMIT $2
"""
_HISTORY = """
SELECT enrollment, seq, kind, at, from_state, to_state, cause, cause_id, reason, message_key FROM transition
WHERE enrollment = ANY($1::text[]) ORDER BY enrollment, seq
"""
_MEMORY = "SELECT memory::text, merged_into FROM customer WHERE key = $1"
_VISITS = """
SELECT id, type, occurred_at FROM anonymous_event WHERE key = $1 ORDER BY occurred_at DESC, n DESC LIMIT $2
"""
_ENTERED = "SELECT workspace, journey, count(*) AS n FROM entry_ledger GROUP BY 1, 2"
_STANDING = """
SELECT workspace, journey, status, CASE WHEN status = 'exited' THEN reason ELSE '' END AS reason, count(*) AS n
FROM enrollment GROUP BY 1, 2, 3, 4
"""
_COUNTED = """
SELECT workspace, journey, status, CASE WHEN status = 'exited' THEN reason ELSE '' END AS reason, sum(n)::bigint AS n
FROM state_count GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0
"""
_WAITING = """
SELECT e.workspace, e.journey,
  count(*) FILTER (WHERE k.key IS NOT NULL) AS parked,
  count(*) FILTER (WHERE k.key IS NULL AND (s.paused IS NOT NULL OR t.held)) AS paused,
  count(*) FILTER (WHERE k.key IS NULL AND s.paused IS NULL AND t.enrollment IS NULL) AS stuck,
  count(*) FILTER (WHERE k.key IS NULL AND s.paused IS NULL AND NOT t.held AND t.due_at < $1) AS overdue
FROM enrollment e LEFT JOIN timer t ON t.enrollment = e.id LEFT JOIN parked k ON k.key = e.customer
LEFT JOIN journey_state s ON s.workspace = e.workspace AND s.journey = e.journey
WHERE e.status = 'waiting' GROUP BY 1, 2
"""

_WAITING_FOR = ("parked", "paused", "stuck", "overdue")

OVERDUE = timedelta(minutes=1)
"""A timer that much past its time is one that something keeps back: the release rate, a guard, or no owner."""


class Views:
    """Questions over the journey schema; rows as plain dictionaries."""

    def __init__(self, pool: asyncpg.Pool[Any]) -> None:
        self._pool = pool

    async def journeys(self, workspace: str) -> list[Row]:
        """Every journey of a workspace as it stands."""
        return [dict(row) for row in await self._pool.fetch(_JOURNEYS, workspace)]

    async def journey(self, workspace: str, journey: str, version: int | None = None) -> Row | None:
        """One journey with its versions, its counts by state, and one version's document and outline.

        The version is the one that people enter unless another is named; ``None`` where there is none.
        """
        found = [row for row in await self.journeys(workspace) if row["journey"] == journey]
        if not found:
            return None
        shown = version or found[0]["version"]
        document = await self._pool.fetchrow(_SOURCE, workspace, journey, shown)
        if document is None:
            return None
        versions = await self._pool.fetch(_VERSIONS, workspace, journey)
        counts = await self._pool.fetch(_COUNTS, workspace, journey)
        rows = {"versions": list(map(dict, versions)), "counts": list(map(dict, counts))}
        outline = outline_of(document["source"], shown, document["file"])
        return {**found[0], **rows, "shown": shown, "source": document["source"], **outline}

    async def waiting_in(self, workspace: str, journey: str, state: str, version: int | None, limit: int) -> list[Row]:
        """Who waits in a state, those first whose timer is due first; the customer as the shop's id."""
        rows = await self._pool.fetch(_WAITING_IN, workspace, journey, state, version, limit)
        return [{**row, "customer": split_key(row["customer"])[1]} for row in rows]

    async def enrollments(self, customer_key: str, limit: int = 100) -> list[Row]:
        """A customer's enrollments, the latest first, each with every move and the reason for it."""
        rows = [dict(row) for row in await self._pool.fetch(_ENROLLMENTS, customer_key, limit)]
        by_id: dict[str, Row] = {row["id"]: {**_told(row.pop("progress")), **row, "history": []} for row in rows}
        for move in await self._pool.fetch(_HISTORY, list(by_id)):
            by_id[move["enrollment"]]["history"].append({k: v for k, v in move.items() if k != "enrollment"})
        return list(by_id.values())

    async def events(self, customer_key: str, limit: int = 100) -> Row:
        """The latest event of each kind, cart and order that a journey looks back at."""
        row = await self._pool.fetchrow(_MEMORY, customer_key)
        memory = Memory.from_json(row["memory"]) if row else NOTHING
        visits = [dict(visit) for visit in await self._pool.fetch(_VISITS, customer_key, limit)]
        found = {(seen["id"], seen["type"]): seen for seen in (*visits, *_seen(memory))}
        newest = sorted(found.values(), key=lambda seen: seen["occurred_at"], reverse=True)
        merged = (row["merged_into"] or "") if row else ""
        return {"events": newest, "forgotten": memory.evicted, "merged_into": merged}

    async def conservation(self, now: datetime) -> list[Row]:
        """For every journey: entered by the ledger, and where they all are.

        ``balance`` and ``stuck`` (who waits without a timer) are 0 when nobody is lost; ``miscounted`` is how far the
        running counts are from the rows. ``overdue`` is no loss: after an outage timers fire at a set rate, and after a
        leap of the clock or a restore they wait for a person.
        """
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            entered = await connection.fetch(_ENTERED)
            standing = await connection.fetch(_STANDING)
            counted = await connection.fetch(_COUNTED)
            waiting = await connection.fetch(_WAITING, now - OVERDUE)
        return _balance(entered, standing, counted, waiting)


def _told(progress: bytes) -> Row:
    read = read_progress(progress)
    return {"holdout": read.holdout, "goal_at": read.goal_at}


def _seen(memory: Memory) -> list[Row]:
    return [
        {"id": seen.id, "type": type_, "occurred_at": seen.occurred_at}
        | {name: value for name, value in (("order_id", seen.order_id), ("cart_id", seen.cart_id)) if value}
        for (type_, _), seen in memory.kept.items()
    ]


def _balance(entered: list[Any], standing: list[Any], counted: list[Any], waiting: list[Any]) -> list[Row]:
    found: dict[tuple[str, str], Row] = {}

    def row_of(row: Any) -> Row:
        empty: Row = {"entered": 0, "waiting": 0, "finished": 0, "exited": {}, "miscounted": 0}
        return found.setdefault((row["workspace"], row["journey"]), {**empty, **dict.fromkeys(_WAITING_FOR, 0)})

    for row in entered:
        row_of(row)["entered"] = row["n"]
    for row in standing:
        if row["status"] == "exited":
            row_of(row)["exited"][row["reason"]] = row["n"]
        else:
            row_of(row)[row["status"]] = row["n"]
    for row in waiting:
        row_of(row).update({name: row[name] for name in _WAITING_FOR})
    for row in _differences(standing, counted):
        row_of(row)["miscounted"] += row["n"]
    for row in found.values():
        row["balance"] = row["entered"] - row["waiting"] - row["finished"] - sum(row["exited"].values())
    return [{"workspace": ws, "journey": journey, **found[ws, journey]} for ws, journey in sorted(found)]


def _differences(standing: list[Any], counted: list[Any]) -> list[Row]:
    def keyed(rows: list[Any]) -> dict[tuple[str, ...], int]:
        return {(row["workspace"], row["journey"], row["status"], row["reason"]): row["n"] for row in rows}

    left, right = keyed(standing), keyed(counted)
    return [
        {"workspace": place[0], "journey": place[1], "n": abs(left.get(place, 0) - right.get(place, 0))}
        for place in left.keys() | right.keys()
    ]
