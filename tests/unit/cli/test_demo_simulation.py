"""The loop of the demo against a world that keeps a diary."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import pytest

from tabiji_cli import ledger
from tabiji_cli.demo import inputs
from tabiji_cli.demo.readers import Readers
from tabiji_cli.demo.shop import NotAccepted, Shop, parts
from tabiji_cli.demo.simulation import Simulation
from tabiji_cli.demo.timemaster import Member, TimeMaster, tick_before
from tabiji_cli.ledger import Accepted, Ledger, Mail, Reaction
from tabiji_cli.letters import Letters
from tabiji_cli.mailbox import Mailbox
from tests.unit.cli.support import SEED, some_orders
from tests.unit.cli.test_demo_timemaster import FakeService


class World:
    """Ingest and one service; ``diary`` is what happened, in order."""

    def __init__(self, folder: Path, orders: int = 12) -> None:
        self.folder = folder
        self.plan = inputs.plan(some_orders(orders), SEED)
        self.service = FakeService("journey")
        self.diary: list[tuple[str, datetime, object]] = []
        self.fail = 0
        start = tick_before(self.plan.start)
        self.service.now = start
        client = httpx.AsyncClient(transport=httpx.MockTransport(self.answer))
        master = TimeMaster(client, start)
        master.watch([Member("journey", "http://journey")])
        shop = Shop(client, "http://ingest", "key", Ledger[Accepted](folder / "accepted.jsonl"))
        mailbox = Mailbox(Ledger[Mail](folder / "mailbox.jsonl"), lambda: master.now, SEED, Letters(folder / "mails"))
        readers = Readers(client, Ledger[Reaction](folder / "reactions.jsonl"))
        self.simulation = Simulation(self.plan, master, shop, mailbox, readers)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        now = self.simulation.master.now
        if request.url.host == "ingest":
            if self.fail:
                self.fail -= 1
                return httpx.Response(503)
            for message in msgspec.json.decode(request.content)["batch"]:
                self.diary.append(("posted", now, message))
            return httpx.Response(200, json={"success": True})
        if request.url.path == "/hold":
            self.diary.append(("held", now, None))
            return httpx.Response(200)
        answer = self.service.answer(request)
        if request.url.path == "/tick":
            self.diary.append(("ticked", now, None))
        return answer


async def test_every_input_is_posted_once_in_the_tick_that_it_belongs_to(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert await world.simulation.play()
    posted = [(now, message) for what, now, message in world.diary if what == "posted"]
    assert len(posted) == len(world.plan.inputs)
    ticks = [now for what, now, _ in world.diary if what == "ticked"]
    for now, message in posted:
        assert isinstance(message, dict)
        happened = datetime.fromisoformat(message["timestamp"])
        following = min(tick for tick in ticks if tick > now)
        assert now < happened <= following


async def test_everybody_is_held_while_a_ticks_inputs_are_posted(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.simulation.play()
    held = False
    for what, _, _ in world.diary:
        assert what != "posted" or held
        held = what == "held" or (held and what == "posted")


async def test_ticks_with_nothing_due_are_skipped(tmp_path: Path) -> None:
    world = World(tmp_path, orders=2)
    await world.simulation.play()
    days = (world.simulation.end - tick_before(world.plan.start)).days
    assert 0 < world.simulation.ticks < days


async def test_a_service_with_something_due_gets_its_tick(tmp_path: Path) -> None:
    world = World(tmp_path, orders=2)
    due = datetime(1997, 2, 10, 1, tzinfo=UTC)
    world.service.due = due
    await world.simulation.play()
    assert datetime(1997, 2, 10, 3, tzinfo=UTC) in world.service.told


async def test_the_run_ends_after_the_last_orders_day_whatever_is_still_due(tmp_path: Path) -> None:
    world = World(tmp_path, orders=2)
    world.service.due = world.plan.end + timedelta(days=30)
    await world.simulation.play()
    assert world.simulation.master.now == world.simulation.end
    assert world.simulation.end - world.plan.end < timedelta(days=1)


async def test_a_stop_ends_the_run_between_two_ticks(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.simulation.stop.set()
    assert not await world.simulation.play()
    assert world.simulation.ticks == 0


async def test_what_is_answered_200_is_in_the_ledger_and_nothing_else(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fail = 3
    await world.simulation.play()
    kept = [row.id for row in ledger.read(tmp_path / "accepted.jsonl", Accepted)]
    assert sorted(kept) == sorted(step.message_id for step in world.plan.inputs)


async def test_a_refused_event_fails_the_run_by_its_field_and_rule(tmp_path: Path) -> None:
    world = World(tmp_path)
    client = httpx.AsyncClient(
        transport=httpx.MockTransport(
            lambda _: httpx.Response(200, json={"rejected": [{"index": 0, "field": "userId", "rule": "must not be 0"}]})
        )
    )
    shop = Shop(client, "http://ingest", "key", Ledger[Accepted](tmp_path / "other.jsonl"))
    with pytest.raises(NotAccepted, match="userId must not be 0"):
        await shop.post(world.plan.inputs[:1], world.plan.start)
    assert list(ledger.read(tmp_path / "other.jsonl", Accepted)) == []


def test_a_large_tick_is_posted_in_parts_that_split_no_customer() -> None:
    plan = inputs.plan(some_orders(600), SEED)
    found = list(parts(plan.inputs))
    assert len(found) > 1
    seen: set[str] = set()
    for part in found:
        customers = {step.customer for step in part}
        assert customers.isdisjoint(seen)
        seen |= customers
    assert sum(map(len, found)) == len(plan.inputs)
