"""The table of dead letters on the real database: which are asked for first, and which go once they are of no use."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tabiji_common import dead_letters as desks
from tabiji_common.clock import LiveClock
from tabiji_common.commands import Replay
from tabiji_common.kafka.dead_letters import ID_REUSED, keep, sweep
from tabiji_common.kafka.turn import Received
from tabiji_common.topics import ANALYTICS_HANDOVERS, JOURNEY_COMMANDS, PAGE_VIEWS, PURCHASES, Mode, Record
from tabiji_common.web import install_errors
from tests.conformance.conftest import Told

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
INBOX = (PURCHASES.name, PAGE_VIEWS.name)


class Noon(LiveClock):
    def now(self) -> datetime:
        return NOW


def letter(n: int, came: datetime, topic: str = PURCHASES.name, day: date | None = None, fault: str = "") -> Received:
    told = {"key": "w:mine", "id": f"e{n}", "type": "t", "source": "s", "mode": Mode.LIVE, "value": b"{}"}
    when = {"appended_at": came, "occurred_at": came, "accepted_at": came, "day": day or came.date()}
    return Received(topic=topic, partition=0, offset=n, body_hash="", fault=fault, **told, **when)  # type: ignore[arg-type]


async def put(pool: Any, died: datetime, *ones: Received, reason: str = "why") -> None:
    async with pool.acquire() as connection, connection.transaction():
        await keep(connection, "toy", [(one, reason) for one in ones], died)


def desk(pool: Any, asked: list[Sequence[Record[Any]]]) -> httpx.AsyncClient:
    async def append(records: Sequence[Record[Any]]) -> None:
        asked.append(records)
        await asyncio.sleep(0)

    app = FastAPI()
    install_errors(app)
    desks.add_routes(app, desks.Desk(pool, append, Noon(), JOURNEY_COMMANDS, Replay, INBOX))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://toy")


def test_of_more_than_one_answer_holds_the_oldest_go_first_and_what_cannot_go_keeps_none_back(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A customer's older record must not be applied after its newer one because of where an answer ends."""
    monkeypatch.setattr(desks, "MOST", 2)

    async def story(pool: Any) -> None:
        usable = [letter(n, NOW - (9 - n) * DAY) for n in range(4)]
        await put(pool, NOW, usable[3], *usable[:3])
        await put(pool, NOW, letter(4, NOW - 30 * DAY), reason=ID_REUSED)
        await put(pool, NOW, letter(5, NOW - 30 * DAY, day=(NOW - 50 * DAY).date()))
        await put(pool, NOW, letter(6, NOW - 30 * DAY, PAGE_VIEWS.name))
        await put(pool, NOW, letter(7, NOW - 30 * DAY, fault="broken"))
        asked: list[Sequence[Record[Any]]] = []
        async with desk(pool, asked) as http:
            for expected in (["e0", "e1"], ["e2", "e3"], []):
                answer = (await http.post("/v1/dead-letters/replay", json={"all": True})).json()
                ids = {row["letter"]: row["id"] for row in await pool.fetch("SELECT letter, id FROM dead_letter")}
                assert [ids[one] for one in answer["asked"]] == expected
                assert len(answer["refused"]) == (0 if expected else 2)
                await pool.execute("UPDATE dead_letter SET state = 'replayed' WHERE letter = ANY($1)", answer["asked"])
        assert [len(records) for records in asked] == [2, 2]

    told(story)


def test_what_no_replay_can_use_goes_with_the_inboxs_window_and_what_one_can_use_stays(
    told: Told,
) -> None:
    async def story(pool: Any) -> None:
        handover = ANALYTICS_HANDOVERS.name
        old, young = NOW - 46 * DAY, NOW - 44 * DAY
        for n, died in ((0, old), (10, young)):
            await put(pool, died, letter(n, died), letter(n + 1, died, handover), letter(n + 2, died, handover))
            await put(pool, died, letter(n + 3, died, handover), reason=ID_REUSED)
            await put(pool, died, letter(n + 4, died, handover, fault="broken"))
        await pool.execute("UPDATE dead_letter SET state = 'replayed' WHERE id IN ('e2', 'e12')")
        assert await sweep(pool, NOW + 400 * DAY, INBOX) == 0, "a clock alone deletes nothing"
        await put(pool, NOW, letter(20, NOW))
        assert await sweep(pool, NOW, INBOX) == 4
        left = {row["id"] for row in await pool.fetch("SELECT id FROM dead_letter")}
        assert left == {"e1", *(f"e{n}" for n in range(10, 15)), "e20"}

    told(story)


def test_what_the_database_cannot_be_asked_for_is_refused(told: Told) -> None:
    async def story(pool: Any) -> None:
        async with desk(pool, []) as http:
            statuses = [
                (await http.get("/v1/dead-letters", params={"topic": "\0"})).status_code,
                (await http.get("/v1/dead-letters/%00")).status_code,
                (await http.post("/v1/dead-letters/replay", json={"reason": "\0"})).status_code,
                (await http.get("/v1/dead-letters", params={"since": "0001-01-01T00:00:00+14:00"})).status_code,
            ]
        assert statuses == [400, 400, 400, 422]

    told(story)
