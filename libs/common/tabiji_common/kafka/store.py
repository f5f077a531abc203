"""The runtime's SQL: epochs, offsets, inbox and outbox, set-based, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tabiji_common.commands import Handover
from tabiji_common.errors import Fenced, WentBack
from tabiji_common.kafka.merge import Place
from tabiji_common.kafka.outbox import Row, Slot
from tabiji_common.kafka.turn import Received
from tabiji_common.postgres import Connection
from tabiji_common.topics import JOURNEY_COMMANDS, PAGE_VIEWS, identity_hash, split_key

_OUTBOX = (
    *("p", "epoch", "n", "held", "reason", "topic", "key", "id", "type", "source"),
    *("occurred_at", "accepted_at", "mode", "body_hash", "day", "value"),
)


async def bump(tx: Connection, group: str, partitions: Iterable[int]) -> dict[int, int]:
    """Take the next epoch of each number; waits out the last transaction of whoever had it."""
    rows = await tx.fetch(
        "INSERT INTO partition_owner AS o (grp, p, epoch) SELECT $1, p, 1 FROM unnest($2::int[]) p ORDER BY p"
        " ON CONFLICT (grp, p) DO UPDATE SET epoch = o.epoch + 1 RETURNING p, epoch",
        group,
        sorted(partitions),
    )
    return {row["p"]: row["epoch"] for row in rows}


@dataclass(frozen=True, slots=True)
class Mark:
    """A transaction's own id, written into the owner row of its lowest number."""

    p: int
    epoch: int
    turn: int


NOTHING = Mark(-1, 0, 0)


async def mark(tx: Connection, group: str, epochs: Mapping[int, int], last: Mark = NOTHING) -> Mark:
    """Write this transaction's id into the owner row of the lowest number; ``last_turn`` reads it back.

    ``last`` is the newest mark that was committed: raises ``WentBack`` where it is gone, and what ``hold`` does.
    """
    p = min(epochs)
    row = await tx.fetchrow(
        "UPDATE partition_owner o SET turn = pg_current_xact_id()::text::bigint FROM partition_owner old"
        " WHERE o.grp = $1 AND o.p = $2 AND o.epoch = $3 AND old.grp = o.grp AND old.p = o.p"
        " RETURNING o.turn, old.turn AS before",
        group,
        p,
        epochs[p],
    )
    if row is None:
        await hold(tx, group, epochs)
        raise Fenced(frozenset({p}))
    if (last.p, last.epoch) == (p, epochs[p]) and row["before"] < last.turn:
        raise WentBack(f"turn {last.turn} of number {p} was committed, and the newest one is {row['before']}")
    return Mark(p, epochs[p], int(row["turn"]))


async def last_turn(tx: Connection, group: str, p: int) -> tuple[int, int]:
    """(epoch, transaction id of the newest turn) of ``p``, once every transaction that writes for it has ended."""
    row = await tx.fetchrow("SELECT epoch, turn FROM partition_owner WHERE grp = $1 AND p = $2 FOR SHARE", group, p)
    return (row["epoch"], row["turn"]) if row else (0, 0)


async def hold(tx: Connection, group: str, epochs: Mapping[int, int]) -> None:
    """Take the epoch rows first, shared: raises ``Fenced`` with the numbers that somebody else has bumped.

    Raises ``WentBack`` where an epoch that was mine has never been.
    """
    rows = await tx.fetch(
        "SELECT o.p FROM partition_owner o JOIN unnest($2::int[], $3::bigint[]) AS mine(p, epoch)"
        " ON o.p = mine.p AND o.epoch = mine.epoch WHERE o.grp = $1 FOR SHARE OF o",
        group,
        list(epochs),
        list(epochs.values()),
    )
    missing = frozenset(epochs) - {row["p"] for row in rows}
    if missing:
        newest = await tx.fetch("SELECT p, epoch FROM partition_owner WHERE grp = $1", group)
        there = {row["p"]: row["epoch"] for row in newest}
        if any(there.get(p, 0) < epochs[p] for p in missing):
            raise WentBack(f"epochs {epochs} were committed, and the newest ones are {there}")
        raise Fenced(missing)


