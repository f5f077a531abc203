"""SIGKILL at every commit point, under load; the ledgers of the mail server and the webhook's receiver decide."""

import asyncio
import base64
import os
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tabiji_common import events
from tabiji_common.clock import LiveClock
from tabiji_common.commands import SendMessage
from tabiji_common.failpoints import REGISTRY
from tabiji_common.topics import CUSTOMERS, SENDS, Record
from tests.integration.dispatch import crasher, planted
from tests.integration.dispatch.house import House, house
from tests.integration.dispatch.receiver import Receiver
from tests.integration.dispatch.registry import Registry
from tests.integration.dispatch.sink import Sink

HOOK_SECRET = "whsec_" + base64.b64encode(b"a signing secret of the tests").decode()
CHANNELS = ("email", "webhook")
CUSTOMERS_A_ROUND = 12  # over four partition numbers

# Each round brings new messages and starts a process that dies there; the next one finds what it left.
POINTS = (
    "dispatch.insert.before_commit=kill",
    "dispatch.insert.after=kill",
    "dispatch.claim.before_commit=kill",
    "dispatch.claim.after_intent=kill",
    "dispatch.reap.before_commit=kill",
    "dispatch.send.before=kill@3",
    "dispatch.send.after=kill@4",
    "dispatch.settle.before=kill@2",
    "dispatch.settle.before_commit=kill@2",
    "dispatch.settle.after=kill@2",
    "dispatch.announce.before_commit=kill",
)


# The same on the real broker, for the points between which a message may have left.
ROUNDS = (POINTS[3], POINTS[4], POINTS[6], POINTS[9])
WATCH = {f"dispatch.{name}.before_commit" for name in ("examine", "release", "beat")}  # no message: tests/faults


async def test_sigkill_at_every_commit_point_loses_nothing_and_doubles_nothing(
    pool: Any, migrated: str, tmp_path: Path
) -> None:
    registered = {name for name in REGISTRY if name.startswith("dispatch.")} - WATCH
    assert registered == {point.partition("=")[0] for point in POINTS}
    hits = tmp_path / "hits"
    await pool.execute("DROP TABLE IF EXISTS said")
    await pool.execute("CREATE TABLE said (key text, state text, id text)")
    async with Sink() as sink, Receiver() as receiver, Registry().serve() as registry:
        for round_, point in enumerate((*POINTS, "")):
            ended = await crash(migrated, sink, receiver, round_, point, hits, registry=registry)
            assert ended == (-signal.SIGKILL if point else 0), f"{point} was not hit"
        assert {line.split()[0] for line in hits.read_text().splitlines()} == registered
        rows = {row["message_key"]: row["state"] for row in await pool.fetch("SELECT * FROM delivery")}
        assert rows.keys() == set(crasher.keys(len(POINTS) + 1, crasher.LOOKED_UP))
        judge(rows, sink, receiver, len(POINTS), crasher.SLOTS, registry.taken)
        assert registry.lookups
        said = await pool.fetch("SELECT key, state, id FROM said")
        assert sorted((row["key"], row["state"]) for row in said) == sorted(rows.items())  # each once
    await pool.execute("DROP TABLE said")


async def test_sends_that_leave_before_their_intent_are_caught(pool: Any, migrated: str, tmp_path: Path) -> None:
    """The same judge, on a planted bug: what left without a committed intent leaves again."""
    hits, module = tmp_path / "hits", planted.__name__
    await pool.execute("DROP TABLE IF EXISTS said")
    await pool.execute("CREATE TABLE said (key text, state text, id text)")
    async with Sink() as sink, Receiver() as receiver:
        killed = await crash(migrated, sink, receiver, 0, "dispatch.send.after=kill@8", hits, module)
        assert killed == -signal.SIGKILL
        assert await crash(migrated, sink, receiver, 1, "", hits) == 0
        rows = {row["message_key"]: row["state"] for row in await pool.fetch("SELECT * FROM delivery")}
        with pytest.raises(AssertionError, match="email-0"):
            judge(rows, sink, receiver, 1, crasher.SLOTS)
    await pool.execute("DROP TABLE said")


async def crash(
    dsn: str,
    sink: Sink,
    receiver: Receiver,
    round_: int,
    point: str,
    hits: Path,
    module: str = crasher.__name__,
    *,
    registry: Registry | None = None,
) -> int:
    environment = os.environ | {"TABIJI_FAILPOINTS": point, "TABIJI_FAILPOINT_LOG": str(hits)}
    arguments = ["-m", module, dsn, str(sink.port), receiver.url, str(round_), *([registry.url] if registry else [])]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, env=environment)
    return await asyncio.wait_for(process.wait(), 90)


