"""Dead letters, kept as they were received so that they can be applied once more: SQL, inside the caller's transaction.

A row's ``letter`` is the dead letter's id, its ``id`` the record's.

A replay is a command in the customer's own order. The owner takes the record out of this table and puts it in the
command's place, where it goes through inbox and fold as any other, and says in the same transaction what became of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

import asyncpg

from tabiji_common.clock_guard import Believed
from tabiji_common.commands import TakesBack
from tabiji_common.events import Erased
from tabiji_common.kafka import parking
from tabiji_common.kafka.inbox import BATCH, DAY, KEPT
from tabiji_common.kafka.turn import Received
from tabiji_common.postgres import Connection
from tabiji_common.topics import PAGE_VIEWS, derived_id

ID_REUSED = "id_reused: the same id came with another body"
FORGOTTEN = "older than what the inbox remembers: whether it was applied cannot be known"
DEAD, REPLAYED, REPEAT = "dead", "replayed", "repeat"

_KEEP = f"""
INSERT INTO dead_letter AS d (letter, {", ".join(parking.COLUMNS)}, reason, whole, died_at, state)
SELECT * FROM unnest(
    $1::text[], $2::int[], $3::bigint[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::timestamptz[], $11::timestamptz[], $12::text[], $13::text[], $14::text[], $15::bytea[],
    $16::text[], $17::boolean[], $18::timestamptz[], $19::text[])
ON CONFLICT (letter) DO UPDATE SET reason = excluded.reason, died_at = excluded.died_at, state = excluded.state
"""  # noqa: S608 - literals

# Age is counted from the newest one: no clock deletes anything by itself.
_USELESS = """
DELETE FROM dead_letter WHERE letter = ANY(ARRAY(
    SELECT letter FROM dead_letter
    WHERE died_at < least($1, (SELECT max(died_at) FROM dead_letter)) - $2::interval
        AND (state <> 'dead' OR NOT whole OR reason = ANY($3) OR topic = ANY($4))
    ORDER BY died_at LIMIT $5))
"""


def letter_id(group: str, record: Received) -> str:
    """A pure function of the record: one that dies twice is one dead letter."""
    body = hashlib.sha256(record.value).hexdigest()
    return derived_id("dead letter", group, record.topic, record.key, record.source, record.id, body)


def forgotten(topic: str, type_: str, day: date, today: date) -> bool:
    """Whether the inbox may not know such a record any more; a handed-over one may have been a page view."""
    return day <= last_forgotten(topic == PAGE_VIEWS.name or type_ == "handover", today)


def last_forgotten(short: bool, today: date) -> date:  # noqa: FBT001 - one of two windows
    """The newest day that the inbox may have forgotten; the window of page views is ``short``."""
    return today - KEPT["inbox_page_view" if short else "inbox"] + DAY


async def keep(tx: Connection, group: str, dead: Sequence[tuple[Received, str]], now: datetime) -> None:
    """Keep these with their reasons; one that is known already is dead again."""
    rows = {
        letter_id(group, record): (*parking.values(record), reason, not record.fault, now, DEAD)
        for record, reason in dead
    }
    if rows:
        await tx.execute(_KEEP, list(rows), *(list(column) for column in zip(*rows.values(), strict=True)))


async def take_back(tx: Connection, records: list[Received]) -> tuple[list[Received], list[Received]]:
    """(the records with dead letters in the place of the commands that ask for them, those dead letters).

    A command for what is not dead any more, or for an attempt that has been made, is dropped.
    """
    asked = [record for record in records if isinstance(record.body, TakesBack)]
    if not asked:
        return records, []
    rows = await tx.fetch(
        "SELECT * FROM dead_letter WHERE letter = ANY($1::text[]) AND state = $2 AND whole",
        [record.body.dead_letter for record in asked],
        DEAD,
    )
    there = {(row["letter"], row["attempts"], row["key"]): parking.kept(row) for row in rows}
    out, back = list[Received](), list[Received]()
    for record in records:
        body = record.body
        if not isinstance(body, TakesBack):
            out.append(record)
        elif found := there.pop((body.dead_letter, body.attempt, record.key), None):
            found.partition = record.partition
            out.append(found)
            back.append(found)
    return out, back


async def settle(tx: Connection, group: str, back: Sequence[Received], repeats: Collection[int], now: datetime) -> None:
    """Say what became of dead letters taken back: those in ``repeats`` (``id()`` of the record) had been applied.

    Call it before ``keep``, which says of those that could not apply once more that they are dead.
    """
    if back:
        states = [REPEAT if id(record) in repeats else REPLAYED for record in back]
        await tx.execute(
            "UPDATE dead_letter d SET state = n.state, attempts = d.attempts + 1, tried_at = $3"
            " FROM unnest($1::text[], $2::text[]) AS n(letter, state) WHERE d.letter = n.letter",
            [letter_id(group, record) for record in back],
            states,
            now,
        )


async def erase(tx: Connection, records: Sequence[Received]) -> None:
    """Delete the dead letters of customers who are to be forgotten."""
    keys = [record.key for record in records if record.type == "erased" and isinstance(record.body, Erased)]
    if keys:
        await tx.execute("DELETE FROM dead_letter WHERE key = ANY($1::text[])", keys)


def too_old(back: Sequence[Received], inbox: Collection[str], now: datetime) -> list[tuple[Received, str]]:
    """Those of ``back`` that must not be applied, with the reason."""
    return [
        (record, FORGOTTEN)
        for record in back
        if record.topic in inbox and forgotten(record.topic, record.type, record.day, now.date())
    ]


async def keep_up(pool: asyncpg.Pool[Any], inbox: Collection[str], believed: Believed) -> bool:
    """The hour's work: delete what no replay can use; not while the clock is not believed."""
    if not believed.leapt:
        await sweep(pool, believed.now, inbox)
    return True


async def sweep(pool: asyncpg.Pool[Any], now: datetime, inbox: Collection[str]) -> int:
    """Delete those that the inbox's window is over for and that can never be replayed; how many.

    That is: what was replayed, whose key or headers are broken, and what the inbox, which has these topics, forgot.
    """
    deleted, batch = 0, BATCH
    while batch == BATCH:
        status = await pool.execute(_USELESS, now, KEPT["inbox"], [ID_REUSED, FORGOTTEN], list(inbox), BATCH)
        batch = int(status.split()[-1])
        deleted += batch
    return deleted
