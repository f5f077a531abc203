"""Planted: the owner row is not taken, and offsets are moved without looking: a stale owner goes on writing."""

from collections.abc import Mapping
from typing import Any

from tabiji_common.kafka import store
from tests.conformance import toy


async def mark(tx: Any, group: str, epochs: Mapping[int, int], last: store.Mark = store.NOTHING) -> store.Mark:
    p = min(epochs)
    return store.Mark(p, epochs[p], int(await tx.fetchval("SELECT pg_current_xact_id()::text::bigint")))


async def hold(tx: Any, group: str, epochs: Mapping[int, int]) -> None:
    """Nothing."""


async def move_offsets(tx: Any, group: str, cluster: str, moves: Mapping[tuple[str, int], tuple[int, int]]) -> bool:
    for (topic, p), (_, new) in moves.items():
        await tx.execute(
            "UPDATE consumer_offset SET next = $5 WHERE grp = $1 AND cluster = $2 AND topic = $3 AND p = $4",
            group,
            cluster,
            topic,
            p,
            new,
        )
    return True


def main() -> None:
    store.mark, store.hold, store.move_offsets = mark, hold, move_offsets
    toy.main()
