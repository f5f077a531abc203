"""What people look at and decide: SQLAlchemy Core queries over the ledger, run on the service's own pool."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tabiji_common.identity import closed_id
from tabiji_common.runtime_schema import known_database
from tabiji_dispatch.adapters.restore import GROUP
from tabiji_dispatch.adapters.tables import (
    accepted_cluster,
    attempt,
    attempt_result,
    brake,
    delivery,
    installation,
    kill_switch,
    quota_month,
    suppression,
)
from tabiji_dispatch.domain.consent import Listing, address_hash

_DIALECT = pg.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
_HIDDEN = {
    "variables",
    "customer_key",
    "seen_customer",
    "seen_engagement",
    "claimed_by",
    "told_by",
    "unannounced",
    "seq",
}
_SHOWN = [column for column in delivery.c if column.name not in _HIDDEN]
_TO_SETTLE = sa.or_(
    delivery.c.state == "unknown",
    sa.and_(
        delivery.c.state == "held",
        sa.or_(delivery.c.reason == "key_expired", delivery.c.reason.startswith("other_cluster:")),
    ),
)

Row = dict[str, Any]


class PostgresDesk:
    """Queries and decisions of operators; ``secret`` is the key of the suppression hashes."""

    def __init__(self, pool: Any, secret: str) -> None:
        self._pool = pool
        self._secret = secret

    async def deliveries(self, filters: Mapping[str, str | None], limit: int, before: int | None) -> list[Row]:
        """Deliveries that match every filter (column name → value), newest first; ``before`` pages by ``seq``.

        With a workspace, the customer is named as the shop knows it.
        """
        query = sa.select(delivery.c.seq, *_SHOWN).order_by(delivery.c.seq.desc()).limit(limit)
        if (customer := filters.get("customer")) and (workspace := filters.get("workspace")):
            customer = closed_id(customer, self._secret, workspace)
            filters = {**filters, "customer": customer}
            query = query.where(delivery.c.customer_key == f"{workspace}:{customer}")
        for name, value in filters.items():
            if value is not None:
                query = query.where(delivery.c[name] == value)
        if before is not None:
            query = query.where(delivery.c.seq < before)
        return await self._rows(query)

    async def delivery(self, key: str) -> Row | None:
        """One delivery with its attempts and their results."""
        found = await self._rows(sa.select(*_SHOWN).where(delivery.c.message_key == key))
        if not found:
            return None
        columns = (attempt.c.token, attempt.c.provider, attempt.c.template_version, attempt.c.at, attempt.c.lease_until)
        attempts = await self._rows(sa.select(*columns).where(attempt.c.message_key == key).order_by(attempt.c.token))
        told = (attempt_result.c.token, attempt_result.c.result, attempt_result.c.detail, attempt_result.c.at)
        results = await self._rows(
            sa.select(*told).where(attempt_result.c.message_key == key).order_by(attempt_result.c.at)
        )
        for one in attempts:
            one["results"] = [result for result in results if result["token"] == one["token"]]
        return {**found[0], "attempts_made": attempts}

    async def standing(self, key: str) -> Row | None:
        """How one delivery stands (workspace, customer, state, token), and what a person has said of it last."""
        names = ("workspace", "customer", "state", "token", "told_by")
        found = await self._rows(sa.select(*(delivery.c[name] for name in names)).where(delivery.c.message_key == key))
        return found[0] if found else None

    async def unknown(self, workspace: str | None, limit: int) -> list[Row]:
        """What a person may settle: unknown messages, and those held because nobody else can decide."""
        query = sa.select(*_SHOWN).where(_TO_SETTLE).order_by(delivery.c.seq.desc()).limit(limit)
        return await self._rows(query if workspace is None else query.where(delivery.c.workspace == workspace))

    async def counts(self, workspace: str | None) -> list[Row]:
        """Messages by journey, sending state, channel, state and reason."""
        columns = tuple(
            delivery.c[name] for name in ("workspace", "journey", "send_state", "channel", "state", "reason")
        )
        query = sa.select(*columns, sa.func.count().label("messages")).group_by(*columns).order_by(*columns)
        return await self._rows(query if workspace is None else query.where(delivery.c.workspace == workspace))

    async def switches(self) -> list[Row]:
        """The kill switches that are on."""
        return await self._rows(sa.select(kill_switch).order_by(kill_switch.c.at))

    async def switch(self, row: Row, *, on: bool) -> None:
        """Turn a switch (scope, workspace, name, reason, set_by, at) on or off."""
        key = [kill_switch.c[name] == row[name] for name in ("scope", "workspace", "name")]
        if on:
            await self._run(pg.insert(kill_switch).values(row).on_conflict_do_nothing())
        else:
            await self._run(sa.delete(kill_switch).where(*key))

    async def quotas(self) -> list[Row]:
        """Messages that count against a provider's month, newest month first."""
        return await self._rows(sa.select(quota_month).order_by(quota_month.c.month.desc(), quota_month.c.provider))

    async def brakes(self) -> list[Row]:
        """Brakes that hold messages, and those that were released, newest first."""
        return await self._rows(sa.select(brake).order_by(brake.c.at.desc()).limit(1000))

    async def release_brake(self, key: Mapping[str, str], by: str, at: datetime) -> bool:
        """Let go of what a brake (kind, workspace, name) holds; whether it was on."""
        named = [brake.c[name] == value for name, value in key.items()]
        query = sa.update(brake).where(*named, brake.c.released_at.is_(None)).values(released_at=at, released_by=by)
        return bool(await self._rows(query.returning(brake.c.kind)))

    async def suppressions(self, workspace: str | None, limit: int) -> list[Row]:
        """The suppression list: hashes, never addresses."""
        query = sa.select(suppression).order_by(suppression.c.at.desc()).limit(limit)
        found = await self._rows(query if workspace is None else query.where(suppression.c.workspace == workspace))
        return [{**row, "hash": row["hash"].hex()} for row in found]

    async def suppress(self, workspace: str, channel: str, address: str, scope: str, reason: str, at: datetime) -> None:
        """Leave an address alone from now on."""
        one = Listing(workspace, channel, self._hash(workspace, channel, address), scope, reason, at)
        row = {name: getattr(one, name) for name in ("hash", "scope", "workspace", "channel", "reason", "at")}
        await self._run(pg.insert(suppression).values(row).on_conflict_do_nothing())

    async def unsuppress(self, workspace: str, channel: str, address: str) -> int:
        """Take an address off the list; how many rows that were."""
        hashed = self._hash(workspace, channel, address)
        found = await self._rows(
            sa.delete(suppression).where(suppression.c.hash == hashed).returning(suppression.c.scope)
        )
        return len(found)

    async def restore(self) -> Row:
        """Whether sends are held because the database was restored or cloned, and why."""
        lost = sa.func.coalesce(known_database.c.why, "")
        query = sa.select(
            (installation.c.restore | (lost != "")).label("restore"),
            sa.func.coalesce(sa.func.nullif(installation.c.why, ""), lost).label("why"),
            installation.c.released_by,
        ).select_from(installation.outerjoin(known_database, known_database.c.grp == GROUP))
        return (await self._rows(query))[0]

    async def accept_cluster(self, cluster: str, by: str, at: datetime) -> None:
        """Release the sends that were decided on another Kafka cluster."""
        row = {"cluster": cluster, "accepted_by": by, "at": at}
        await self._run(pg.insert(accepted_cluster).values(row).on_conflict_do_nothing())

    def _hash(self, workspace: str, channel: str, address: str) -> bytes:
        return address_hash(self._secret, workspace, channel, address)

    async def _rows(self, query: Any) -> list[Row]:
        sql, values = _compiled(query)
        return [dict(row) for row in await self._pool.fetch(sql, *values)]

    async def _run(self, query: Any) -> None:
        sql, values = _compiled(query)
        await self._pool.execute(sql, *values)


def _compiled(query: Any) -> tuple[str, list[Any]]:
    """A Core query as asyncpg takes it: ``$1`` parameters in order."""
    compiled = query.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    return str(compiled), [compiled.params[name] for name in compiled.positiontup or ()]
