"""F2 conversion goes from mail to LINE: people stay on the version that they entered."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tabiji_common import events
from tests.integration.journey.desk import Desk, open_desk
from tests.unit.journey.pipeline.people import MONDAY, after, order, outcome, received

JOURNEYS = Path(__file__).parents[3] / "journeys"
FIRST = (JOURNEYS / "earlier" / "f2-conversion.1.yaml").read_text("utf-8").replace("holdout: 10%\n", "")
SECOND = (JOURNEYS / "f2-conversion.yaml").read_text("utf-8").replace("holdout: 10%\n", "")


@pytest.fixture
async def desk(database: str) -> AsyncIterator[Desk]:
    async with open_desk(database, FIRST) as desk:
        yield desk


async def test_those_inside_stay_on_version_one_and_who_comes_later_hears_on_line(desk: Desk) -> None:
    await desk.takes(received(order("1", customer="ann"), "e1", MONDAY))
    await desk.publish(SECOND)
    await desk.takes(received(order("2", customer="ben"), "e2", after(hours=1)))
    opened: set[str] = set()
    for hours in range(2, 24 * 14, 4):
        await desk.takes(now=after(hours=hours))
        told = [
            received(outcome(send, "sent", after(hours=hours), send.customer), send.message_key, after(hours=hours))
            for send in desk.sends()
            if send.message_key not in opened
        ]
        opened |= {send.message_key for send in desk.sends()}
        await desk.takes(*told, now=after(hours=hours))
    way = Counter((send.customer, send.version, send.channel, send.template.partition("/")[2]) for send in desk.sends())
    assert way["ann", 1, "email", "usage-guide-again"] == 1
    assert way["ben", 2, "line", "usage-guide-line"] == 1
    assert {version for who, version, _, _ in way if who == "ann"} == {1}
    assert {version for who, version, _, _ in way if who == "ben"} == {2}


async def test_who_opens_the_mail_hears_nothing_on_line(desk: Desk) -> None:
    await desk.publish(SECOND)
    await desk.takes(received(order("1"), "e1", MONDAY))
    told: set[str] = set()
    for hours in range(2, 24 * 14, 4):
        now = after(hours=hours)
        await desk.takes(now=now)
        for send in desk.sends():
            if send.message_key in told:
                continue
            told.add(send.message_key)
            opened = events.EmailOpened(workspace="w", customer="ann", message_key=send.message_key)
            answer = received(outcome(send, "sent", now), send.message_key, now)
            await desk.takes(answer, received(opened, f"open {send.message_key}", now), now=now)
    assert {send.channel for send in desk.sends()} == {"email"}
