"""Planted: an error at COMMIT is taken for a rollback, and memory is trusted afterwards instead of the database."""

from collections.abc import Iterable
from typing import Any

from tabiji_common.errors import Retry
from tabiji_common.kafka.outbox import Outbox, Row
from tabiji_common.kafka.store import Mark
from tabiji_common.kafka.transact import Transactor
from tests.conformance import toy

reconcile = Outbox.reconcile


async def not_committed(self: Transactor, pool: Any, mark: Mark, error: Exception) -> None:
    raise Retry("the transaction was not committed") from error


def keep_memory(self: Outbox, rows: Iterable[Row], kept: frozenset[int], barrier: int) -> None:
    known = [row for p, mine in self.rows.items() if p in kept for row in mine.values()]
    fresh = [row for row in rows if row.slot[0] not in kept]
    reconcile(self, sorted([*known, *fresh], key=lambda row: row.slot), kept, barrier)


def main() -> None:
    Transactor._find_out = not_committed  # type: ignore[method-assign]
    Outbox.reconcile = keep_memory  # type: ignore[method-assign]
    toy.main()
