"""The customers' rows in PostgreSQL, set-based: reading here, writing in ``customers_write``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from asyncpg import Record
from msgspec.structs import replace

from tabiji_common.identity import customer_hash
from tabiji_common.postgres import Connection
from tabiji_common.topics import split_key
from tabiji_journey.adapters.customers_write import write_all
from tabiji_journey.domain.catalog import Catalog
from tabiji_journey.domain.memory import Memory
from tabiji_journey.domain.model import Enrollment
from tabiji_journey.domain.profile import Profile
from tabiji_journey.domain.state import CustomerState, Ties, nobody
from tabiji_journey.domain.writes import Writes
from tabiji_journey.ports import Due, Kept, Wanted

_READABLE = """
    AND NOT EXISTS (SELECT FROM enrollment e JOIN unnest($5::int[], $6::int[]) AS off(number, version)
      ON off.number = t.journey AND off.version = e.version WHERE e.id = t.enrollment)
"""
_DUE = """
SELECT found.customer, found.p
FROM unnest($1::int[], $2::timestamptz[]) AS mine(p, until)
CROSS JOIN unnest($3::int[]) AS running(number)
CROSS JOIN LATERAL (
  SELECT t.customer, t.p, t.due_at FROM timer t
  WHERE t.p = mine.p AND t.journey = running.number AND NOT t.held AND t.due_at <= mine.until
    AND NOT EXISTS (SELECT FROM parked WHERE parked.key = t.customer)
  ORDER BY t.due_at LIMIT $4
) AS found
ORDER BY found.due_at LIMIT $4
"""
_DUE_READABLE = _DUE.replace("ORDER BY t.due_at", f"{_READABLE.strip()} ORDER BY t.due_at")
_CUSTOMERS = """
SELECT key, profile::text, memory::text, ties::text, merged_into FROM customer WHERE key = ANY($1::text[])
"""
_COLUMNS = (
    "e.customer, e.progress, e.id, e.workspace, e.journey, e.version, e.entry_key, e.status, e.state, e.entered_at,"
    " e.ended_at, e.reason"
)
_ENROLLMENTS = """
SELECT its_columns FROM enrollment e WHERE e.customer = ANY($1::text[]) AND e.live
UNION ALL
SELECT its_columns FROM enrollment e
JOIN unnest($2::text[], $3::text[], $4::text[]) AS entry(customer, journey, entry_key)
  ON entry.customer = e.customer AND entry.journey = e.journey AND entry.entry_key = e.entry_key
