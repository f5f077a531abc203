"""D1: the intent, and what is put off or withheld; set-based."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from tabiji_common.postgres import Connection
from tabiji_dispatch.adapters.postgres_candidates import search
from tabiji_dispatch.domain.claim import Controls
from tabiji_dispatch.domain.consent import address_hash
from tabiji_dispatch.domain.ledger import FINISHED, State, after
from tabiji_dispatch.domain.message import Intent
from tabiji_dispatch.domain.pick import Candidate, Put
from tabiji_dispatch.ports import Reach

_CONTROLS = """
SELECT scope, workspace, name FROM kill_switch
UNION ALL SELECT 'cluster', cluster, '' FROM accepted_cluster
UNION ALL SELECT 'restore', '', '' FROM installation WHERE restore
UNION ALL SELECT 'restore', '', '' FROM known_database WHERE why <> ''
"""
_BRAKES = "SELECT kind, workspace, name, released_at FROM brake"
_CLAIM = """
WITH asked AS (
    SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::bytea[], $5::text[], $9::bytea[])
        AS t(key, token, provider, request, version, address)
), claimed AS (
    UPDATE delivery d SET state = 'sending', token = asked.token, lease_until = $6, claimed_by = $7, reason = '',
        wake_at = NULL, first_attempt_at = coalesce(d.first_attempt_at, $8)
    FROM asked WHERE d.message_key = asked.key AND d.state = 'queued' AND d.token = asked.token - 1
    RETURNING d.message_key
)
INSERT INTO attempt (message_key, token, provider, request, template_version, address, at, lease_until)
SELECT asked.key, asked.token, asked.provider, asked.request, asked.version, asked.address, $8, $6
FROM asked JOIN claimed ON claimed.message_key = asked.key
RETURNING message_key
"""
_FREEZE = """
INSERT INTO body (message_key, customer_key, channel, address, subject, text, html, unsubscribe_url, dated,
    template_version)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::timestamptz[], $10::text[])
ON CONFLICT (message_key) DO NOTHING
"""
_PUT = """
UPDATE delivery d SET state = t.target, reason = t.reason, at = CASE WHEN t.ended THEN $6 ELSE d.at END,
    unannounced = t.ended, wake_at = CASE WHEN NOT t.ended THEN t.until END
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bool[]) AS t(key, target, reason, until, ended)
WHERE d.message_key = t.key AND d.state = 'queued'
"""
_NO_BODY = "DELETE FROM body WHERE message_key = ANY($1)"
_RELEASE_DUE = """
UPDATE delivery SET state = 'queued', wake_at = NULL WHERE state = 'held' AND message_key IN (
    SELECT d.message_key FROM unnest($1::int[], $2::timestamptz[]) AS t(p, until)
    CROSS JOIN LATERAL (SELECT message_key FROM delivery h
        WHERE h.state = 'held' AND h.p = t.p AND h.wake_at <= t.until ORDER BY h.wake_at LIMIT $3) d LIMIT $3)
"""
_RELEASE_LIFTED = """
UPDATE delivery SET state = 'queued', wake_at = NULL WHERE state = 'held' AND message_key IN (
    SELECT message_key FROM delivery WHERE state = 'held' AND p = ANY($1) AND reason NOT IN ('quiet', 'key_expired')
        AND reason <> ALL($2) AND (reason NOT LIKE 'other_cluster:%' OR reason = ANY($3)) LIMIT $4)
"""


class PostgresClaims:
    """The port ``Claims``; ``secret`` is the key of the suppression hashes."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    async def controls(self, tx: Connection) -> Controls:
        found = await tx.fetch(_CONTROLS)
        brakes = await tx.fetch(_BRAKES)
        return Controls(
            switches=frozenset((a, b, c) for a, b, c in found if a not in {"cluster", "restore"}),
            restore=any(row[0] == "restore" for row in found),
            clusters=frozenset(row[1] for row in found if row[0] == "cluster"),
            brakes=frozenset((a, b, c) for a, b, c, released in brakes if released is None),
            waived={(a, b, c): released for a, b, c, released in brakes if released is not None},
        )

    async def candidates(self, tx: Connection, reach: Reach) -> list[Candidate]:
        return await search(tx, reach, self._secret)

    async def write(
        self, tx: Connection, intents: Sequence[Intent], puts: Sequence[Put], who: str, wall: datetime, now: datetime
    ) -> set[str]:
        if puts:
            await _put(tx, puts, now)
        return await self._claim(tx, intents, who, wall) if intents else set()

    async def release(
        self, tx: Connection, until: Mapping[int, datetime], controls: Controls | None, limit: int
    ) -> int:
        done = await tx.execute(_RELEASE_DUE, list(until), list(until.values()), limit)
        count = int(done.split()[-1])
        if controls is not None:
            accepted = [f"other_cluster:{cluster}" for cluster in controls.clusters]
            done = await tx.execute(_RELEASE_LIFTED, list(until), controls.in_force(), accepted, limit)
            count += int(done.split()[-1])
        return count

    async def _claim(self, tx: Connection, intents: Sequence[Intent], who: str, wall: datetime) -> set[str]:
        letters = [one.letter for one in intents]
        fresh = [one for one in intents if one.token == 1 or one.delivery.first_attempt_at is None]
        claimed = await tx.fetch(
            _CLAIM,
            [one.delivery.key for one in intents],
            [one.token for one in intents],
            [one.delivery.provider for one in intents],
            [letter.digest() for letter in letters],
            [letter.template_version for letter in letters],
            wall + timedelta(seconds=intents[0].lease),
            who,
            wall,
            [self._where(one) for one in intents],
        )
        if fresh:
            await _freeze(tx, fresh)
        return {row[0] for row in claimed}

    def _where(self, one: Intent) -> bytes:
        return address_hash(self._secret, one.delivery.workspace, one.letter.channel, one.letter.address)


async def _freeze(tx: Connection, intents: Sequence[Intent]) -> None:
    rows = [
        (
            one.delivery.key,
            one.delivery.customer_key,
            letter.channel,
            letter.address,
            letter.subject,
            letter.text,
            letter.html,
            letter.unsubscribe_url,
            letter.dated,
            letter.template_version,
        )
        for one in intents
        for letter in (one.letter,)
    ]
    await tx.execute(_FREEZE, *(list(column) for column in zip(*rows, strict=True)))


async def _put(tx: Connection, puts: Sequence[Put], now: datetime) -> None:
    targets = [after(State.QUEUED, put.move) or State.QUEUED for put in puts]
    await tx.execute(
        _PUT,
        [put.delivery.key for put in puts],
        [target.value for target in targets],
        [put.reason for put in puts],
        [put.until for put in puts],
        [target in FINISHED for target in targets],
        now,
    )
    gone = [put.delivery.key for put, target in zip(puts, targets, strict=True) if target in FINISHED]
    used = [put.delivery.key for put in puts if put.delivery.token and put.delivery.key in set(gone)]
    if used:
        await tx.execute(_NO_BODY, used)
