"""One turn's transaction: epoch rows, offsets, inbox, parked customers, the service's fold, outbox, commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg

from tabiji_common.errors import Reject, Retry
from tabiji_common.failpoints import Failpoint
from tabiji_common.kafka import store
from tabiji_common.kafka.merge import Place
from tabiji_common.kafka.outbox import Row, Slot
from tabiji_common.kafka.turn import Applied, Received, Stateful, Turn
from tabiji_common.logs import logger
from tabiji_common.metrics import REJECTED, REPEATS
from tabiji_common.postgres import Connection, is_data_error
from tabiji_common.topics import dead_letter_name, partition_of

log = logger(__name__)
BEFORE_COMMIT = Failpoint("runtime.turn.before_commit", "everything of a turn is written, nothing committed")
IN_COMMIT = Failpoint("runtime.turn.in_commit", "COMMIT was sent; its answer has not been read")

Dead = Callable[[Slot, Received, str], Row]


@dataclass(slots=True)
class Plan:
    """What a turn is about to write: made before the transaction, so that it can be tried again."""

    turn: Turn
    epochs: Mapping[int, int]
    moves: Mapping[Place, tuple[int, int]]
    acked: Sequence[Slot]
    slots_of_held: Callable[[set[str]], list[Slot]]
    parked: Mapping[str, int]
    forced: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Written:
    """What a committed turn left behind."""

    turn: Turn
    applied: Applied
    rows: list[Row]
    withdrawn: list[Slot]
    parked: dict[str, int]
    unparked: list[str]


class Transactor:
    """Runs turns of one group; ``number`` counts outbox rows within an epoch."""

    def __init__(self, group: str, cluster: str, partitions: int, pipeline: Stateful, *, inbox: bool) -> None:
        self.group = group
        self.cluster = cluster
        self.partitions = partitions
        self.pipeline = pipeline
        self.inbox = inbox
        self.number = 0

    async def commit(self, pool: asyncpg.Pool[Any], plan: Plan) -> Written:
        """Apply the plan, once. An error at COMMIT is resolved by asking what became of the transaction.

        Raises ``Fenced``, ``Retry``, or what the service's fold let escape.
        """
        xid = ""
        committing = False
        try:
            async with pool.acquire() as connection:
                transaction = connection.transaction()
                await transaction.start()
                try:
                    xid = await connection.fetchval("SELECT pg_current_xact_id()::text")
                    written = await self._write(connection, plan, int(xid))
                    await BEFORE_COMMIT()
                except BaseException:
                    await self._rollback(transaction)
                    raise
                committing = True
                await transaction.commit()
                await IN_COMMIT()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            if not committing:
                raise
            log.warning("commit_unknown", error=repr(error))
            if not await committed(pool, xid):
                raise Retry("the transaction was not committed") from error
        return written

    @staticmethod
    async def _rollback(transaction: Any) -> None:
        try:
            await transaction.rollback()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return  # the session is gone, and the transaction with it

    async def _write(self, tx: Connection, plan: Plan, xid: int) -> Written:
        await store.hold(tx, self.group, plan.epochs)
        if not await store.move_offsets(tx, self.group, self.cluster, plan.moves):
            raise Retry("offsets were moved under my own epoch")
        readable, dead = triage(plan.turn.records)
        if self.inbox:
            readable, repeats, reused = await store.register(tx, readable, xid)
            REPEATS.labels(self.group).inc(len(repeats))
            dead += [(record, "id_reused: the same id came with another body") for record in reused]
        parked = dict(plan.parked)
        readable, unparked = await self._unpark(tx, readable, parked)
        diverted = [r for r in readable if r.key in parked or r.key in plan.forced]
        turn = replace(
            plan.turn,
            records=[r for r in readable if r.key not in parked and r.key not in plan.forced],
        )
        applied = await self.pipeline.apply(tx, turn)
        applied.parked.update(plan.forced)
        diverted += [r for r in turn.records if r.key in applied.parked]
        errors = {key: (partition_of(key, self.partitions), error) for key, error in applied.parked.items()}
        await store.park(tx, errors, diverted, turn.now)
        rows = self._rows(plan, applied, [*dead, *applied.rejected])
        await store.write_outbox(tx, rows)
        withdrawn = plan.slots_of_held(applied.withdrawn)
        await store.delete_outbox(tx, [*plan.acked, *withdrawn])
        return Written(turn, applied, rows, withdrawn, {key: p for key, (p, _) in errors.items()}, unparked)

    async def _unpark(
        self, tx: Connection, records: list[Received], parked: dict[str, int]
    ) -> tuple[list[Received], list[str]]:
        """Where an unpark command came, put the customer's queue in the command's place."""
        keys = [r.key for r in records if r.type == "unpark" and r.key in parked]
        if not keys:
            return records, []
        queue: dict[str, list[Received]] = {}
        for record in await store.unpark(tx, keys):
            queue.setdefault(record.key, []).append(record)
        released: list[Received] = []
        for record in records:
            if record.type == "unpark" and record.key in parked:
                del parked[record.key]
                released += queue.pop(record.key, [])
            else:
                released.append(record)
        return released, keys

    def _rows(self, plan: Plan, applied: Applied, dead: Sequence[tuple[Received, str]]) -> list[Row]:
        rows = [Row.of(self._slot(plan, record.key), record) for record in applied.records]
        rows += [Row.of(self._slot(plan, record.key), record, held=True) for record in applied.sends]
        for record, reason in dead:
            log.warning("record_rejected", topic=record.topic, offset=record.offset, reason=reason)
            topic = dead_letter_name(record.topic, self.group)
            rows.append(Row.dead(self._slot(plan, record.key), record, topic, reason))
        REJECTED.labels(self.group).inc(len(dead))
        return rows

    def _slot(self, plan: Plan, key: str) -> Slot:
        """A row goes with its customer's number, or, if that is another process's, with one of ours."""
        p = partition_of(key, self.partitions)
        p = p if p in plan.epochs else min(plan.epochs)
        self.number += 1
        return (p, plan.epochs[p], self.number)

    async def culprit(self, pool: asyncpg.Pool[Any], plan: Plan) -> str | None:
        """The customer whose records PostgreSQL refuses: halves the batch in transactions that are rolled back."""
        readable, _ = triage(plan.turn.records)
        keys = sorted({record.key for record in readable} - set(plan.parked) - set(plan.forced))
        if not keys or not await self._refused(pool, plan, readable, set(keys)):
            return None
        while len(keys) > 1:
            half = keys[: len(keys) // 2]
            keys = half if await self._refused(pool, plan, readable, set(half)) else keys[len(half) :]
        return keys[0]

    async def _refused(self, pool: asyncpg.Pool[Any], plan: Plan, readable: list[Received], keys: set[str]) -> bool:
        async with pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await store.hold(connection, self.group, plan.epochs)
                records = [record for record in readable if record.key in keys]
                await self.pipeline.apply(connection, replace(plan.turn, records=records, fire_until={}))
            except asyncpg.PostgresError as error:
                if is_data_error(error):
                    return True
                raise
            finally:
                await self._rollback(transaction)
        return False


def triage(records: Sequence[Received]) -> tuple[list[Received], list[tuple[Received, str]]]:
    """(records whose payload can be read, those that cannot with the reason)."""
    readable: list[Received] = []
    dead: list[tuple[Received, str]] = []
    for record in records:
        try:
            record.body  # noqa: B018 - decodes, and keeps what it decoded
        except Reject as error:
            dead.append((record, str(error)))
        else:
            readable.append(record)
    return readable, dead


async def committed(pool: asyncpg.Pool[Any], xid: str) -> bool:
    """What became of transaction ``xid`` (``pg_xact_status``); waits while the server has not decided."""
    while True:
        status = await pool.fetchval("SELECT pg_xact_status($1::text::xid8)", xid)
        if status != "in progress":
            return bool(status == "committed")