WHERE NOT e.live
UNION ALL
SELECT its_columns FROM enrollment e
JOIN unnest($5::text[], $6::text[]) AS named(customer, id) ON named.id = e.id AND named.customer = e.customer
WHERE NOT e.live
""".replace("its_columns", _COLUMNS)
_USERS = "SELECT key FROM user_id WHERE key = ANY($1::text[])"
_ERASED = "SELECT hash, at FROM erasure WHERE hash = ANY($1::bytea[])"
_TAKE_KEPT = """
WITH taken AS (DELETE FROM anonymous_event WHERE key = ANY($1::text[]) RETURNING *)
SELECT key, topic, id, type, source, occurred_at, mode, body_hash, value FROM taken ORDER BY n
"""
_SWEEP = "DELETE FROM anonymous_event WHERE p = ANY($1::int[]) AND accepted_at < $2"

_TIES = msgspec.json.Decoder(Ties)


class StoredCustomers:
    """The customers' rows; ``keep_events`` and ``keep_for`` bound what is kept of an anonymous visitor.

    ``secret`` is the key of the erased customers' hashes.
    """

    def __init__(self, keep_events: int = 1000, keep_for: timedelta = timedelta(days=30), *, secret: str = "") -> None:
        self._secret = secret
        self._keep_events = keep_events
        self._keep_for = keep_for
        self._swept: datetime | None = None

    async def due(
        self,
        tx: Connection,
        until: Mapping[int, datetime],
        running: Iterable[int],
        limit: int,
        unreadable: Collection[tuple[int, int]] = (),
    ) -> Due:
        """Whose timers are due; see ``ports.Customers``."""
        asked = [list(until), list(until.values()), list(running), limit]
        if unreadable:
            rows = await tx.fetch(_DUE_READABLE, *asked, *map(list, zip(*unreadable, strict=True)))
        else:
            rows = await tx.fetch(_DUE, *asked)
        return Due({row["customer"]: row["p"] for row in rows}, len(rows) == limit)

    async def load(self, tx: Connection, wanted: Wanted) -> dict[str, CustomerState]:
        """The states of ``wanted.customers``; see ``ports.Customers``."""
        keys = wanted.customers
        if not keys:
            return {}
        states: dict[str, CustomerState] = {}
        for row in await tx.fetch(_CUSTOMERS, keys):
            states[row["key"]] = CustomerState(
                row["key"],
                Profile.from_json(row["profile"]),
                Memory.from_json(row["memory"]),
                _TIES.decode(row["ties"]),
                row["merged_into"] or "",
            )
        if unseen := [key for key in keys if key not in states]:
            states |= await self._unseen(tx, unseen)
        if wanted.merging:
            for row in await tx.fetch(_USERS, sorted(wanted.merging)):
                states[row["key"]] = replace(states[row["key"]], user=True)
        for key, enrollments in (await self._enrollments(tx, keys, wanted)).items():
            states[key] = replace(states[key], enrollments=enrollments)
        return states

    async def _unseen(self, tx: Connection, keys: Sequence[str]) -> dict[str, CustomerState]:
        """Nobody has a row of these; one that comes again after an erasure carries on when that was."""
        hashes = {customer_hash(self._secret, *split_key(key)): key for key in keys}
        erased = {hashes[row["hash"]]: row["at"] for row in await tx.fetch(_ERASED, list(hashes))}
        return {key: nobody(key, erased.get(key)) for key in keys}

    async def take_kept(self, tx: Connection, keys: Iterable[str]) -> list[Kept]:
        """Take out the events kept of these visitors, in order."""
        return [Kept(*row) for row in await tx.fetch(_TAKE_KEPT, list(keys))]

    async def write(self, tx: Connection, writes: Writes, catalogs: Mapping[str, Catalog], now: datetime) -> None:
        """Write it all, and once an hour sweep out what is too old to be kept."""
        await write_all(tx, writes, catalogs, now, self._keep_events, self._secret)
        if self._swept is None or now - self._swept >= timedelta(hours=1):
            await tx.execute(_SWEEP, sorted(writes.owned), now - self._keep_for)
            self._swept = now

    async def _enrollments(self, tx: Connection, keys: list[str], wanted: Wanted) -> dict[str, dict[str, Enrollment]]:
        entries, named = sorted(wanted.entries), sorted(wanted.enrollments)
        rows = await tx.fetch(
            _ENROLLMENTS,
            keys,
            [customer for customer, _, _ in entries],
            [journey for _, journey, _ in entries],
            [key for _, _, key in entries],
            [customer for customer, _ in named],
            [id_ for _, id_ in named],
        )
        found: dict[str, dict[str, Enrollment]] = {}
        for row in rows:
            enrollment = _enrollment(row)
            found.setdefault(row["customer"], {})[enrollment.id] = enrollment
        return found


def _enrollment(row: Record) -> Enrollment:
    key, progress, id_, workspace, journey, version, entry_key, status, state, entered_at, ended_at, reason = row
    return Enrollment.of_row(
        progress,
        id=id_,
        workspace=workspace,
        customer=split_key(key)[1],
        journey=journey,
        version=version,
        key=entry_key,
        status=status,
        state=state,
        entered_at=entered_at,
        ended_at=ended_at,
        exit_reason=reason,
    )
