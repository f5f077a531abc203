"""Rows about delivery: processes that die or sleep between intent and result, keys, repeats, bad addresses."""

import asyncio
import itertools
import signal
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from tabiji_common import events
from tabiji_common.clock import LiveClock
from tabiji_common.commands import SendMessage
from tabiji_common.topics import CUSTOMERS, SENDS, Record
from tabiji_dispatch.__main__ import MIGRATIONS
from tests.conformance.harness import until
from tests.faults.ground import Ground, schema
from tests.faults.suite import Figures, row
from tests.integration.dispatch import crasher
from tests.integration.dispatch.bench import Bench, known, send
from tests.integration.dispatch.house import House
from tests.integration.dispatch.receiver import Receiver
from tests.integration.dispatch.registry import Registry
from tests.integration.dispatch.sink import Sink
from tests.integration.dispatch.test_crashes import POINTS, ROUNDS, crash, load, providers
from tests.integration.dispatch.test_webhook import lane

ASLEEP = ("dispatch.claim.after_intent=stop", "dispatch.send.before=stop@3")


def counted(
    rows: dict[str, str], sink: Sink, receiver: Receiver, faults: int, looked_up: Sequence[str] = ()
) -> Figures:
    """What providers took against what the ledger says. Lost is what it is silent or wrong about.

    A late "nothing was taken" of what had been announced as unknown ends as failed, and is announced: not lost.
    """
    mails = sink.keys()
    taken = Counter(mails) + Counter(receiver.acted) + Counter(looked_up)
    figures = Figures(faults, len(rows), doubled=sum(n - 1 for n in taken.values()))
    figures.unknown = sum(state == "unknown" for state in rows.values())
    figures.other["failed, and said so"] = sum(state == "failed" and not taken[key] for key, state in rows.items())
    figures.lost = sum(silent(state, taken[key]) for key, state in rows.items())
    figures.lost += len(set(taken) - set(rows))  # taken, and nobody knows
    figures.inversions = inversions(mails)
    return figures


def silent(state: str, taken: int) -> bool:
    """Whether the ledger's last word about a message is not what became of it, and does not say that it may not be."""
    return (state != "unknown") if state not in {"sent", "failed"} else (state == "sent") != bool(taken)


def inversions(mails: list[str]) -> int:
    """Mails (channel-round-customer) that a customer got before one of an earlier round."""
    order: dict[str, list[int]] = defaultdict(list)
    for key in mails:
        _, round_, customer = key.split("-")
        order[customer].append(int(round_))
    return sum(later < earlier for rounds in order.values() for earlier, later in itertools.pairwise(rounds))


