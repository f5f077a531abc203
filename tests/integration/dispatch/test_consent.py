"""What a customer said last stands, although words come twice: on the real broker, with the runtime's inbox."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tabiji_common import events
from tabiji_common.clock import LiveClock
from tabiji_common.commands import SendMessage
from tabiji_common.links import Link
from tabiji_common.topics import CUSTOMERS, SENDS, Record
from tabiji_ingest.domain.reactions import unsubscribed
from tests.integration.dispatch.house import House, house
from tests.integration.dispatch.receiver import Receiver
from tests.integration.dispatch.sink import Sink
from tests.integration.dispatch.test_crashes import providers

WHO: dict[str, Any] = {"workspace": "demo", "customer": "c1"}
LINK = Link("u", "demo", "c1", "m0")
SECOND = timedelta(seconds=1)


def said(body: Any, id_: str, at: datetime) -> Record[Any]:
    return CUSTOMERS.record(body, id=id_, source="shop", occurred_at=at, accepted_at=at)


def agreed(id_: str, at: datetime) -> Record[Any]:
    return said(events.ConsentGiven(**WHO, channel="email"), id_, at)


async def sent(home: House, key: str, at: datetime) -> tuple[str, str]:
    """What becomes of a message that is asked for now."""
    send = SendMessage(
        **WHO,
        message_key=key,
        journey="f2",
        version=1,
        enrollment="e",
        state="thanks",
        channel="email",
        template="f2/thanks",
        decided_at=at,
        not_after=at + timedelta(days=1),
    )
    await home.settle()
    await home.send([SENDS.record(send, id=key, source="test", occurred_at=at, accepted_at=at)])
    await home.settle()
    [row] = await home.rows("SELECT state, reason FROM delivery WHERE message_key = $1", key)
    return row["state"], row["reason"]


async def test_a_repeated_consent_does_not_outlive_the_unsubscribe_between_and_a_no_counts_again_within_its_minute(
    kafka: Any, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    now = LiveClock().now().replace(second=0) - timedelta(minutes=10)
    async with (
        Sink() as sink,
        Receiver() as receiver,
        house(kafka, database, topic_prefix, tmp_path, providers(sink, receiver)) as home,
    ):
        home.lease = 60.0  # no attempt is to run out of it, however slow the machine
        home.start()
        await home.send(
            [
                said(events.Identified(**WHO, pii={"email": "c1@example.com"}), "i", now),
                agreed("x", now),
                unsubscribed(LINK, "token", now + 10 * SECOND),
                agreed("x", now + 20 * SECOND),  # its answer was lost, and the client said it again
            ]
        )
        assert await sent(home, "m1", now) == ("suppressed", "no_consent")
        await home.send([agreed("y", now + 30 * SECOND)])
        assert await sent(home, "m2", now) == ("sent", "")
        await home.send([unsubscribed(LINK, "token", now + 40 * SECOND)])
        assert await sent(home, "m3", now) == ("suppressed", "no_consent")
