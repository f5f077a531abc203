"""What a turn writes, set-based: a fixed number of statements a table, whatever the size of the batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from tabiji_common.identity import customer_hash
from tabiji_common.postgres import Connection
from tabiji_common.topics import customer_key, split_key
from tabiji_journey.domain.catalog import Catalog
from tabiji_journey.domain.model import Enrollment
from tabiji_journey.domain.state import goal_open
from tabiji_journey.domain.writes import EnrollmentWrite, Writes

_CUSTOMERS = """
INSERT INTO customer (key, p, profile, memory, ties, merged_into)
SELECT key, p, profile::jsonb, memory::jsonb, ties::jsonb, nullif(merged_into, '')
FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[])
  AS new(key, p, profile, memory, ties, merged_into)
ON CONFLICT (key) DO UPDATE SET p = excluded.p, profile = excluded.profile, memory = excluded.memory,
  ties = excluded.ties, merged_into = excluded.merged_into
"""
_ENROLLMENTS = """
INSERT INTO enrollment (id, p, customer, workspace, journey, version, entry_key, status, state, reason, entered_at,
                        ended_at, live, progress)
SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::int[], $7::text[], $8::text[],
                     $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::bool[], $14::bytea[])
ON CONFLICT (id) DO UPDATE SET p = excluded.p, version = excluded.version, status = excluded.status,
  state = excluded.state, reason = excluded.reason, ended_at = excluded.ended_at, live = excluded.live,
  progress = excluded.progress
"""
_MOVED_ON = """
UPDATE enrollment AS e SET p = new.p, version = new.version, status = new.status, state = new.state,
  reason = new.reason, ended_at = new.ended_at, live = new.live, progress = new.progress
FROM unnest($1::text[], $2::int[], $3::int[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::bool[],
            $9::bytea[]) AS new(id, p, version, status, state, reason, ended_at, live, progress)
WHERE e.id = new.id
"""
_TIMERS = """
INSERT INTO timer (enrollment, p, journey, due_at, kind, held, customer)
SELECT * FROM unnest($1::text[], $2::int[], $3::int[], $4::timestamptz[], $5::text[], $6::bool[], $7::text[])
ON CONFLICT (enrollment) DO UPDATE SET p = excluded.p, due_at = excluded.due_at, kind = excluded.kind,
  held = excluded.held
"""
_TIMERS_OFF = "DELETE FROM timer WHERE enrollment = ANY($1::text[])"
_MOVES = (
    *("enrollment", "seq", "p", "kind", "at", "from_state", "to_state", "cause", "cause_id", "reason"),
    "message_key",
)
_LEDGER = ("p", "workspace", "journey", "version", "enrollment", "entered_at")
_COUNTS = """
INSERT INTO state_count (p, workspace, journey, version, status, state, reason, n)
SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::int[], $5::text[], $6::text[], $7::text[], $8::bigint[])
ON CONFLICT (p, workspace, journey, version, status, state, reason) DO UPDATE SET n = state_count.n + excluded.n
"""
_KEPT = """
INSERT INTO anonymous_event (p, key, topic, id, type, source, occurred_at, accepted_at, mode, body_hash, value)
SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                     $8::timestamptz[], $9::text[], $10::text[], $11::text[])
"""
_KEPT_TRIM = """
DELETE FROM anonymous_event WHERE n IN (
  SELECT n FROM (
    SELECT n, row_number() OVER (PARTITION BY key ORDER BY n DESC) AS age FROM anonymous_event
    WHERE key = ANY($1::text[])
  ) AS aged WHERE age > $2
)
"""
_PENDING = """
INSERT INTO merge_pending (p, customer, other, at)
SELECT DISTINCT ON (customer, other) * FROM unnest($1::int[], $2::text[], $3::text[], $4::timestamptz[])
  AS new(p, customer, other, at)
ON CONFLICT (customer, other) DO NOTHING
"""
_USERS = "INSERT INTO user_id (key, p) SELECT * FROM unnest($1::text[], $2::int[]) ON CONFLICT DO NOTHING"
_NO_USERS = "DELETE FROM user_id WHERE key = ANY($1::text[])"
_PAUSES = """
UPDATE journey_state AS state SET paused = new.reason, since = $4
FROM unnest($1::text[], $2::text[], $3::text[]) AS new(workspace, journey, reason)
WHERE state.workspace = new.workspace AND state.journey = new.journey AND state.paused IS NULL
"""
_ERASE = (
    "DELETE FROM customer WHERE key = ANY($1::text[])",
    "DELETE FROM anonymous_event WHERE key = ANY($1::text[])",
    "DELETE FROM merge_pending WHERE customer = ANY($1::text[])",
    "DELETE FROM timer WHERE customer = ANY($1::text[])",
    "DELETE FROM transition WHERE enrollment IN (SELECT id FROM enrollment WHERE customer = ANY($1::text[]))",
)
_TOMBS = """
INSERT INTO erasure (hash, p, at) SELECT * FROM unnest($1::bytea[], $2::int[], $3::timestamptz[])
ON CONFLICT (hash) DO UPDATE SET p = excluded.p, at = greatest(erasure.at, excluded.at)
"""
# What it was stays for the counts; whose it was does not: an id that nobody can derive from the customer's again.
_FORGET = """
UPDATE enrollment SET id = 'erased-' || md5(enrollment.id || gone.salt), customer = '', entry_key = '', live = false,
  progress = ''
