"""Rows about many messages: one provider in trouble beside another, and a big send that is stopped on its way."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import httpx

from tabiji_common import events
from tabiji_common.clock import LiveClock
from tabiji_common.commands import SendMessage
from tabiji_common.kafka.client import Cluster
from tabiji_common.kafka.producer import Producer
from tabiji_common.topics import CUSTOMERS, ENGAGEMENTS, SENDS, Record
from tests.conformance.harness import Stalled
from tests.faults.ground import Ground
from tests.faults.rows.dispatch import counted
from tests.faults.suite import Figures, row
from tests.integration.dispatch.house import House
from tests.integration.dispatch.receiver import Receiver
from tests.integration.dispatch.sink import Sink
from tests.integration.dispatch.test_crashes import providers
from tests.operator import BEARER

RATE, SECONDS = 30, 5.0
WARM = 30
"""Messages before anything is measured: the first ones load templates and open connections."""

NOISE = 0.5
"""Seconds that two shared cores may add to a p99 without any fault."""

SLOTS = 4
CROWD = 1200


class TimedSink(Sink):
    """Notes when it took each mail; takes ``pace`` seconds for one."""

    def __init__(self, pace: float = 0.0) -> None:
        super().__init__()
        self.pace, self.at = pace, dict[str, float]()

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802
        await asyncio.sleep(self.pace)
        answer = await super().handle_DATA(server, session, envelope)
        key = str(self.taken[-1][1]["message-id"])[1:].partition("@")[0]
        self.at.setdefault(key, time.monotonic())
        return answer


def record(topic: Any, body: Any, id_: str) -> Record[Any]:
    now = LiveClock().now()
    made: Record[Any] = topic.record(body, id=id_, source="test", occurred_at=now, accepted_at=now)
    return made


def who(n: int) -> dict[str, Any]:
    return {"workspace": "demo", "customer": f"c{n}"}


def known(numbers: Sequence[int]) -> list[Record[Any]]:
    """Addresses and consent."""
    made = []
    for n in numbers:
        made.append(record(CUSTOMERS, events.Identified(**who(n), pii={"email": f"c{n}@example.com"}), f"i-{n}"))
        made += [record(CUSTOMERS, events.ConsentGiven(**who(n), channel=c), f"{c}-{n}") for c in ("email", "webhook")]
    return made


def message(channel: str, n: int) -> Record[Any]:
    now = LiveClock().now()
    body = SendMessage(
        **who(n),
        message_key=f"{channel}-0-{n}",
        journey="f2",
        version=1,
        enrollment=f"e-{n}",
        state="thanks",
        channel=channel,
        template="f2/thanks",
        decided_at=now,
        not_after=now + timedelta(days=1),
    )
    return record(SENDS, body, body.message_key)


TROUBLE: dict[str, dict[str, Any]] = {
    "answers after 1 s": {"delay": 1.0},
    "never answers": {"cut": "reply", "how": "silent"},
    "429": {"status": "429 Too Many Requests", "headers": "retry-after: 1\r\n"},
    "503": {"status": "503 Service Unavailable"},
}


@row(
    18,
    runs=12,
    note="5 s of trouble a run: answers after 1 s, never, 429 or 503; p99 may be twice that of calm, or 0.5 s more",
)
async def provider_in_trouble(place: Ground, seed: int) -> Figures:
    """As many mails as hooks, in calm and while the hooks' provider is in trouble; then all of them are delivered."""
    trouble = list(TROUBLE.values())[seed % len(TROUBLE)]
    count = int(RATE * SECONDS)
    async with TimedSink() as sink, Receiver() as receiver:
        mail, hook = providers(sink, receiver)
        async with place.dispatch([{**mail, "timeout": 5}, {**hook, "timeout": 3}]) as home:
            home.lease = 12
            await home.send(known(range(2 * count + WARM)))
            home.start()
            await home.settle(120)
            await p99(home, sink, range(2 * count, 2 * count + WARM))
            calm = await p99(home, sink, range(count))
            for name, value in trouble.items():
                setattr(receiver, name, value)
            stormy = await p99(home, sink, range(count, 2 * count))
            receiver.times = receiver.connections  # from here on it is well again
            receiver.silent.set()
            await home.settle(120)
            rows = {row["message_key"]: row["state"] for row in await home.rows("SELECT * FROM delivery")}
        figures = counted(rows, sink, receiver, 1)
        figures.lost += 2 * (2 * count + WARM) - len(rows)
        figures.stalls = int(stormy > 2 * calm and stormy > calm + NOISE)
        figures.other |= {"p99 of the others s, calm": calm, "in trouble": stormy, "ratio": stormy / calm}
        return figures


