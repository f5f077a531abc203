"""Contacts, consent and suppression, set-based; erasure leaves keyed hashes only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from tabiji_common.identity import customer_hash
from tabiji_common.postgres import Connection
from tabiji_common.topics import split_key
from tabiji_dispatch.domain.consent import FIELDS, Consent, Contact, Listing, Word
from tabiji_dispatch.domain.ledger import Move, State, sources
from tabiji_dispatch.domain.register import Tie

_LOAD = """
SELECT customer_key, email, email_at, phone, phone_at, line_id, line_id_at, name, name_at, timezone, timezone_at
FROM contact WHERE customer_key = ANY($1)
"""
_CONSENTS = "SELECT customer_key, channel, given, at FROM consent WHERE customer_key = ANY($1)"
_MERGED = "SELECT customer_key, target FROM merged WHERE customer_key = ANY($1)"
_PENDING = "SELECT customer_key, other FROM merge_pending WHERE customer_key = ANY($1)"
_ERASED = "SELECT hash, at FROM erasure WHERE hash = ANY($1)"

_SAVE = """
INSERT INTO contact (customer_key, p, email, email_at, phone, phone_at, line_id, line_id_at, name, name_at, timezone,
    timezone_at)
SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::timestamptz[], $5::text[], $6::timestamptz[], $7::text[],
    $8::timestamptz[], $9::text[], $10::timestamptz[], $11::text[], $12::timestamptz[])
ON CONFLICT (customer_key) DO UPDATE SET p = excluded.p, email = excluded.email, email_at = excluded.email_at,
    phone = excluded.phone, phone_at = excluded.phone_at, line_id = excluded.line_id,
    line_id_at = excluded.line_id_at, name = excluded.name, name_at = excluded.name_at,
    timezone = excluded.timezone, timezone_at = excluded.timezone_at
"""
_SAVE_CONSENT = """
INSERT INTO consent (customer_key, channel, p, given, at)
SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::bool[], $5::timestamptz[])
ON CONFLICT (customer_key, channel) DO UPDATE SET p = excluded.p, given = excluded.given, at = excluded.at
"""
# A merge that is read after the erasure of who it names brings that id back to no one's row. Both may be under way at
# once, in different processes: then one waits for the other.
_MEET = "SELECT pg_advisory_xact_lock_shared(hashtext('tabiji-erasure'), n) FROM unnest($1::int[]) n"
_PART = _MEET.replace("_shared", "")
_TIE = """
INSERT INTO {table} (customer_key, p, {other})
SELECT n.customer_key, n.p, n.other
FROM unnest($1::text[], $2::int[], $3::text[], $4::bytea[], $5::timestamptz[]) AS n(customer_key, p, other, hash, at)
WHERE NOT EXISTS (SELECT FROM erasure e WHERE e.hash = n.hash AND e.at >= n.at)
ON CONFLICT DO NOTHING
"""
_SAVE_MERGED = _TIE.format(table="merged", other="target")
_SAVE_PENDING = _TIE.format(table="merge_pending", other="other")
_LIST = """
INSERT INTO suppression (hash, scope, workspace, channel, reason, at)
SELECT DISTINCT ON (hash, scope) hash, scope, workspace, channel, reason, at
FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
    AS t(hash, scope, workspace, channel, reason, at) ORDER BY hash, scope
ON CONFLICT (hash, scope) DO NOTHING
"""
_RELIST = """
DELETE FROM suppression s USING unnest($1::bytea[], $2::timestamptz[]) AS t(hash, at)
WHERE s.hash = t.hash AND s.reason = 'erased' AND s.at < t.at
"""
_TOMBSTONE = """
INSERT INTO erasure (hash, p, at) SELECT * FROM unnest($1::bytea[], $2::int[], $3::timestamptz[])
ON CONFLICT (hash) DO UPDATE SET at = greatest(erasure.at, excluded.at)
"""
_WITHHOLD = """
UPDATE delivery d SET reason = 'erased', at = $2, unannounced = true, wake_at = NULL,
    state = CASE WHEN d.in_doubt THEN $4 ELSE $5 END
