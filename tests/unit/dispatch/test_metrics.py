"""From the event to the provider's yes: what a turn's notes add to the figures."""

from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from tabiji_dispatch import metrics
from tabiji_dispatch.domain.announce import Ended
from tabiji_dispatch.domain.ledger import State
from tabiji_dispatch.domain.notes import Notes
from tests.unit.dispatch.make import NOON, delivery


def seconds(message_class: str) -> tuple[float, float]:
    name, labels = "tabiji_dispatch_event_to_send_seconds", {"class": message_class}
    return (
        REGISTRY.get_sample_value(f"{name}_count", labels) or 0.0,
        REGISTRY.get_sample_value(f"{name}_sum", labels) or 0.0,
    )


@pytest.mark.parametrize("message_class", ["marketing", "transactional"])
def test_a_message_that_was_sent_is_timed_from_the_event_on(message_class: str) -> None:
    count, total = seconds(message_class)
    one = delivery(message_class=message_class)
    at = NOON + timedelta(seconds=2)
    notes = Notes(announced=[Ended(one, State.SENT, "", at, False), Ended(one, State.SUPPRESSED, "", at, False)])
    metrics.count(notes)
    assert seconds(message_class) == (count + 1, total + 2)
