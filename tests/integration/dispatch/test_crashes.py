"""SIGKILL at every commit point, under load; the ledgers of the mail server and the webhook's receiver decide."""

import base64
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

from tabiji_common import events
from tabiji_common.clock import LiveClock
from tabiji_common.commands import SendMessage
from tabiji_common.failpoints import REGISTRY
from tabiji_common.topics import CUSTOMERS, SENDS, Record
from tests.integration.dispatch.house import House, house
from tests.integration.dispatch.receiver import Receiver
from tests.integration.dispatch.sink import Sink

HOOK_SECRET = "whsec_" + base64.b64encode(b"a signing secret of the tests").decode()
CUSTOMERS_A_ROUND = 12  # over four partition numbers

# Each round publishes new messages and starts a process that dies there; the next one finds what it left.
ROUNDS = (
    "dispatch.insert.before_commit=kill",
    "dispatch.insert.after=kill",
    "dispatch.claim.before_commit=kill",
    "dispatch.claim.after_intent=kill",
    "dispatch.reap.before_commit=kill",
    "dispatch.send.before=kill@3",
    "dispatch.send.after=kill@4",
    "dispatch.settle.before=kill@2",
    "dispatch.settle.after=kill@2",
    "dispatch.announce.before_commit=kill",
)


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
        for channel in ("email", "webhook"):
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


async def test_sigkill_at_every_commit_point_loses_nothing_and_doubles_nothing(
    kafka: Any, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    registered = {name for name in REGISTRY if name.startswith("dispatch.")}
    assert registered == {point.partition("=")[0] for point in ROUNDS}
    async with (
        Sink() as sink,
        Receiver() as receiver,
        house(kafka, database, topic_prefix, tmp_path, providers(sink, receiver)) as home,
    ):
        for round_, point in enumerate(ROUNDS):
            await home.send(load(round_))
            home.start(point)
            assert await home.died(), f"{point} was never hit\n{home.log.read_text()[-3000:]}"
        hit = {line.split()[0] for line in home.hits.read_text().splitlines()}
        assert hit == registered
        home.start()
        await home.settle(90)
        await check(home, sink, receiver)
        assert home.end() == 0


async def check(home: House, sink: Sink, receiver: Receiver) -> None:
    expected = {
        f"{channel}-{r}-{n}"
        for r in range(len(ROUNDS))
        for n in range(CUSTOMERS_A_ROUND)
        for channel in ("email", "webhook")
    }
    rows = {row["message_key"]: row for row in await home.rows("SELECT * FROM delivery")}
    assert rows.keys() == expected
    mailed, hooked = Counter(sink.keys()), Counter(receiver.acted)
    assert [key for key, times in (mailed + hooked).items() if times > 1] == []  # doubled
    for key in expected:
        state = rows[key]["state"]
        if key.startswith("webhook"):  # keyed: accepted at most once, and finally once
            assert (state, hooked[key]) == ("sent", 1), key
        elif state == "sent":
            assert mailed[key] == 1, key
        else:  # at most once: what nobody can know is shown, never sent again
            assert state == "unknown", (key, state)
    lost = [key for key in expected if key.startswith("email") and rows[key]["state"] == "sent" and not mailed[key]]
    assert lost == []
    unknown = {key for key in expected if rows[key]["state"] == "unknown"}
    assert 0 < len(unknown) <= 4 * len(ROUNDS)  # no more than there are slots, for each crash
    said = {(outcome["message_key"], outcome["state"]) for outcome in await home.outcomes()}
    assert said == {(key, row["state"]) for key, row in rows.items()}
    order: dict[str, list[int]] = {}
    mailed_in_order = sink.keys()
    for key in mailed_in_order:
        _, r, n = key.split("-")
        order.setdefault(n, []).append(int(r))
    assert all(rounds == sorted(rounds) for rounds in order.values())  # no inversion for a customer
