"""Planted: an outbox row is deleted once it is handed to the producer, whether Kafka acks it or not."""

from collections.abc import Iterable

from tabiji_common.kafka.outbox import Outbox, Row
from tests.conformance import toy

hand_over = Outbox.hand_over


def hand_over_and_forget(self: Outbox, limit: int, blocked: Iterable[str] = ()) -> list[Row]:
    ready = hand_over(self, limit, blocked)
    self.ack(ready)
    return ready


def main() -> None:
    Outbox.hand_over = hand_over_and_forget  # type: ignore[method-assign]
    toy.main()