def judge(
    rows: dict[str, str], sink: Sink, receiver: Receiver, crashes: int, slots: int, looked_up: Sequence[str] = ()
) -> None:
    """What providers took against what the ledger says: nothing doubled, nothing lost silently, no inversion."""
    mailed_in_order = sink.keys()
    mailed, hooked = Counter(mailed_in_order), Counter(receiver.acted) + Counter(looked_up)
    assert [key for key, times in (mailed + hooked).items() if times > 1] == []  # doubled
    for key, state in rows.items():
        if key.startswith(("webhook", "sms")):  # keyed, and looked up: accepted at most once, and finally once
            assert (state, hooked[key]) == ("sent", 1), key
        else:  # at most once: sent is sent, and what nobody can know is shown, never sent again
            assert state in ({"sent", "unknown"} if mailed[key] else {"unknown"}), (key, state)
    unknown = [key for key, state in rows.items() if state == "unknown"]
    assert 0 < len(unknown) <= slots * crashes  # no more than were between intent and result
    order: dict[str, list[int]] = {}
    for key in mailed_in_order:
        _, round_, customer = key.split("-")
        order.setdefault(customer, []).append(int(round_))
    assert all(rounds == sorted(rounds) for rounds in order.values())  # no inversion for a customer


def providers(sink: Sink, receiver: Receiver) -> list[dict[str, Any]]:
    return [
        {"name": "smtp", "channels": ["email"], "port": sink.port, "slots": 4, "timeout": 0.8},
        {
            "name": "hook",
            "kind": "webhook",
            "channels": ["webhook"],
            "url": receiver.url,
            "secret": HOOK_SECRET,
            "slots": 4,
            "timeout": 0.8,
        },
    ]


def load(round_: int) -> list[Record[Any]]:
    """Customers with addresses and consent, and a mail and a webhook to each."""
    now = LiveClock().now()
    records: list[Record[Any]] = []
    for n in range(CUSTOMERS_A_ROUND):
        customer = f"c{n}"
        who: dict[str, Any] = {"workspace": "demo", "customer": customer}
        when: dict[str, Any] = {"source": "test", "occurred_at": now, "accepted_at": now}
        if round_ == 0:
            identified = events.Identified(**who, pii={"email": f"{customer}@example.com"})
            records.append(CUSTOMERS.record(identified, id=f"i-{n}", **when))
            records.append(CUSTOMERS.record(events.ConsentGiven(**who, channel="email"), id=f"g-{n}", **when))
            records.append(CUSTOMERS.record(events.ConsentGiven(**who, channel="webhook"), id=f"h-{n}", **when))
        for channel in CHANNELS:
            key = f"{channel}-{round_}-{n}"
            send = SendMessage(
                **who,
                message_key=key,
                journey="f2",
                version=1,
                enrollment=f"e-{n}",
                state="thanks",
                channel=channel,
                template="f2/thanks",
                decided_at=now,
                not_after=now + timedelta(days=1),
            )
            records.append(SENDS.record(send, id=key, **when))
    return records


async def test_processes_killed_on_the_real_broker_lose_nothing_and_double_nothing(
    kafka: Any, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with (
        Sink() as sink,
        Receiver() as receiver,
        house(kafka, database, topic_prefix, tmp_path, providers(sink, receiver)) as home,
    ):
        for round_, point in enumerate(ROUNDS):
            await home.send(load(round_))
            home.start(point)
            assert await home.died(), f"{point} was never hit\n{home.log.read_text()[-3000:]}"
        home.start()
        await home.settle(90)
        await check(home, sink, receiver)
        assert home.end() == 0


async def check(home: House, sink: Sink, receiver: Receiver) -> None:
    keys = {f"{channel}-{r}-{n}" for r in range(len(ROUNDS)) for n in range(CUSTOMERS_A_ROUND) for channel in CHANNELS}
    rows = {row["message_key"]: row["state"] for row in await home.rows("SELECT * FROM delivery")}
    assert rows.keys() == keys
    judge(rows, sink, receiver, len(ROUNDS), 4)
    said = {(outcome["message_key"], outcome["state"]) for outcome in await home.outcomes()}
    assert said == set(rows.items())
