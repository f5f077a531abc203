"""Planted: the outbox is read by 'greater than the last one seen': a row that had to wait is passed over for good."""

from collections.abc import Iterable

from tabiji_common.kafka.outbox import Outbox, Row
from tests.conformance import toy

hand_over = Outbox.hand_over
last: dict[int, tuple[int, int, int]] = {}


def hand_over_after_cursor(self: Outbox, limit: int, blocked: Iterable[str] = ()) -> list[Row]:
    ready = [row for row in hand_over(self, limit, blocked) if row.slot > last.get(row.slot[0], (0, 0, 0))]
    for row in ready:
        last[row.slot[0]] = max(row.slot, last.get(row.slot[0], row.slot))
    return ready


def main() -> None:
    Outbox.hand_over = hand_over_after_cursor  # type: ignore[method-assign]
    toy.main()