async def p99(home: House, sink: TimedSink, numbers: Sequence[int]) -> float:
    """Append a mail and a hook at a steady pace; seconds from append until all but a hundredth of mails were taken."""
    asked: dict[str, float] = {}
    producer, begun = Producer(Cluster.of(home.settings)), time.monotonic()
    try:
        for turn, n in enumerate(numbers):
            asked[f"email-0-{n}"] = time.monotonic()
            await producer.append([message("email", n), message("webhook", n)])
            await asyncio.sleep(max(0.0, begun + turn / RATE - time.monotonic()))
    finally:
        await producer.stop()
    await taken(sink, lambda: asked.keys() <= sink.at.keys())
    waits = sorted(sink.at[key] - at for key, at in asked.items())
    return waits[int(len(waits) * 0.99)]


async def taken(sink: TimedSink, enough: Callable[[], bool], patience: float = 30) -> None:
    """Until the mail server has taken what is wanted; it may be slow, but not stand still."""
    while not enough():
        if sink.at and time.monotonic() > max(sink.at.values()) + patience:
            raise Stalled(f"{len(sink.at)} mails were taken, and no more")
        await asyncio.sleep(0.05)


SWITCHES: dict[str, dict[str, str]] = {
    "global": {"scope": "global"},
    "journey": {"scope": "journey", "workspace": "demo", "name": "f2"},
    "provider": {"scope": "provider", "name": "smtp"},
    "workspace": {"scope": "workspace", "workspace": "demo"},
}
LEAVING = (
    (ENGAGEMENTS, lambda n: events.Unsubscribed(**who(n), channel="email")),
    (CUSTOMERS, lambda n: events.Erased(**who(n))),
)


@row(
    23, runs=12, at_once=2, note="1,200 mails a run instead of 100,000: at 100 a second the stop comes in their middle"
)
async def stopped_on_its_way(place: Ground, seed: int) -> Figures:
    """By turns a kill switch of each scope, or two of three customers unsubscribe or are erased, after 200 mails."""
    async with TimedSink(pace=SLOTS / 100) as sink, place.dispatch([mailer(sink)]) as home:
        home.lease = 20
        await home.send(known(range(CROWD)))
        home.start()
        await home.settle(120)
        await home.send([message("email", n) for n in range(CROWD)])
        await taken(sink, lambda: len(sink.at) > 200)
        if seed % 3 == 0:
            return await switched_off(home, sink, list(SWITCHES.values())[seed // 3 % len(SWITCHES)])
        return await left(home, sink, seed % 3 - 1)


def mailer(sink: Sink) -> dict[str, Any]:
    return {"name": "smtp", "channels": ["email"], "port": sink.port, "slots": SLOTS, "timeout": 9}


async def switched_off(home: House, sink: TimedSink, switch: dict[str, str]) -> Figures:
    """Once the switch is answered only what had its intent leaves; let go again, all others leave, once."""
    async with httpx.AsyncClient(timeout=10, headers=BEARER) as http:
        (await http.put(f"{home.url}/v1/switches", json={**switch, "on": True})).raise_for_status()
        stopped = time.monotonic()
        await asyncio.sleep(3)
        after = [at - stopped for at in sink.at.values() if at > stopped]
        unsent = CROWD - len(sink.at)
        (await http.put(f"{home.url}/v1/switches", json={**switch, "on": False})).raise_for_status()
    await taken(sink, lambda: len(sink.at) >= CROWD)
    await home.settle(120)
    figures = await ledger(home, sink)
    figures.lost += CROWD - len(set(sink.keys()))
    assert unsent > CROWD // 3, "nearly all had left before the switch"
    assert len(after) <= 2 * SLOTS, f"{len(after)} left after the switch"
    return shown(figures, after)


async def left(home: House, sink: TimedSink, how: int) -> Figures:
    """Two of three go: once that is applied none of them gets anything, and all others their mail, once."""
    topic, goes = LEAVING[how]
    going = [n for n in range(CROWD) if n % 3]
    await home.send([record(topic, goes(n), f"go-{n}") for n in going])
    stopped, keys = time.monotonic(), {f"email-0-{n}" for n in going}
    await home.settle(120)
    after = [at - stopped for key, at in sink.at.items() if key in keys and at > stopped]
    figures = await ledger(home, sink)
    figures.lost += sum(f"email-0-{n}" not in sink.at for n in range(0, CROWD, 3))
    assert len(keys - sink.at.keys()) > CROWD // 3, "nearly all had left before the customers went"
    assert max(after, default=0) < 5, f"a mail left {max(after):.1f} s after its customer had gone"
    return shown(figures, after)


async def ledger(home: House, sink: TimedSink) -> Figures:
    """What the mail server took against what the ledger says; what was suppressed was not to be taken."""
    rows = {row["message_key"]: row["state"] for row in await home.rows("SELECT * FROM delivery")}
    async with Receiver() as nobody:
        figures = counted({key: state for key, state in rows.items() if state != "suppressed"}, sink, nobody, 1)
    figures.events = len(rows)
    figures.lost += CROWD - len(rows)
    return figures


def shown(figures: Figures, after: Sequence[float]) -> Figures:
    figures.other = {"sent after": len(after), "s to the last": max(after, default=0.0)}
    return figures
