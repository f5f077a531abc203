"""A service without state: an answer too large for the log is its cause's trouble, and nobody else's."""

import asyncio
from collections.abc import Sequence
from typing import Any

from tabiji_common.errors import Reject, TooLarge
from tabiji_common.events import CustomEvent
from tabiji_common.kafka.client import Cluster
from tabiji_common.kafka.fake import FakeAppender, FakeLog
from tabiji_common.kafka.producer import Encoded
from tabiji_common.kafka.stateless import StatelessLoop
from tabiji_common.kafka.turn import Received
from tabiji_common.metrics import TOO_LARGE
from tabiji_common.topics import CUSTOM, Record, Topic, dead_letter_name
from tests.unit.common.kafka.records import START, record

MOST = 200
SAID: Topic[CustomEvent] = Topic("unit.said.v1", {"said": CustomEvent}, "answers")


class Narrow(FakeAppender):
    """Takes no value larger than ``MOST`` bytes; of an append that holds one it takes what comes before."""

    async def append_encoded(self, records: Sequence[Encoded]) -> None:
        for one in records:
            if len(one.value) > MOST:
                raise TooLarge("a record is larger than a batch may be")
            await super().append_encoded([one])


async def answer(body: CustomEvent) -> list[Record[Any]]:
    """Two records; the first is as large as the event asks for."""
    if body.properties.get("refuse"):
        raise Reject("is no event of ours")
    sizes = (body.properties.get("size", 1), 1)
    return [SAID.record(body.then(CustomEvent, properties={"text": "x" * size})) for size in sizes]


def came(n: int, **properties: Any) -> Received:
    body = CustomEvent(workspace="w", customer="c", properties=properties)
    sent = CUSTOM.record(body, id=f"e{n}", source="test", occurred_at=START, accepted_at=START, type="tried")
    return record(CUSTOM.name, 0, n, n, id=sent.id, value=sent.value())


async def test_the_cause_of_an_answer_that_is_too_large_is_dead_lettered_and_all_else_goes_out() -> None:
    log, group = FakeLog(partitions=1), "unit-stateless"
    loop = StatelessLoop(group, Cluster("", "", 1), CUSTOM, answer, Narrow(log))
    async with asyncio.timeout(5):
        assert await loop._answer([came(1), came(2, size=MOST), came(3), came(4, refuse="x" * MOST)])
    assert len({dict(kept.headers)["ce_id"] for kept in log.kept[SAID.name, 0]}) == 5
    dead = [(kept.value, dict(kept.headers)) for kept in log.kept[dead_letter_name(CUSTOM.name, group), 0]]
    assert [(headers["ce_id"], value, headers["reason"]) for value, headers in dead] == [
        (b"e2", b"", b"its answer on unit.said.v1 is too large: 257 bytes"),
        (b"e4", b"", b"is no event of ours"),
    ]
    assert TOO_LARGE.labels(group)._value.get() == 2
