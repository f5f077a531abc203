"""A send that a version could not read: replayed it is sent once, and what was sent before is not sent again."""

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from tabiji_common import events
from tabiji_common.clock import LiveClock
from tabiji_common.topics import CUSTOMERS, SENDS
from tests.integration.dispatch import older
from tests.integration.dispatch.house import House, house
from tests.integration.dispatch.paused import until
from tests.integration.dispatch.receiver import Receiver
from tests.integration.dispatch.sink import Sink
from tests.integration.dispatch.test_crashes import CUSTOMERS_A_ROUND, load, providers
from tests.operator import BEARER, KEY, NAME

PATH = "/v1/dead-letters"
SENT = 2 * CUSTOMERS_A_ROUND  # a mail and a webhook to each


async def test_a_dead_send_is_sent_once_and_one_that_was_sent_is_not_sent_again(
    kafka: Any, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with (
        Sink() as sink,
        Receiver() as receiver,
        house(kafka, database, topic_prefix, tmp_path, providers(sink, receiver)) as home,
    ):

        def taken() -> Counter[str]:
            return Counter([*sink.keys(), *receiver.acted])

        before = load(0)
        home.start()
        await home.settle(150)
        await home.send(before)
        await home.settle(150)
        assert home.end() == 0
        assert taken().total() == SENT

        home.start(module=older.__name__)
        await home.send([*(record for record in before if record.topic == SENDS), *load(1)])
        await home.settle(150)
        assert home.end() == 0
        assert taken().total() == SENT

        home.start("runtime.replay.appended=kill@2")
        await home.settle(150)
        await by_command(home, await listed(home))
        await told_nobody(home)
        home.start()
        await home.settle(150)
        async with httpx.AsyncClient(base_url=home.url, headers=BEARER, timeout=60) as http:
            await asked_again(http)
            await home.settle(150)
            assert taken().total() == 2 * SENT
            assert set(taken().values()) == {1}
            assert await states(home) == {("replayed", 1): 2 * SENT}
            told = (await http.post(f"{PATH}/replay", json={"all": True})).json()
            assert told == {"asked": [], "done": {}, "refused": [], "left": 0}
            await home.settle(150)
            assert set(taken().values()) == {1}
            await forgets(home)


async def listed(home: House) -> str:
    """They are told page by page, by topic and words of the reason, and one by one; the id of the newest."""
    async with httpx.AsyncClient(base_url=home.url, headers=BEARER, timeout=30) as http:
        query: dict[str, str | int] = {"reason": "UNKNOWN TYPE 'send'", "topic": SENDS.name, "limit": 5}
        told = (await http.get(PATH, params=query)).json()
        assert (told["total"], len(told["dead_letters"])) == (2 * SENT, 5)
        more = (await http.get(PATH, params={"after": told["next"], "limit": 1000})).json()
        assert (len(more["dead_letters"]), more["next"]) == (2 * SENT - 5, "")
        first = told["dead_letters"][0]
        assert (first["workspace"], first["state"], first["attempts"], first["refused"]) == ("demo", "dead", 0, "")
        shown = (await http.get(f"{PATH}/{first['id']}")).json()
        assert shown["headers"]["ce_id"] == shown["body"]["message_key"] == first["event_id"]
        assert (await http.get(f"{PATH}/none")).status_code == 404
        [group] = (await http.get(f"{PATH}/groups")).json()["groups"]
        assert (group["topic"], group["records"]) == (SENDS.name, 2 * SENT)
    return str(first["id"])


async def by_command(home: House, id_: str) -> None:
    """`tabiji dlq` replays one, and says what became of it; the second time there is nothing to do."""
    environment = {**os.environ, "TABIJI_DISPATCH_URL": home.url, "TABIJI_OPERATOR_KEY": KEY}
    for said in ("1 replayed, 0 had been applied already", "1 were replayed before"):
        command = [sys.executable, "-m", "tabiji_cli", "dlq", "replay", id_, "--service", "dispatch", "--yes"]
        run = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.PIPE)
        _, told = await run.communicate()
        assert said in told.decode()
        assert run.returncode == 0


async def told_nobody(home: House) -> None:
    """The process dies once its replays are in the log."""
    async with httpx.AsyncClient(base_url=home.url, headers=BEARER, timeout=30) as http:
        for nothing in ({}, {"ids": [], "every": True}, {"since": "2026-01-01T00:00:00"}):
            assert (await http.post(f"{PATH}/replay", json=nothing)).status_code == 422
        with pytest.raises(httpx.TransportError):
            await http.post(f"{PATH}/replay", json={"all": True})
    assert await home.died()
    assert "runtime.replay.appended" in home.hits.read_text()


async def asked_again(http: httpx.AsyncClient) -> None:
    """Whoever was told nothing asks again; both are written down, the first without an end."""
    ids = [row["id"] for row in (await http.get(PATH, params={"state": "all", "limit": 1000})).json()["dead_letters"]]
    assert len(ids) == 2 * SENT
    told = await http.post(f"{PATH}/replay", json={"ids": [*ids, "nobody's"]})
    assert told.status_code == 202
    assert set(told.json()["asked"]) | set(told.json()["done"]) == set(ids)
    assert told.json()["refused"] == [{"id": "nobody's", "rule": "there is no such dead letter"}]


async def states(home: House) -> Counter[tuple[str, int]]:
    rows = await home.rows("SELECT state, attempts FROM dead_letter")
    return Counter((row["state"], row["attempts"]) for row in rows)


async def forgets(home: House) -> None:
    """An erased customer's dead letters are gone; who replayed what stays."""
    now = LiveClock().now()
    erased = events.Erased(workspace="demo", customer="c3")
    await home.send([CUSTOMERS.record(erased, id="erase", source="test", occurred_at=now, accepted_at=now)])

    async def gone() -> bool:
        return not await home.rows("SELECT FROM dead_letter WHERE key = 'demo:c3'")

    await until(gone)
    acts = await home.rows("SELECT who, what, status, detail FROM installation.audit ORDER BY id")
    replays = [(act["who"], act["status"], act["detail"]) for act in acts if act["what"] == f"POST {PATH}/replay"]
    assert replays[0] == (NAME, 202, "1 asked for, 0 refused")
    assert replays[4] == (NAME, None, "")
    assert replays[5][:2] == (NAME, 202)
    assert replays[-1] == (NAME, 202, "0 asked for, 0 refused")
