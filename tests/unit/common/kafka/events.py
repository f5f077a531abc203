"""Outgoing events for unit tests."""

from tabiji_common.events import CustomEvent
from tabiji_common.topics import CUSTOM, Record
from tests.unit.common.kafka.records import START


def event(n: int, customer: str) -> Record[CustomEvent]:
    body = CustomEvent(workspace="w", customer=customer)
    return CUSTOM.record(body, id=f"e{n}", source="test", occurred_at=START, accepted_at=START, type="tried")