async def offsets(tx: Connection, group: str, cluster: str, partitions: Iterable[int]) -> dict[Place, int]:
    """Next offsets by place, as committed."""
    rows = await tx.fetch(
        "SELECT topic, p, next FROM consumer_offset WHERE grp = $1 AND cluster = $2 AND p = ANY($3::int[])",
        group,
        cluster,
        list(partitions),
    )
    return {(row["topic"], row["p"]): row["next"] for row in rows}


async def begin_offsets(tx: Connection, group: str, cluster: str, starts: Mapping[Place, int]) -> None:
    """Insert the rows of places met for the first time."""
    await tx.execute(
        "INSERT INTO consumer_offset (grp, topic, p, cluster, next)"
        " SELECT $1, t, p, $2, n FROM unnest($3::text[], $4::int[], $5::bigint[]) AS s(t, p, n) ON CONFLICT DO NOTHING",
        group,
        cluster,
        [topic for topic, _ in starts],
        [p for _, p in starts],
        list(starts.values()),
    )


async def move_offsets(tx: Connection, group: str, cluster: str, moves: Mapping[Place, tuple[int, int]]) -> bool:
    """Compare-and-set each (old, new); ``False`` where one was not at its old value."""
    if not moves:
        return True
    status = await tx.execute(
        "UPDATE consumer_offset o SET next = m.new FROM unnest($3::text[], $4::int[], $5::bigint[], $6::bigint[])"
        " AS m(topic, p, old, new) WHERE o.grp = $1 AND o.cluster = $2 AND o.topic = m.topic AND o.p = m.p"
        " AND o.next = m.old",
        group,
        cluster,
        [topic for topic, _ in moves],
        [p for _, p in moves],
        [old for old, _ in moves.values()],
        [new for _, new in moves.values()],
    )
    return int(status.split()[-1]) == len(moves)


async def refuse_older(tx: Connection, group: str, cluster: str, moves: Mapping[Place, tuple[int, int]]) -> None:
    """Raise ``WentBack`` where an offset lies before the old value of its move."""
    found = await offsets(tx, group, cluster, {p for _, p in moves})
    older = {place: found.get(place, 0) for place, (old, _) in moves.items() if found.get(place, 0) < old}
    if older:
        raise WentBack(f"next offsets are older than what was committed: {older}")


def identity(record: Received) -> bytes:
    """The inbox's key: the event's identity under this customer's key; a handed-over event keeps the original's."""
    workspace, _ = split_key(record.key)
    source, id_ = record.source, record.id
    if _is_handover(record):
        source, id_ = record.body.original_source, record.body.original_id
    return identity_hash(record.key, source, id_) if workspace else identity_hash(record.topic, source, id_)


def _is_handover(record: Received) -> bool:
    return record.topic == JOURNEY_COMMANDS.name and isinstance(record.body, Handover)


def _first_topic(record: Received) -> str:
    """Where the event was written first: a handed-over page view is kept as long as a direct one."""
    return str(record.body.original_topic) if _is_handover(record) else record.topic


async def register(
    tx: Connection, records: Sequence[Received], batch: int
) -> tuple[list[Received], list[Received], list[Received]]:
    """(new, repeats, reused) of ``records``: not seen before, seen before, and ids that came with another body."""
    fresh: list[Received] = []
    repeats: list[Received] = []
    reused: list[Received] = []
    for table, mine in (
        ("inbox", [r for r in records if _first_topic(r) != PAGE_VIEWS.name]),
        ("inbox_page_view", [r for r in records if _first_topic(r) == PAGE_VIEWS.name]),
    ):
        firsts: dict[tuple[Any, bytes], Received] = {}
        for record in mine:
            first = firsts.setdefault((record.day, identity(record)), record)
            if first is not record:
                (repeats if first.body_hash == record.body_hash else reused).append(record)
        known = await _insert_identities(tx, table, firsts, batch)
        for at, record in firsts.items():
            if at not in known:
                fresh.append(record)
            else:
                (repeats if known[at] == record.body_hash else reused).append(record)
    if not repeats and not reused:
        return list(records), [], []
    new = {id(record) for record in fresh}
    return [record for record in records if id(record) in new], repeats, reused


