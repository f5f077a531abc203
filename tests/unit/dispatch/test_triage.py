"""What a batch of records asks for: when a customer's word was said."""

from datetime import datetime
from typing import Any

from tabiji_common import events
from tabiji_common.kafka.turn import Received
from tabiji_common.topics import CUSTOMERS, ENGAGEMENTS, Topic
from tabiji_dispatch.domain.consent import Contact, agreed
from tabiji_dispatch.domain.register import fold_all
from tabiji_dispatch.domain.triage import triage
from tests.unit.dispatch.make import HOUR, NOON

WHO: dict[str, Any] = {"workspace": "demo", "customer": "c1"}


def received(topic: Topic[Any], body: Any, id_: str, at: datetime, accepted: datetime) -> Received:
    record = topic.record(body, id=id_, source="test", occurred_at=at, accepted_at=accepted)
    return Received(
        topic.name, 0, 0, accepted, record.key, id_, record.type, "test", at, accepted, record.mode, "", record.value()
    )


def agrees(*, stepped: bool) -> bool:
    """After a yes whose time lies nine hours ahead, and a no two hours later."""
    yes = received(CUSTOMERS, events.ConsentGiven(**WHO, channel="email"), "yes", NOON + 9 * HOUR, NOON)
    no = received(ENGAGEMENTS, events.Unsubscribed(**WHO, channel="email"), "no", NOON + 2 * HOUR, NOON + 2 * HOUR)
    batch = triage([yes, no], {}, NOON, stepped=stepped)
    folded = fold_all({"demo:c1": Contact("demo", "c1", 0)}, batch.changes, "s", NOON)
    return agreed(folded.contacts["demo:c1"].consents, "email")


def test_consent_that_was_given_ahead_of_time_does_not_outlive_an_unsubscribe() -> None:
    assert not agrees(stepped=False)


def test_in_simulated_time_a_word_counts_from_when_it_was_said() -> None:
    assert agrees(stepped=True)
