"""One turn's transaction: epoch rows, offsets, inbox, parked customers, the service's fold, outbox, commit."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import asyncpg

from tabiji_common.commands import LetsGo
from tabiji_common.errors import Fenced, Reject, Retry
from tabiji_common.failpoints import Failpoint
from tabiji_common.kafka import dead_letters, parking, store
from tabiji_common.kafka.merge import Place
from tabiji_common.kafka.outbox import Row, Slot
from tabiji_common.kafka.turn import Applied, Received, Stateful, Turn
from tabiji_common.logs import logger
from tabiji_common.postgres import Connection, is_data_error, is_transient
from tabiji_common.topics import dead_letter_name, partition_of

log = logger(__name__)
BEFORE_BEGIN = Failpoint("runtime.turn.before_begin", "a turn is planned, its transaction has not begun")
BEFORE_COMMIT = Failpoint("runtime.turn.before_commit", "everything of a turn is written, nothing committed")
BEFORE_FINISH = Failpoint("runtime.finish.before_commit", "clean stop: acked rows are deleted, not committed")
AFTER_FINISH = Failpoint("runtime.finish.after_commit", "clean stop: acked rows are gone, the group is not left yet")
IN_COMMIT = Failpoint("runtime.turn.in_commit", "COMMIT was sent; its answer has not been read")


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
    dead: list[tuple[Received, str]]
    repeats: int
    parked: dict[str, int]
    unparked: list[str]


class Transactor:
    """Runs turns of one group; ``number`` counts outbox rows within an epoch."""

    def __init__(self, group: str, cluster: str, partitions: int, pipeline: Stateful, *, inbox: frozenset[str]) -> None:
        self.group = group
        self.cluster = cluster
        self.partitions = partitions
        self.pipeline = pipeline
        self.inbox = inbox
        self.number = 0
        self.last = store.NOTHING  # the newest mark that is known to be committed

    async def commit(self, pool: asyncpg.Pool[Any], plan: Plan) -> Written:
        """Apply the plan, once. An error at COMMIT is resolved by asking what became of the transaction.

        Raises ``Fenced``, ``WentBack``, ``Retry``, or what the service's fold let escape.
        """
        mark, written = store.NOTHING, None
        committing = False
        await BEFORE_BEGIN()
        try:
            async with pool.acquire() as connection:
                transaction = connection.transaction()
                await transaction.start()
                try:
                    mark = await store.mark(connection, self.group, plan.epochs, self.last)
                    written = await self.write(connection, plan, mark.turn)
                    await BEFORE_COMMIT()
                except BaseException:
                    await rolled_back(transaction)
                    raise
                committing = True
                await self._send_commit(transaction)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
            if written is None or not committing:
                raise
            await self._find_out(pool, mark, error)
        self.last = mark
        return written

    @staticmethod
    async def _send_commit(transaction: Any) -> None:
        sent = asyncio.ensure_future(transaction.commit())
        try:
            await asyncio.sleep(0)  # the request is written, its answer not yet read
            await IN_COMMIT()
        finally:
            await sent

    async def _find_out(self, pool: asyncpg.Pool[Any], mark: store.Mark, error: Exception) -> None:
        """Return where the transaction that wrote ``mark`` was committed; raise ``Retry`` or ``Fenced`` where not.

        Asks until the database answers. PostgreSQL cannot be asked about a transaction's id itself: after a crash it
        gives the ids of lost transactions to others.
        """
        log.warning("commit_unknown", error=repr(error))
        while True:
            found = await self._last_turn(pool, mark.p)
            if found is not None:
                break
            await asyncio.sleep(0.1)
        epoch, turn = found
        if epoch != mark.epoch:
            raise Fenced(frozenset({mark.p})) from error
        if turn == mark.turn:
            log.info("commit_found")
        elif is_data_error(error):
            raise error
        else:
            raise Retry("the transaction was not committed") from error

    async def _last_turn(self, pool: asyncpg.Pool[Any], p: int) -> tuple[int, int] | None:
        try:
            async with pool.acquire() as connection, connection.transaction():
                return await store.last_turn(connection, self.group, p)
        except Exception as error:
            if not is_transient(error):
                raise
            return None

    async def write(self, tx: Connection, plan: Plan, mark: int) -> Written:
        """Everything of a turn, inside its transaction."""
        await store.hold(tx, self.group, plan.epochs)
        if not await store.move_offsets(tx, self.group, self.cluster, plan.moves):
            await store.refuse_older(tx, self.group, self.cluster, plan.moves)
            raise Retry("offsets were moved under my own epoch")
        readable, dead = triage(plan.turn.records)
        readable, back = await self._take_back(tx, readable, dead, plan.turn.now)
        readable, repeats, reused = await self._first_time(tx, readable, mark)
        dead += [(record, dead_letters.ID_REUSED) for record in reused]
        parked = dict(plan.parked)
        readable, unparked = await self._unpark(tx, readable, parked)
        diverted = [r for r in readable if r.key in parked or r.key in plan.forced]
        turn = replace(
            plan.turn,
            records=[r for r in readable if r.key not in parked and r.key not in plan.forced],
        )
        if plan.forced:  # before the fold: it asks the table whose timers and messages must wait
            await parking.park(tx, self._blamed(plan.forced), [], turn.now)
        applied = await self.pipeline.apply(tx, turn)
        applied.parked.update(plan.forced)
        diverted += [r for r in turn.records if r.key in applied.parked]
        errors = self._blamed(applied.parked)
        await parking.park(tx, errors, diverted, turn.now)
        dead += applied.rejected
        await store.forget(tx, [record for record, _ in applied.rejected if record.topic in self.inbox])
        await dead_letters.settle(tx, self.group, back, {id(record) for record in repeats}, turn.now)
        await dead_letters.keep(tx, self.group, dead, turn.now)
        await dead_letters.erase(tx, turn.records)
        rows = self._rows(plan, applied, dead)
        await store.write_outbox(tx, rows)
        withdrawn = plan.slots_of_held(applied.withdrawn)
        await store.delete_outbox(tx, [*plan.acked, *withdrawn])
        now_parked = {key: p for key, (p, _) in errors.items()}
        return Written(turn, applied, rows, withdrawn, dead, len(repeats), now_parked, unparked)

    async def _take_back(
        self, tx: Connection, records: list[Received], dead: list[tuple[Received, str]], now: datetime
    ) -> tuple[list[Received], list[Received]]:
        """(to apply, dead letters taken back); those that can still not be applied join the ``dead``."""
        records, back = await dead_letters.take_back(tx, records)
        if not back:
            return records, back
        old = dead_letters.too_old(back, self.inbox, now)
        dead += old
        gone = {id(record) for record, _ in old}
        readable, unreadable = triage([record for record in records if id(record) not in gone])
        dead += unreadable
        return readable, back

    async def _first_time(
        self, tx: Connection, records: list[Received], mark: int
    ) -> tuple[list[Received], list[Received], list[Received]]:
        """(to apply, repeats, ids that came with another body), as far as their topics have an inbox."""
        asked = [record for record in records if record.topic in self.inbox]
        if not asked:
            return records, [], []
        _, repeats, reused = await store.register(tx, asked, mark)
        gone = {id(record) for record in (*repeats, *reused)}
        return [record for record in records if id(record) not in gone], repeats, reused

    def _blamed(self, errors: Mapping[str, str]) -> dict[str, tuple[int, str]]:
        return {key: (partition_of(key, self.partitions), error) for key, error in errors.items()}

    async def _unpark(
        self, tx: Connection, records: list[Received], parked: dict[str, int]
    ) -> tuple[list[Received], list[str]]:
        """Where an unpark command came, put the customer's queue in the command's place.

        Records of that customer that came before the command in this very batch stand behind the queue.
        """
        early: dict[str, list[Received]] = {r.key: [] for r in records if _unparks(r) and r.key in parked}
        if not early:
            return records, []
        keys = list(early)
        queue: dict[str, list[Received]] = {}
        for record in await parking.unpark(tx, keys):
            queue.setdefault(record.key, []).append(record)
        released: list[Received] = []
        for record in records:
            if record.key not in early:
                released.append(record)
            elif _unparks(record):
                del parked[record.key]
                released += [*queue.pop(record.key, []), *early.pop(record.key)]
            else:
                early[record.key].append(record)
        return released, keys

    def _rows(self, plan: Plan, applied: Applied, dead: Sequence[tuple[Received, str]]) -> list[Row]:
        rows = [Row.of(self._slot(plan, record.key), record) for record in applied.records]
        rows += [Row.of(self._slot(plan, record.key), record, held=True) for record in applied.sends]
        for record, reason in dead:
            topic = dead_letter_name(record.topic, self.group)
            rows.append(Row.dead(self._slot(plan, record.key), record, topic, reason))
        return rows

    def _slot(self, plan: Plan, key: str) -> Slot:
        """A row goes with its customer's number, or, if that is another process's, with one of ours."""
        p = partition_of(key, self.partitions)
        p = p if p in plan.epochs else min(plan.epochs)
        self.number += 1
        return (p, plan.epochs[p], self.number)

    async def finish(self, pool: asyncpg.Pool[Any], epochs: Mapping[int, int], acked: Sequence[Slot]) -> None:
        """The last transaction of a clean stop: delete the rows that Kafka has."""
        if epochs and acked:
            async with pool.acquire() as connection, connection.transaction():
                await store.hold(connection, self.group, epochs)
                await store.delete_outbox(connection, acked)
                await BEFORE_FINISH()
            await AFTER_FINISH()


async def rolled_back(transaction: Any) -> None:
    """End it, or find it gone with its session."""
    with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
        await transaction.rollback()


def _unparks(record: Received) -> bool:
    """Whether this is the command; a shop may track an event of that name."""
    return isinstance(record.body, LetsGo)


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