async def _insert_identities(
    tx: Connection, table: str, firsts: Mapping[tuple[Any, bytes], Received], batch: int
) -> dict[tuple[Any, bytes], str]:
    """Insert; the bodies of those that were there before. Most batches have none, and then nothing is read."""
    if not firsts:
        return {}
    days, ids = [day for day, _ in firsts], [id_ for _, id_ in firsts]
    status = await tx.execute(
        f"INSERT INTO {table} (day, id, p, batch, body)"  # noqa: S608 - one of two literals
        " SELECT d, i, p, $5, b FROM unnest($1::date[], $2::bytea[], $3::int[], $4::text[]) AS n(d, i, p, b)"
        " ON CONFLICT DO NOTHING",
        days,
        ids,
        [record.partition for record in firsts.values()],
        [record.body_hash for record in firsts.values()],
        batch,
    )
    if int(status.split()[-1]) == len(firsts):
        return {}
    rows = await tx.fetch(
        "SELECT i.day, i.id, i.body FROM unnest($1::date[], $2::bytea[]) AS n(day, id)"  # noqa: S608 - as above
        f" JOIN {table} i USING (day, id) WHERE i.batch <> $3",
        days,
        ids,
        batch,
    )
    return {(row["day"], row["id"]): row["body"] for row in rows}


async def forget(tx: Connection, records: Sequence[Received]) -> None:
    """Take out of the inbox what was not applied: it may come again, mended or replayed."""
    for table, mine in (
        ("inbox", [r for r in records if _first_topic(r) != PAGE_VIEWS.name]),
        ("inbox_page_view", [r for r in records if _first_topic(r) == PAGE_VIEWS.name]),
    ):
        if mine:
            await tx.execute(
                f"DELETE FROM {table} i USING unnest($1::date[], $2::bytea[]) AS n(day, id)"  # noqa: S608 - as above
                " WHERE i.day = n.day AND i.id = n.id",
                [record.day for record in mine],
                [identity(record) for record in mine],
            )


async def write_outbox(tx: Connection, rows: Sequence[Row]) -> None:
    """Insert outgoing rows."""
    if rows:
        await tx.copy_records_to_table(
            "outbox",
            columns=_OUTBOX,
            records=[
                (
                    *(*row.slot, row.held, row.reason, row.topic, row.key, row.id, row.type, row.source),
                    *(row.occurred_at, row.accepted_at, row.mode, row.body_hash, row.day, row.value),
                )
                for row in rows
            ],
        )


async def delete_outbox(tx: Connection, slots: Sequence[Slot]) -> None:
    """Delete rows that Kafka has, or that were withdrawn."""
    if slots:
        await tx.execute(
            "DELETE FROM outbox o USING unnest($1::int[], $2::bigint[], $3::bigint[]) AS d(p, epoch, n)"
            " WHERE o.p = d.p AND o.epoch = d.epoch AND o.n = d.n",
            *(list(column) for column in zip(*slots, strict=True)),
        )


async def leftovers(tx: Connection, partitions: Iterable[int]) -> list[Row]:
    """Rows that an earlier owner left, in order."""
    found = await tx.fetch(
        f"SELECT {', '.join(_OUTBOX)} FROM outbox"  # noqa: S608 - literals
        " WHERE p = ANY($1::int[]) ORDER BY p, epoch, n",
        list(partitions),
    )
    rows = []
    for row in found:
        made = Row(
            (row["p"], row["epoch"], row["n"]),
            row["topic"],
            row["key"],
            row["id"],
            row["type"],
            row["source"],
            row["occurred_at"],
            row["accepted_at"],
            row["mode"],
            row["body_hash"],
            row["day"],
            row["value"],
            [],
            held=row["held"],
            reason=row["reason"],
        )
        made.headers = made.wire_headers()
        rows.append(made)
    return rows