FROM unnest($1::text[], $2::text[]) AS gone(customer, salt) WHERE enrollment.customer = gone.customer
"""

AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
_ENCODER = msgspec.json.Encoder()


async def write_all(
    tx: Connection, writes: Writes, catalogs: Mapping[str, Catalog], now: datetime, keep_events: int, secret: str
) -> None:
    """Write a turn. What is erased goes first, so that a customer who comes back in the same turn begins anew.

    ``secret`` is the key of the erased customers' hashes.
    """
    if writes.erased:
        await _erase(tx, writes, secret)
    await _run(tx, _CUSTOMERS, [_customer_row(p, state) for p, state in writes.customers])
    entered = [write for write in writes.enrollments if write.before is None]
    await _run(tx, _ENROLLMENTS, [_enrollment_row(write) for write in entered])
    await _run(tx, _MOVED_ON, [_moved_row(write) for write in writes.enrollments if write.before is not None])
    timers = [row for write in writes.enrollments if (row := _timer_row(write, catalogs)) is not None]
    await _run(tx, _TIMERS, timers)
    if off := [w.after.id for w in writes.enrollments if w.before and w.before.timer and not w.after.timer]:
        await tx.execute(_TIMERS_OFF, off)
    await _append(tx, "transition", _MOVES, _move_rows(writes))
    await _append(tx, "entry_ledger", _LEDGER, [_entry_row(write) for write in entered])
    await _run(tx, _COUNTS, _count_rows([*writes.enrollments, *writes.forgotten]))
    if writes.kept:
        await _run(tx, _KEPT, [_kept_row(p, key, told) for p, key, told in writes.kept])
        await tx.execute(_KEPT_TRIM, sorted({key for _, key, _ in writes.kept}), keep_events)
    await _run(tx, _PENDING, writes.pending)
    if writes.users.gone:
        await tx.execute(_NO_USERS, sorted(writes.users.gone))
    await _run(tx, _USERS, sorted(writes.users.new.items()))
    if writes.pauses:
        await tx.execute(_PAUSES, *map(list, zip(*writes.pauses, strict=True)), now)


async def _run(tx: Connection, statement: str, rows: Sequence[Sequence[Any]]) -> None:
    if rows:
        await tx.execute(statement, *map(list, zip(*rows, strict=True)))


async def _append(tx: Connection, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    if rows:
        await tx.copy_records_to_table(table, columns=columns, records=rows)


async def _erase(tx: Connection, writes: Writes, secret: str) -> None:
    keys = sorted({key for key, _ in writes.erased})
    await _run(tx, _ENROLLMENTS, [_enrollment_row(write) for write in writes.forgotten])
    await _append(
        tx, "entry_ledger", _LEDGER, [_entry_row(write) for write in writes.forgotten if write.before is None]
    )
    for statement in _ERASE:
        await tx.execute(statement, keys)
    await _run(tx, _FORGET, sorted(dict(writes.erased).items()))
    await _run(tx, _TOMBS, [(customer_hash(secret, *split_key(key)), p, at) for p, key, at in writes.tombs])


def _customer_row(p: int, state: Any) -> tuple[Any, ...]:
    ties = _ENCODER.encode(state.ties).decode()
    return state.key, p, state.profile.to_json(), state.memory.to_json(), ties, state.merged_into


def _enrollment_row(write: EnrollmentWrite) -> tuple[Any, ...]:
    now = write.after
    return (
        now.id,
        write.p,
        customer_key(now.workspace, now.customer),
        now.workspace,
        now.journey,
        now.version,
        now.key,
        now.status,
        now.state,
        now.exit_reason,
        now.entered_at,
        now.ended_at,
        _live(now),
        now.progress(),
    )


def _moved_row(write: EnrollmentWrite) -> tuple[Any, ...]:
    now = write.after
    ended = now.exit_reason, now.ended_at
    return now.id, write.p, now.version, now.status, now.state, *ended, _live(now), now.progress()


def _live(enrollment: Enrollment) -> bool:
    return enrollment.status == "waiting" or goal_open(enrollment)


def _timer_row(write: EnrollmentWrite, catalogs: Mapping[str, Catalog]) -> tuple[Any, ...] | None:
    now = write.after
    if now.timer is None:
        return None
    due_at = AT_ONCE if write.at_once else now.timer.due_at
    number = catalogs[now.workspace].journeys[now.journey].number
    return now.id, write.p, number, due_at, now.timer.kind, write.held, customer_key(now.workspace, now.customer)


def _move_rows(writes: Writes) -> list[tuple[Any, ...]]:
    return [
        (m.enrollment, m.seq, p, m.kind, m.at, m.from_state, m.to_state, m.cause, m.cause_id, m.reason, m.message_key)
        for p, m in writes.moves
    ]


def _entry_row(write: EnrollmentWrite) -> tuple[Any, ...]:
    now = write.after
    return write.p, now.workspace, now.journey, now.version, now.id, now.entered_at


def _count_rows(writes: Sequence[EnrollmentWrite]) -> list[tuple[Any, ...]]:
    deltas: Counter[tuple[Any, ...]] = Counter()
    for write in writes:
        deltas[_place(write.p, write.after)] += 1
        if write.before is not None:
            deltas[_place(write.p, write.before)] -= 1
    return [(*place, n) for place, n in sorted(deltas.items()) if n]


def _place(p: int, enrollment: Enrollment) -> tuple[Any, ...]:
    one = enrollment
    return p, one.workspace, one.journey, one.version, one.status, one.state, one.exit_reason


def _kept_row(p: int, key: str, told: Any) -> tuple[Any, ...]:
    return (
        p,
        key,
        told.topic,
        told.id,
        told.type,
        told.source,
        told.occurred_at,
        told.now,
        told.mode,
        told.body_hash,
        told.value.decode(),
    )
