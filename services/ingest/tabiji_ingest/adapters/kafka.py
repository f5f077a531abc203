"""The event log, on the runtime's producer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tabiji_common.kafka.producer import Appender
from tabiji_common.topics import Record


class KafkaLog:
    """``EventLog`` on Apache Kafka: acks of all in-sync replicas."""

    def __init__(self, producer: Appender) -> None:
        self.producer = producer

    async def append(self, records: Sequence[Record[Any]]) -> None:
        """Return once every record is acked; raise ``Retry`` otherwise."""
        await self.producer.append(records)