WHERE d.customer_key = ANY($1) AND d.state = ANY($3)
RETURNING d.message_key
"""
_FORGET = (
    "DELETE FROM contact WHERE customer_key = ANY($1)",
    "DELETE FROM consent WHERE customer_key = ANY($1)",
    "DELETE FROM merged WHERE customer_key = ANY($1)",
    "DELETE FROM merge_pending WHERE customer_key = ANY($1)",
    "DELETE FROM body WHERE customer_key = ANY($1)",
    """UPDATE attempt a SET address = NULL FROM delivery d
    WHERE d.message_key = a.message_key AND d.customer_key = ANY($1) AND a.address IS NOT NULL""",
    "UPDATE delivery SET variables = '{}' WHERE customer_key = ANY($1) AND variables <> '{}'",
)
_FORGET_AS_OTHER = tuple(
    f"DELETE FROM {table} m USING unnest($1::text[], $2::text[]) AS gone(workspace, customer)"  # noqa: S608 - literals
    f" WHERE m.{other} = gone.customer AND starts_with(m.customer_key, gone.workspace || ':')"
    for table, other in (("merged", "target"), ("merge_pending", "other"))
)


async def add_listings(tx: Connection, listings: Sequence[Listing]) -> None:
    """Put addresses on the suppression list; the first reason stays."""
    if listings:
        columns = zip(*((x.hash, x.scope, x.workspace, x.channel, x.reason, x.at) for x in listings), strict=True)
        await tx.execute(_LIST, *(list(column) for column in columns))


class PostgresContacts:
    """The port ``Contacts``; ``secret`` is the key of the hashes."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    async def load(self, tx: Connection, keys: Mapping[str, int]) -> dict[str, Contact]:
        names = list(keys)
        tombs = {customer_hash(self._secret, *split_key(key)): key for key in names}
        fields = {row[0]: _words(row) for row in await tx.fetch(_LOAD, names)}
        consents: dict[str, dict[str, Consent]] = {}
        for key, channel, given, at in await tx.fetch(_CONSENTS, names):
            consents.setdefault(key, {})[channel] = Consent(given, at)
        merged = {row[0]: row[1] for row in await tx.fetch(_MERGED, names)}
        others: dict[str, set[str]] = {}
        for key, other in await tx.fetch(_PENDING, names):
            others.setdefault(key, set()).add(other)
        erased = {tombs[row[0]]: row[1] for row in await tx.fetch(_ERASED, list(tombs))}
        return {
            key: Contact(
                *split_key(key),
                keys[key],
                fields.get(key, {}),
                consents.get(key, {}),
                erased.get(key),
                merged.get(key, ""),
                frozenset(others.get(key, ())),
            )
            for key in names
        }

    async def save(
        self, tx: Connection, contacts: Sequence[Contact], listings: Sequence[Listing], ties: Sequence[Tie]
    ) -> None:
        known = [one for one in contacts if one.fields]
        if known:
            columns: list[list[object]] = [[one.key for one in known], [one.p for one in known]]
            for name in FIELDS:
                columns.append([one.value(name) for one in known])
                columns.append([word.at if (word := one.fields.get(name)) else None for one in known])
            await tx.execute(_SAVE, *columns)
        said = [
            (one.key, channel, one.p, word.given, word.at) for one in contacts for channel, word in one.consents.items()
        ]
        if said:
            await tx.execute(_SAVE_CONSENT, *(list(column) for column in zip(*said, strict=True)))
        await add_listings(tx, listings)
        await self._tie(tx, ties)

    async def _tie(self, tx: Connection, ties: Sequence[Tie]) -> None:
        tombs = [self._tomb(one.contact.workspace, one.other) for one in ties]
        if tombs:
            await tx.execute(_MEET, _places(tombs))
        for statement, known in ((_SAVE_MERGED, False), (_SAVE_PENDING, True)):
            rows = [
                (one.contact.key, one.contact.p, one.other, tomb, one.at)
                for one, tomb in zip(ties, tombs, strict=True)
                if one.known is known
            ]
            if rows:
                await tx.execute(statement, *(list(column) for column in zip(*rows, strict=True)))

    def _tomb(self, workspace: str, customer: str) -> bytes:
        return customer_hash(self._secret, workspace, customer)

    async def erase(self, tx: Connection, contacts: Sequence[Contact], now: datetime) -> list[str]:
        keys = [one.key for one in contacts]
        hashes = [self._tomb(one.workspace, one.customer) for one in contacts]
        await tx.execute(_PART, _places(hashes))
        await tx.execute(_TOMBSTONE, hashes, [one.p for one in contacts], [one.erased_at or now for one in contacts])
        moved = sources(Move.SUPPRESS)
        withheld = await tx.fetch(_WITHHOLD, keys, now, list(moved), State.UNKNOWN, State.SUPPRESSED)
        for statement in _FORGET:
            await tx.execute(statement, keys)
        for statement in _FORGET_AS_OTHER:  # others' rows, of any number: a row that goes takes no decision with it
            await tx.execute(statement, [one.workspace for one in contacts], [one.customer for one in contacts])
        return [row[0] for row in withheld]

    async def relist(self, tx: Connection, hashes: Sequence[bytes], at: Sequence[datetime]) -> None:
        await tx.execute(_RELIST, list(hashes), list(at))


def _words(row: Sequence[object]) -> dict[str, Word]:
    pairs = zip(FIELDS, row[1::2], row[2::2], strict=True)
    return {name: Word(str(value), at) for name, value, at in pairs if isinstance(at, datetime)}


def _places(tombs: Sequence[bytes]) -> list[int]:
    """Which of 256 locks stand for these, in the order in which everybody takes them."""
    return sorted({tomb[0] for tomb in tombs})
