"""What a process still has to do: the answer of ``/idle``, on which stepped time is built, and of the watchdog."""

from __future__ import annotations

from typing import Any

from tabiji_common.errors import Retry
from tabiji_common.kafka.loop import Loop
from tabiji_common.kafka.turn import Status
from tabiji_common.metrics import LAG
from tabiji_common.postgres import is_transient
from tabiji_common.topics import format_time

STALLED = 60.0


async def lag(loop: Loop) -> int:
    """Records in the log that this process owns and has not applied."""
    applied = dict(loop.ownership.offsets)
    ends = await loop.parts.probes.ends(list(applied))
    behind = sum(max(0, end - applied[place]) for place, end in ends.items())
    LAG.labels(loop.group).set(behind)
    return behind


async def snapshot(loop: Loop) -> dict[str, Any]:
    """One look: two equal ones in a row that are idle mean that nothing moves.

    Where the log or the database does not answer it says ``busy``.
    """
    busy = loop.busy
    now = loop.parts.clock.now()
    behind, status = 0, Status()
    try:
        behind = await lag(loop)
        async with loop.parts.pool.acquire() as connection:
            status = await loop.pipeline.status(connection, loop.owned, now)
    except Exception as error:
        if not (isinstance(error, Retry) or is_transient(error)):
            raise
        busy = True
    return {
        "now": format_time(now),
        "owned": sorted(loop.owned),
        "partitions": loop.partitions,
        "lag": behind,
        "unpublished": len(loop.outbox),
        "busy": busy or loop.busy,
        "work": loop.work,
        "due": status.due,
        "machine": status.machine,
        "next_due": format_time(status.next_due) if status.next_due else None,
        "parked": len(loop.parked),
    }


def stalled(loop: Loop, behind: int) -> bool:
    """Whether there is lag and no offset has moved for a minute: the process should be restarted."""
    return behind > 0 and loop.parts.clock.elapsed() - loop.moved_at > STALLED
