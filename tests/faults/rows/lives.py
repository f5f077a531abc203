"""Row 31: random journeys and lives under random faults, on the journey's pipeline over the real database."""

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tabiji_common import events
from tabiji_common.commands import SendMessage, Transition
from tabiji_common.kafka.turn import Received
from tabiji_journey.adapters.clockwork import StoredClockwork
from tabiji_journey.adapters.journeys import PublishedJourneys
from tabiji_journey.domain.loader import Shop
from tabiji_journey.pipeline import JourneyPipeline
from tests.faults.ground import Ground
from tests.faults.lives import END, TICK, TICKS, Fate, Life, Oracle, Step, journeys, lives, name
from tests.faults.rows.time import moves, torn
from tests.faults.suite import Figures, row
from tests.integration.journey.desk import OWNED, Desk, open_desk
from tests.unit.journey.pipeline.people import MONDAY, outcome, received

EXAMPLES = 12
FAULTS = ("", "", "rolled back", "taken over", "again", "rolled back, taken over", "split")


class Crash(Exception):
    """The process ends here."""


@dataclass
class Told:
    """What a run of examples met."""

    examples: int = 0
    faults: int = 0
    events: int = 0
    mails: int = 0


class Story:
    """One random journey with its people; ``faults`` are had in turn, one a turn of the pipeline."""

    hasty = False
    """Whether timers fire while what happened before they were due is still unread."""

    def __init__(self, desk: Desk, number: int, steps: tuple[Step, ...], people: list[Life], faults: list[str]) -> None:
        self.desk, self.number, self.steps, self.people = desk, number, steps, people
        self.faults = itertools.cycle(faults)
        self.had = 0
        self.sent = len(desk.sent)
        self.answered: set[str] = set()

    def document(self) -> str:
        """The journey, with event types of its own."""
        lines = [f"id: j{self.number}", f"enter: {{on: start{self.number}, reenter: never}}"]
        lines += [f"exit: [{{on: bye{self.number}}}]", "start: s0", "states:"]
        for at, step in enumerate(self.steps):
            then, otherwise = name(step.then, self.steps), name(step.otherwise, self.steps)
            lines.append(
                f"  s{at}: "
                + {
                    "rest": f"{{wait: {{for: {step.hours}h}}, next: {then}}}",
                    "send": f"{{send: {{channel: email, template: t{at}}}, next: {then}}}",
                    "watch": f"{{wait: {{for: view{self.number}, timeout: {step.hours}h}}, then: {then},"
                    f" on_timeout: {otherwise}}}",
                }[step.kind]
            )
        return "\n".join([*lines, f"  {END}: {{end: true}}"])

    def happened(self, tick: int) -> list[Received]:
        """What people did since the tick before, each one's in order."""
        found = []
        for n, life in enumerate(self.people):
            for minute, kind in life.events:
                if tick - TICK < minute <= tick:
                    body = events.CustomEvent(workspace="w", customer=self.customer(n))
                    at = MONDAY + timedelta(minutes=minute)
                    id_ = f"{self.number} {n} {minute}"
                    found.append(received(body, id_, at, type_=f"{kind}{self.number}"))
        return found

    def customer(self, n: int) -> str:
        return f"p{self.number}-{n}"

    async def live(self) -> None:
        """Tick after tick: events, then timers, then mails and their outcomes, until nothing moves."""
        for tick in range(TICK, TICK * (TICKS + 1), TICK):
            now = MONDAY + timedelta(minutes=tick)
            await self.turn(self.happened(tick), now=now, fire=False, release=False)
            await self.turn([], now=now, release=False)
            while True:
                await self.turn([], now=now)
                told = [
                    received(outcome(send, "sent", now, send.customer), f"o {send.message_key}", now)
                    for send in self.mails()
                    if send.message_key not in self.answered
                ]
                if not told:
                    break
                self.answered |= {one.id.removeprefix("o ") for one in told}
                await self.turn(told, now=now, release=False)

    async def turn(self, records: Sequence[Received], **how: Any) -> None:
        """A turn, and what goes wrong with it."""
        fault = "split" if self.hasty else next(self.faults)
        self.had += bool(fault)
        if "rolled back" in fault:
            try:
                await self.crashing(records, **how)
            except Crash:
                await self.taken_over()
        if fault == "split":
            for record in records:
                await self.desk.takes(record, **{**how, "fire": self.hasty, "release": False})
            await self.desk.takes(**how)
        else:
            await self.desk.takes(*records, **how)
        if "taken over" in fault:
            await self.taken_over()
        if fault == "again":
            await self.desk.takes(*records, **how)

    async def crashing(self, records: Sequence[Received], **how: Any) -> None:
        """A turn that is written and not committed."""
        pipeline = self.desk.pipeline
        whole = pipeline.apply

        async def torn_off(*arguments: Any) -> Any:
            await whole(*arguments)
            raise Crash

        pipeline.apply = torn_off  # type: ignore[method-assign, assignment]
        try:
            await self.desk.takes(*records, **how)
        finally:
            pipeline.apply = whole  # type: ignore[method-assign]

    async def taken_over(self) -> None:
        """Another process, which knows only what is in the database."""
        self.desk.pipeline = JourneyPipeline(PublishedJourneys(Shop()), self.desk.customers, StoredClockwork())
        await self.desk.pipeline.changed(OWNED)

    def mails(self) -> list[SendMessage]:
        """Those that left."""
        return [r.body for r in self.desk.sent[self.sent :] if isinstance(r.body, SendMessage)]

    def fates(self) -> dict[str, Fate]:
        """What became of everybody, by what left the service."""
        found: dict[str, Fate] = defaultdict(Fate)
        for move in moves(self.desk):
            if move.journey == f"j{self.number}" and move.kind in {"entered", "moved", "finished", "exited"}:
                found[move.customer].path.append((self.place(move), (move.at - MONDAY) // timedelta(minutes=1)))
        for send in self.mails():
            found[send.customer].mails.append(send.template.rpartition("/")[2])
        return found

    @staticmethod
    def place(move: Transition) -> str:
        return "exited" if move.kind == "exited" else move.to_state or END

    def judge(self) -> None:
        """Against the oracle; what left twice is in ``mails`` twice."""
        found = self.fates()
        for n, life in enumerate(self.people):
            wanted = Oracle(self.steps, life).told()
            assert found[self.customer(n)] == wanted, f"{self.document()}\n{life}"
        assert max(Counter(send.message_key for send in self.mails()).values(), default=1) == 1
        assert not torn(moves(self.desk))


class Hasty(Story):
    """Planted: a runtime without a barrier for timers."""

    hasty = True


@row(
    31,
    runs=10,
    note="12 random journeys a run, each with three random lives; old enrollments on new code: row 8",
)
async def random_lives(place: Ground, seed_: int) -> Figures:
    """Each turn may be rolled back, read again, split, or taken over by a process that knows nothing."""
    async with place.plot() as (dsn, _, _):
        told = await asyncio.to_thread(examples, dsn, seed_)
    return Figures(told.faults, told.events, other={"journeys": told.examples, "mails": told.mails})


def examples(dsn: str, number: int, kind: type[Story] = Story, count: int = EXAMPLES, *, shrink: bool = True) -> Told:
    """Many, on one database, in a loop of their own; raises ``AssertionError`` with the smallest that went wrong."""
    told = Told()
    with asyncio.Runner() as runner:
        opened = open_desk(dsn)
        desk = runner.run(opened.__aenter__())

        @seed(number)
        @settings(
            max_examples=count,
            deadline=None,
            database=None,
            phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
            suppress_health_check=list(HealthCheck),
        )
        @given(journeys(), st.lists(lives(), min_size=3, max_size=3), st.lists(st.sampled_from(FAULTS), min_size=7))
        def tell(steps: tuple[Step, ...], people: list[Life], faults: list[str]) -> None:
            told.examples += 1
            story = kind(desk, told.examples, steps, people, faults)
            runner.run(through(story))
            told.faults += story.had
            told.events += sum(len(life.events) for life in people)
            told.mails += len(story.mails())

        try:
            tell()
        finally:
            runner.run(opened.__aexit__(None, None, None))
    return told


async def through(story: Story) -> None:
    await story.desk.publish(story.document())
    await story.live()
    story.judge()
    await story.desk.nobody_is_lost(MONDAY + timedelta(minutes=TICK * TICKS))
