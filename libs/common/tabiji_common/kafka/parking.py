"""Parked customers and their waiting records: SQL, set-based, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from tabiji_common.kafka.turn import Received
from tabiji_common.postgres import Connection
from tabiji_common.topics import Mode

COLUMNS = (
    *("p", "partition_offset", "appended_at", "topic", "key", "id", "type", "source"),
    *("occurred_at", "accepted_at", "mode", "body_hash", "day", "value"),
)


def values(record: Received) -> tuple[Any, ...]:
    """A record as kept: the values of ``COLUMNS``."""
    r = record
    return (
        *(r.partition, r.offset, r.appended_at, r.topic, r.key, r.id, r.type, r.source),
        *(r.occurred_at, r.accepted_at, r.mode.value, r.body_hash, r.day.isoformat(), r.value),
    )


def kept(row: Mapping[str, Any]) -> Received:
    """The record of a row that holds ``COLUMNS``."""
    return Received(
        topic=row["topic"],
        partition=row["p"],
        offset=row["partition_offset"],
        appended_at=row["appended_at"],
        key=row["key"],
        id=row["id"],
        type=row["type"],
        source=row["source"],
        occurred_at=row["occurred_at"],
        accepted_at=row["accepted_at"],
        mode=Mode(row["mode"]),
        body_hash=row["body_hash"],
        value=row["value"],
        day=date.fromisoformat(row["day"]),
    )


async def parked_keys(tx: Connection, partitions: Iterable[int]) -> dict[str, int]:
    """Parked customers of these numbers, with their number."""
    rows = await tx.fetch("SELECT key, p FROM parked WHERE p = ANY($1::int[])", list(partitions))
    return {row["key"]: row["p"] for row in rows}


async def park(
    tx: Connection,
    errors: Mapping[str, tuple[int, str]],
    records: Sequence[Received],
    now: datetime,
) -> None:
    """Park customers (key → number and error), and keep these records of parked customers in order."""
    if errors:
        await tx.execute(
            "INSERT INTO parked (key, p, since, error) SELECT k, p, $4, e"
            " FROM unnest($1::text[], $2::int[], $3::text[]) AS n(k, p, e)"
            " ON CONFLICT (key) DO UPDATE SET error = excluded.error",
            list(errors),
            [p for p, _ in errors.values()],
            [error for _, error in errors.values()],
            now,
        )
    if records:
        await tx.copy_records_to_table(
            "parked_record",
            columns=COLUMNS,
            records=[values(record) for record in records],
        )


async def unpark(tx: Connection, keys: Sequence[str]) -> list[Received]:
    """Take these customers' records out of the queue, in order."""
    await tx.execute("DELETE FROM parked WHERE key = ANY($1::text[])", list(keys))
    rows = await tx.fetch(
        "WITH gone AS (DELETE FROM parked_record WHERE key = ANY($1::text[]) RETURNING *)"
        " SELECT * FROM gone ORDER BY seq",
        list(keys),
    )
    return [kept(row) for row in rows]
