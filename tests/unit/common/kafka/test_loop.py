"""Turns of the loop on the log in memory: what a turn that failed has planned is not taken for applied."""

from collections.abc import Callable
from copy import copy
from typing import Any

import pytest

from tabiji_common.clock import EPOCH, FOREVER
from tabiji_common.errors import Retry
from tabiji_common.events import CustomEvent
from tabiji_common.kafka.fake import FakeAppender, FakeLog, FakeMembership, FakeProbes, FakeReader
from tabiji_common.kafka.loop import Loop
from tabiji_common.kafka.merge import Place
from tabiji_common.kafka.outbox import Row
from tabiji_common.kafka.ownership import Taken
from tabiji_common.kafka.ports import Parts
from tabiji_common.kafka.transact import Plan, Written
from tabiji_common.kafka.turn import Applied
from tabiji_common.topics import CUSTOM, PURCHASES, Record
from tests.unit.common.kafka.machine import Machine
from tests.unit.common.kafka.records import START, row

A, B = (CUSTOM.name, 0), (PURCHASES.name, 0)


def said(type_: str, n: int) -> Record[CustomEvent]:
    body = CustomEvent(workspace="w", customer="c")
    return CUSTOM.record(body, id=f"{type_}{n}", source="test", occurred_at=START, accepted_at=START, type=type_)


class Database:
    """What PostgreSQL would hold; ``asked`` events are answered by a held send. Fails while ``fails`` says so."""

    def __init__(self) -> None:
        self.offsets: dict[Place, int] = {A: 0, B: 0}
        self.rows: list[Row] = []
        self.limit = FOREVER
        self.turns: list[tuple[list[str], list[str], bool]] = []
        self.fails: Callable[[Plan], bool] = lambda _: False

    async def commit(self, _pool: Any, plan: Plan) -> Written:
        self.limit = plan.turn.limit
        types, fails = [record.type for record in plan.turn.records], self.fails(plan)
        self.turns.append((types, sorted(plan.turn.released), fails))
        if fails:
            raise Retry("a deadlock")
        self.offsets |= {place: new for place, (_, new) in plan.moves.items()}
        gone = set(plan.acked)
        self.rows = [one for one in self.rows if one.slot not in gone]
        made = [row(0, len(self.turns), "w:c", held=True) for type_ in types if type_ == "asked"]
        self.rows += [copy(one) for one in made]
        return Written(plan.turn, Applied(), made, [], [], 0, {}, [])


class Pipeline:
    async def changed(self, owned: frozenset[int]) -> None: ...

    def committed(self, turn: Any, applied: Any) -> None: ...


class World:
    """One process that owns the one number there is; ``turn`` is what ``Loop.run`` does again and again."""

    def __init__(self, *, most: int) -> None:
        self.log, self.database = FakeLog(partitions=1), Database()
        self.appender = FakeAppender(self.log)
        pool: Any = None
        member = FakeMembership(self.log, "toy")
        parts = Parts(pool, Machine(), member, FakeReader(self.log), FakeProbes(self.log), self.appender)
        self.loop = Loop("toy", parts, [A[0], B[0]], partitions=1, poll_records=most)
        self.loop.ownership.take = self.take  # type: ignore[method-assign]
        self.loop.pipeline = Pipeline()  # type: ignore[assignment]
        self.loop.transactor = self.database  # type: ignore[assignment]
        self.epoch = 0

    async def take(self, wanted: frozenset[int], new: frozenset[int]) -> Taken:
        self.epoch += bool(new)
        self.loop.ownership.epochs, self.loop.ownership.offsets = {0: self.epoch}, dict(self.database.offsets)
        return Taken(dict(self.database.offsets), [copy(one) for one in self.database.rows], {})

    async def turn(self) -> None:
        try:
            await self.loop._settle_ownership()
            await self.loop._turn()
        except Retry:
            self.loop.stale, self.loop.most = True, max(1, self.loop.most // 2)
        await self.loop.publisher.drain()

    @property
    def sent(self) -> int:
        """Sends that the log has; the inputs' topic holds what ``said`` made, and no row."""
        return sum(kept.value == b"{}" for kept in self.log.kept.get(A, []))


@pytest.fixture
async def world() -> World:
    """A send that waits, and the event that would withdraw it behind it in the log."""
    made = World(most=2)
    await made.turn()
    await made.appender.append([said(type_, n) for n, type_ in enumerate(["asked", "other", "other", "bought"])])
    while not made.loop.outbox.waiting:
        await made.turn()
    return made


async def test_a_turn_that_failed_releases_nothing_that_it_had_not_applied(world: World) -> None:
    world.database.fails = lambda _: len(world.database.turns) == failing
    failing = len(world.database.turns)
    for _ in range(4):
        await world.turn()
    released = [types for types, ids, failed in world.database.turns if ids and not failed]
    assert world.database.turns[failing] == (["other", "bought"], ["r0.2"], True)
    assert released == [["bought"]], world.database.turns


async def test_a_send_leaves_though_every_other_turn_fails_and_the_log_is_always_a_step_ahead() -> None:
    world, ends = World(most=16), FakeProbes.ends

    class Ahead(FakeProbes):
        async def ends(self, places: Any) -> dict[Place, int]:
            await world.appender.append([said("other", 0)])
            return await ends(self, places)

    world.loop.parts.probes = Ahead(world.log)
    await world.appender.append([said("asked", 0)])
    world.database.fails = lambda _: len(world.database.turns) % 2 == 1
    for _ in range(20):
        await world.turn()
    assert world.sent == 1, world.database.turns


async def test_after_a_rebalance_a_send_waits_for_what_the_log_held_then(world: World) -> None:
    world.loop.ownership.forget(frozenset({0}))
    world.loop.stale = True
    while not world.sent:
        await world.turn()
    applied = [(types, ids) for types, ids, _ in world.database.turns if types or ids]
    assert applied[-1] == (["other", "bought"], ["r0.2"])
    assert world.loop.ownership.epochs == {0: 2}


async def test_after_a_rebalance_a_send_left_over_may_have_been_published(world: World) -> None:
    inherited: list[frozenset[str]] = []

    def look(plan: Plan) -> bool:
        inherited.append(plan.turn.inherited)
        return False

    world.database.fails = look
    assert world.loop.outbox.inherited(world.loop.ownership.epochs) == frozenset()
    world.loop.ownership.forget(frozenset({0}))
    world.loop.stale = True
    await world.turn()
    assert inherited == [{"r0.2"}], "its row says that it is held; what became of it the owner before knew"


async def test_while_timers_are_paused_no_turn_may_fire_any(world: World) -> None:
    assert world.database.limit == START
    world.loop.ownership.restore.lost("the newest turns")
    await world.appender.append([said("later", 0)])
    while "later" not in world.database.turns[-1][0]:
        await world.turn()
    assert world.database.limit == EPOCH


class Stopping(FakeProbes):
    stopped = False

    async def stop(self) -> None:
        self.stopped = True


async def test_who_cannot_join_lets_go_of_what_it_has_connected() -> None:
    world = World(most=2)
    probes, parts = Stopping(world.log), world.loop.parts

    async def refused() -> None:
        raise Retry("no broker answers")

    parts.probes, parts.membership.start = probes, refused  # type: ignore[method-assign]
    with pytest.raises(Retry):
        await world.loop.run(Pipeline(), inbox=frozenset())  # type: ignore[arg-type]
    assert probes.stopped
