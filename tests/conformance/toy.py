"""A stateful service small enough to see through: it tallies events by customer and answers each with a record.

Events with property ``send`` are answered by a send that waits for its barrier; ``boom`` makes the fold fail for that
customer, ``poison`` makes PostgreSQL refuse the value; ``timer`` sets a timer so many seconds ahead, and with ``sour``
PostgreSQL refuses what it writes when it fires. ``boom: "once"`` fails at the first try only, and ``withdraw`` takes
back the send that answers the event of that id. ``refuse`` makes the fold reject the event, and ``SHOUTED`` is a type
that a toy cannot read; with ``TOY_MENDED`` it does neither.
"""

import asyncio
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tabiji_common.commands import SendMessage, Transition
from tabiji_common.errors import Retry
from tabiji_common.events import OrderCompleted
from tabiji_common.failpoints import Failpoint
from tabiji_common.kafka.turn import Applied, Received, Status, Turn
from tabiji_common.postgres import Connection
from tabiji_common.service import Service
from tabiji_common.topics import (
    CUSTOM,
    JOURNEY_COMMANDS,
    PAGE_VIEWS,
    PURCHASES,
    SENDS,
    TRANSITIONS,
    Record,
    derived_id,
    split_key,
)

IN_FOLD = Failpoint("toy.fold.middle", "half of a turn is written")
SHOUTED = "order_shouted"
INPUTS = (PAGE_VIEWS, PURCHASES, CUSTOM, JOURNEY_COMMANDS)


class Toy:
    """Tallies."""

    def __init__(self) -> None:
        self.boomed: set[str] = set()

    def fails(self, record: Received, *, mended: bool) -> bool:
        """Whether the fold has a bug that this record meets."""
        boom = record.body.properties.get("boom")
        met = bool(boom) and not mended and not (boom == "once" and record.id in self.boomed)
        self.boomed |= {record.id} if met else set()
        return met

    async def apply(self, tx: Connection, turn: Turn) -> Applied:
        if len(turn.records) > int(os.environ.get("TOY_MOST", "1000000")):
            raise Retry("too large a turn for its time limits")
        applied = Applied()
        good: list[Received] = []
        mended = bool(os.environ.get("TOY_MENDED"))
        for record in turn.records:
            if record.body.__class__.__name__ == "Unpark":
                continue
            if record.body.properties.get("refuse") and not mended:
                applied.rejected.append((record, "refused by the fold"))
            elif self.fails(record, mended=mended):
                applied.parked[record.key] = "boom"
            else:
                good.append(record)
        good = [record for record in good if record.key not in applied.parked]
        await tx.execute(
            "INSERT INTO tally AS t (key, p, n) SELECT k, min(p), count(*)"
            " FROM unnest($1::text[], $2::int[]) AS r(k, p) GROUP BY k"
            " ON CONFLICT (key) DO UPDATE SET n = t.n + excluded.n",
            [record.key for record in good],
            [record.partition for record in good],
        )
        await IN_FOLD()
        await tx.executemany(
            "INSERT INTO applied (key, id, topic, position, appended_at, pid) VALUES ($1, $2, $3, $4, $5, $6)",
            [
                (
                    r.key,
                    r.id + ("\x00" if r.body.properties.get("poison") and not mended else ""),
                    r.topic,
                    r.offset,
                    r.appended_at,
                    os.getpid(),
                )
                for r in good
            ],
        )
        for record in good:
            applied.withdrawn |= {derived_id("toy", record.body.properties.get("withdraw", ""))} & turn.held
            (applied.sends if record.body.properties.get("send") else applied.records).append(answer(record))
        await tx.executemany(
            "INSERT INTO timer (key, p, due_at, sour) VALUES ($1, $2, $3, $4)",
            [
                (r.key, r.partition, turn.now + timedelta(seconds=seconds), bool(r.body.properties.get("sour")))
                for r in good
                if (seconds := r.body.properties.get("timer")) is not None
            ],
        )
        await fire(tx, turn, applied, mended=mended)
        return applied

    def committed(self, turn: Turn, applied: Applied) -> None:
        pass

    async def changed(self, owned: frozenset[int]) -> None:
        pass

    async def status(self, connection: Connection, owned: frozenset[int], now: datetime) -> Status:
        return Status()


async def fire(tx: Connection, turn: Turn, applied: Applied, *, mended: bool) -> None:
    """What is due, the oldest first."""
    found = await tx.fetch(
        "SELECT t.n, t.key, t.due_at, t.sour FROM timer t"
        " JOIN unnest($1::int[], $2::timestamptz[]) AS mine(p, until) ON t.p = mine.p AND t.due_at <= mine.until"
        " WHERE NOT EXISTS (SELECT FROM parked k WHERE k.key = t.key) ORDER BY t.due_at LIMIT $3",
        list(turn.fire_until),
        list(turn.fire_until.values()),
        turn.timer_budget,
    )
    due = [row for row in found if turn.takes(row["key"]) and row["key"] not in applied.parked]
    await tx.execute("DELETE FROM timer WHERE n = ANY($1::bigint[])", [row["n"] for row in due])
    await tx.executemany(
        "INSERT INTO fired (n, key, due_at, now) VALUES ($1, $2, $3, $4)",
        [(r["n"], r["key"] + ("\x00" if r["sour"] and not mended else ""), r["due_at"], turn.now) for r in due],
    )
    applied.fired = len(due)


def answer(record: Received) -> Record[Any]:
    """One record for one event, with an id that is a pure function of the event's."""
    workspace, customer = split_key(record.key)
    id_ = derived_id("toy", record.id)
    when: Any = {"occurred_at": record.occurred_at, "accepted_at": record.accepted_at}
    if record.body.properties.get("send"):
        message = SendMessage(
            workspace=workspace,
            customer=customer,
            message_key=id_,
            journey="toy",
            version=1,
            enrollment=record.id,
            state="s",
            channel="email",
            template="toy/t",
            decided_at=record.accepted_at,
            not_after=record.accepted_at,
        )
        return SENDS.record(message, id=id_, source="toy", **when)
    moved = Transition(
        workspace=workspace,
        customer=customer,
        enrollment=record.id,
        journey="toy",
        version=1,
        kind="moved",
        at=record.occurred_at,
        seq=int(record.body.properties.get("n", 0)),
    )
    return TRANSITIONS.record(moved, id=id_, source="toy", **when)


async def build(service: Service) -> None:
    if os.environ.get("TOY_MENDED"):
        vars(PURCHASES)["types"] = {**PURCHASES.types, SHOUTED: OrderCompleted}
    topics = INPUTS if not os.environ.get("TOY_FEWER") else INPUTS[1:]
    service.stateful(Toy(), topics, inbox=os.environ.get("TOY_INBOX", "yes") != "")
    await asyncio.sleep(0)


def main() -> None:
    """Run until stopped; ``TOY_*`` variables say how."""
    Service("toy").migrations(Path(__file__).parent / "toy_migrations").run(build)


if __name__ == "__main__":
    main()