@row(
    17,
    runs=12,
    seconds=400,
    note="keyed, looked up and at most once in every third run; keyed and at most, or at least, once in the others",
)
async def between_intent_and_result(place: Ground, seed: int) -> Figures:
    """By turns: a kill at D0-D5 each; stopped between D1 and D3 past the lease; killed under at-least-once."""
    if seed % 3 == 0:
        return await killed_at_each(place)
    return await (stopped_past_its_lease(place, seed // 3) if seed % 3 == 1 else risked_again(place, seed))


async def killed_at_each(place: Ground) -> Figures:
    """A process for each point, which dies there; the next one finds what it left."""
    async with place.plot() as (dsn, _, folder), Sink() as sink, Receiver() as receiver, Registry().serve() as asked:
        async with schema(dsn, "dispatch", MIGRATIONS) as pool:
            await pool.execute("CREATE TABLE said (key text, state text, id text)")
            for round_, point in enumerate((*POINTS, "")):
                ended = await crash(dsn, sink, receiver, round_, point, folder / "hits", registry=asked)
                assert ended == (-signal.SIGKILL if point else 0), f"{point} was not hit"
            rows = {row["message_key"]: row["state"] for row in await pool.fetch("SELECT * FROM delivery")}
            said = sorted((row["key"], row["state"]) for row in await pool.fetch("SELECT key, state FROM said"))
        assert rows.keys() == set(crasher.keys(len(POINTS) + 1, crasher.LOOKED_UP))
        assert said == sorted(rows.items()), "outcomes announced are not the ledger, each once"
        return counted(rows, sink, receiver, len(POINTS), asked.taken)


async def stopped_past_its_lease(place: Ground, turn: int) -> Figures:
    """The owner sleeps with intents in hand; another takes over, reaps and goes on; then the sleeper wakes."""
    async with Sink() as sink, Receiver() as receiver, place.dispatch(providers(sink, receiver)) as home:
        await home.send(load(0))
        home.start(ASLEEP[turn % len(ASLEEP)])
        await until(lambda: home.hits.exists() and " stop " in home.hits.read_text(), "it did not fall asleep", 60)
        async with second(home) as heir:
            await heir.send(load(1))
            await heir.settle(120)
            assert home.process is not None
            home.process.send_signal(signal.SIGCONT)
            await asyncio.sleep(4)
            await asyncio.to_thread(home.end)
            await heir.settle(120)
            rows = {row["message_key"]: row["state"] for row in await heir.rows("SELECT * FROM delivery")}
            said = {(outcome["message_key"], outcome["state"]) for outcome in await heir.outcomes()}
        assert {key for key, _ in said} == set(rows), "an outcome was never announced"
        assert set(rows.items()) <= said, "the last word was not announced"
        return counted(rows, sink, receiver, 1)


class second:  # noqa: N801 - read as `async with second(home) as heir`
    """Another process of the same installation."""

    def __init__(self, home: House) -> None:
        folder = home.home / "second"
        folder.mkdir()
        self.heir = House(home.settings, folder, home.providers, home.lease)

    async def __aenter__(self) -> House:
        self.heir.start()
        return self.heir

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.heir.end, signal.SIGKILL)


async def risked_again(place: Ground, seed: int) -> Figures:
    """Mail at least once: what is unknown goes again, is counted as a risk, and nothing stays unknown or is lost."""
    async with Sink() as sink, Receiver() as receiver:
        mail, hook = providers(sink, receiver)
        async with place.dispatch([{**mail, "marketing": "at_least_once"}, hook]) as home:
            for round_, point in enumerate(ROUNDS):
                await home.send(load(round_))
                home.start(point)
                assert await home.died(), f"{point} was never hit"
            home.start()
            await home.settle(120)
            rows = {row["message_key"]: row["state"] for row in await home.rows("SELECT * FROM delivery")}
            risked = await home.rows("SELECT count(*) AS n FROM attempt_result WHERE result = 'unknown'")
        figures = counted(rows, sink, receiver, len(ROUNDS))
        mails = Counter(sink.keys())
        again = sum(n - 1 for n in mails.values())
        assert again <= risked[0]["n"], "a mail went again that was not unknown"
        figures.doubled -= again  # the policy that was asked for: shown as risk
        figures.inversions = 0  # a mail that goes again comes after its successor
        figures.other |= {"sent again, at-least-once": again, "of unknown": risked[0]["n"]}
        return figures


@row(20, runs=20)
async def key_expired(place: Ground, seed: int) -> Figures:
    """Answers of a keyed provider are lost until the key's life is over: held then, however long one waits."""
    ttl = 20.0 + seed
    async with place.schema("dispatch", MIGRATIONS) as pool, Receiver(cut="reply", how="close") as receiver:
        async with Bench(pool, lane(receiver, ttl=ttl, margin=5.0)) as bench:
            await bench.turn(*known(), send("m1", channel="webhook", message_class="transactional"))
            for _ in range(200):
                bench.clock.skipped += 1
                await bench.turn()
                await asyncio.sleep(0.01)
                if (await bench.state("m1"))[0] == "held":
                    break
            requests = len(receiver.requests)
            for _ in range(30):
                bench.clock.skipped += 1000
                await bench.turn()
            state, reason = await bench.state("m1")
        assert (state, reason) == ("held", "key_expired"), (state, reason)
        assert requests > 1, "it was never sent again within the key's life"
        late = len(receiver.requests) - requests
        return Figures(events=1, doubled=late, other={"sent after ttl": late, "requests within": requests})


@row(21, runs=10, at_once=2)
async def published_twice(place: Ground, seed: int) -> Figures:
    """Every command comes twice, from two relays at once; two processes share the numbers; one dies and comes back."""
    async with Sink() as sink, Receiver() as receiver, place.dispatch(providers(sink, receiver)) as home:
        home.start()
        await home.settle()
        async with second(home):
            for round_ in range(6):
                await asyncio.gather(home.send(load(round_)), home.send(load(round_)))
                if round_ == 3:
                    await asyncio.to_thread(home.end)
                    home.start()
        await home.settle(120)
        rows = {row["message_key"]: row["state"] for row in await home.rows("SELECT * FROM delivery")}
        expected = len({record.id for round_ in range(6) for record in load(round_) if record.topic is SENDS})
        figures = counted(rows, sink, receiver, expected)
        figures.lost += expected - len(rows)
        return figures


@row(22, runs=10, at_once=2)
async def one_bad_recipient(place: Ground, seed: int) -> Figures:
    """One address of 500 is refused by the mail server: the others get their mail, once."""
    bad = seed * 47 % 500
    async with Sink() as sink, Receiver() as receiver, place.dispatch([patient(sink)]) as home:
        home.lease = 20
        sink.answers[f"c{bad}@example.com"] = "550 5.1.1 no such user"
        await home.send(mails(500))
        home.start()
        await home.settle(180)
        rows = {row["message_key"]: row["state"] for row in await home.rows("SELECT * FROM delivery")}
        failed = {key for key, state in rows.items() if state == "failed"}
        assert failed == {f"email-0-{bad}"}, failed
        figures = counted({key: state for key, state in rows.items() if key not in failed}, sink, receiver, 1)
        figures.events = len(rows)
        figures.lost += 499 - len(set(sink.keys()))
        return figures


def patient(sink: Sink) -> dict[str, Any]:
    """A provider of mail that a busy machine does not make time out."""
    return {"name": "smtp", "channels": ["email"], "port": sink.port, "slots": 8, "timeout": 9}


def mails(count: int) -> list[Record[Any]]:
    """An address, consent and one mail for each of ``count`` customers."""
    now = LiveClock().now()
    when: dict[str, Any] = {"source": "test", "occurred_at": now, "accepted_at": now}
    made: list[Record[Any]] = []
    for n in range(count):
        who: dict[str, Any] = {"workspace": "demo", "customer": f"c{n}"}
        identified = events.Identified(**who, pii={"email": f"c{n}@example.com"})
        made.append(CUSTOMERS.record(identified, id=f"i-{n}", **when))
        made.append(CUSTOMERS.record(events.ConsentGiven(**who, channel="email"), id=f"g-{n}", **when))
        message = SendMessage(
            **who,
            message_key=f"email-0-{n}",
            journey="f2",
            version=1,
            enrollment=f"e-{n}",
            state="thanks",
            channel="email",
            template="f2/thanks",
            decided_at=now,
            not_after=now + timedelta(days=1),
        )
        made.append(SENDS.record(message, id=message.message_key, **when))
    return made
