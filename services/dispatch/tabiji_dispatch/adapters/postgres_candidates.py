"""The search for what may be claimed: who is first in line, with everything that the decision looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tabiji_common.identity import customer_hash
from tabiji_common.postgres import Connection
from tabiji_dispatch.adapters.postgres_rows import DELIVERY, delivery_of
from tabiji_dispatch.domain.consent import (
    EVERY_CHANNEL,
    FIELDS,
    Consent,
    Contact,
    Word,
    address_hash,
)
from tabiji_dispatch.domain.message import Letter
from tabiji_dispatch.domain.pick import Candidate
from tabiji_dispatch.ports import Reach

_CANDIDATES = f"""
SELECT {DELIVERY},
    c.email, c.email_at, c.phone, c.phone_at, c.line_id, c.line_id_at, c.name, c.name_at, c.timezone, c.timezone_at,
    here.given, here.at, every.given, every.at,
    b.message_key, b.channel, b.address, b.subject, b.text, b.html, b.unsubscribe_url, b.dated, b.template_version,
    c.customer_key IS NOT NULL
FROM unnest($1::text[], $2::int[]) AS lane(provider, room) CROSS JOIN LATERAL (
    SELECT q.* FROM delivery q
        JOIN unnest($3::int[], $4::bigint[], $5::bigint[]) AS own(p, customer, engagement) ON own.p = q.p
    WHERE q.provider = lane.provider AND q.state = 'queued' AND q.retry_at <= $6
        AND (q.seen_cluster <> $7 OR (q.seen_customer <= own.customer AND q.seen_engagement <= own.engagement))
        AND NOT EXISTS (SELECT 1 FROM delivery e WHERE e.customer_key = q.customer_key AND e.channel = q.channel
            AND e.class = q.class AND e.seq < q.seq AND e.state IN ('queued', 'held', 'sending'))
        AND NOT EXISTS (SELECT 1 FROM parked WHERE parked.key = q.customer_key)
    ORDER BY q.seq LIMIT lane.room
) d
LEFT JOIN contact c ON c.customer_key = d.customer_key
LEFT JOIN consent here ON here.customer_key = d.customer_key AND here.channel = d.channel
LEFT JOIN consent every ON every.customer_key = d.customer_key AND every.channel = '{EVERY_CHANNEL}'
LEFT JOIN body b ON b.message_key = d.message_key
ORDER BY d.seq
"""  # noqa: S608 - constants of this module
_ERASED = "SELECT hash, at FROM erasure WHERE hash = ANY($1)"
_LISTED = "SELECT hash, scope, reason FROM suppression WHERE hash = ANY($1)"
_RECENT = """
SELECT customer_key, count(*) FROM delivery
WHERE customer_key = ANY($1) AND class = 'marketing'
    AND (state = 'sending' OR (state IN ('sent', 'unknown') AND at > $2))
GROUP BY customer_key
"""


async def search(tx: Connection, reach: Reach, secret: str) -> list[Candidate]:
    """The candidates within ``reach``, oldest first."""
    found = await tx.fetch(
        _CANDIDATES,
        list(reach.rooms),
        list(reach.rooms.values()),
        list(reach.offsets),
        [customer for customer, _ in reach.offsets.values()],
        [engagement for _, engagement in reach.offsets.values()],
        reach.wall,
        reach.cluster,
    )
    if not found:
        return []
    first = [_candidate(row) for row in found]
    first = await _with_tombstones(tx, first, secret)
    listed = await _with_listings(tx, first, secret)
    return listed if reach.recent_since is None else await _with_recent(tx, listed, reach)


def _candidate(row: Any) -> Candidate:
    delivery = delivery_of(row)
    pairs = zip(FIELDS, row[24:34:2], row[25:34:2], strict=True)
    fields = {name: Word(value, at) for name, value, at in pairs if at is not None}
    consents = {
        channel: Consent(given, at)
        for channel, given, at in ((delivery.channel, row[34], row[35]), (EVERY_CHANNEL, row[36], row[37]))
        if at is not None
    }
    contact = Contact(delivery.workspace, delivery.customer, delivery.p, fields, consents)
    frozen = None if row[38] is None else Letter(*row[38:47])
    return Candidate(delivery, contact, known=row[47], frozen=frozen)


async def _with_tombstones(tx: Connection, found: Sequence[Candidate], secret: str) -> list[Candidate]:
    hashes = [customer_hash(secret, one.delivery.workspace, one.delivery.customer) for one in found]
    erased = {row[0]: row[1] for row in await tx.fetch(_ERASED, list(set(hashes)))}
    if not erased:
        return list(found)
    return [
        replace(one, contact=replace(one.contact, erased_at=erased.get(hash_)))
        for one, hash_ in zip(found, hashes, strict=True)
    ]


async def _with_listings(tx: Connection, found: Sequence[Candidate], secret: str) -> list[Candidate]:
    hashes = [
        address_hash(secret, one.delivery.workspace, one.delivery.channel, address)
        if (address := one.address())
        else b""
        for one in found
    ]
    listed: dict[bytes, dict[str, str]] = {}
    for hash_, scope, reason in await tx.fetch(_LISTED, list(set(hashes))):
        listed.setdefault(hash_, {})[scope] = reason
    if not listed:
        return list(found)
    return [replace(one, listed=listed.get(hash_, {})) for one, hash_ in zip(found, hashes, strict=True)]


async def _with_recent(tx: Connection, found: Sequence[Candidate], reach: Reach) -> list[Candidate]:
    keys = list({one.delivery.customer_key for one in found})
    counts = {row[0]: row[1] for row in await tx.fetch(_RECENT, keys, reach.recent_since)}
    return [replace(one, recent=counts.get(one.delivery.customer_key, 0)) for one in found]
