"""Stepped time: nobody is left behind, and a run that cannot go on says who is in the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from tabiji_cli.demo import timemaster
from tabiji_cli.demo.timemaster import (
    Member,
    RunFailed,
    TimeMaster,
    next_due,
    tick_after,
    tick_at_or_after,
    tick_before,
)

START = datetime(1997, 1, 1, 3, tzinfo=UTC)
NEXT = datetime(1997, 1, 1, 11, tzinfo=UTC)


class FakeService:
    """An admin port that finishes ``left`` pieces of work, one a look."""

    def __init__(self, name: str, left: int = 0) -> None:
        self.name, self.left = name, left
        self.now = START
        self.work = 0
        self.down = 0
        self.deaf = 0
        self.owned = [0, 1, 2, 3]
        self.parked = 0
        self.due: datetime | None = None
        self.told: list[datetime] = []

    def idle(self) -> dict[str, Any]:
        if self.left:
            self.left -= 1
            self.work += 1
        return {
            "service": self.name,
            "now": self.now.isoformat(),
            "owned": self.owned,
            "partitions": 4,
            "lag": self.left,
            "unpublished": 0,
            "busy": bool(self.left),
            "work": self.work,
            "due": 0,
            "machine": 0,
            "next_due": self.due.isoformat() if self.due else None,
            "parked": self.parked,
        }

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            self.down -= 1
            raise httpx.ConnectError("refused")
        if request.url.path == "/tick":
            if self.deaf:
                self.deaf -= 1
                return httpx.Response(200)
            self.now = datetime.fromisoformat(msgspec.json.decode(request.content)["now"])
            self.told.append(self.now)
            return httpx.Response(200)
        return httpx.Response(200, json=self.idle())


def master_of(*services: FakeService) -> TimeMaster:
    named = {service.name: service for service in services}

    async def answer(request: httpx.Request) -> httpx.Response:
        return named[request.url.host].answer(request)

    master = TimeMaster(httpx.AsyncClient(transport=httpx.MockTransport(answer)), START)
    master.watch([Member(name, f"http://{name}") for name in named])
    return master


@pytest.mark.parametrize(
    ("instant", "before", "at_or_after", "after"),
    [
        ("1997-01-01T03:00Z", "1996-12-31T11:00Z", "1997-01-01T03:00Z", "1997-01-01T11:00Z"),
        ("1997-01-01T03:01Z", "1997-01-01T03:00Z", "1997-01-01T11:00Z", "1997-01-01T11:00Z"),
        ("1997-01-01T11:01Z", "1997-01-01T11:00Z", "1997-01-02T03:00Z", "1997-01-02T03:00Z"),
        ("1997-01-01T15:00Z", "1997-01-01T11:00Z", "1997-01-02T03:00Z", "1997-01-02T03:00Z"),
    ],
)
def test_ticks_are_noon_and_eight_in_tokyo(instant: str, before: str, at_or_after: str, after: str) -> None:
    when = datetime.fromisoformat(instant)
    found = (tick_before(when), tick_at_or_after(when), tick_after(when))
    assert found == tuple(datetime.fromisoformat(text) for text in (before, at_or_after, after))


async def test_a_tick_reaches_every_service() -> None:
    one, other = FakeService("journey"), FakeService("dispatch")
    master = master_of(one, other)
    await master.step(NEXT)
    assert one.now == other.now == NEXT


async def test_time_never_goes_back() -> None:
    with pytest.raises(ValueError, match="cannot step"):
        await master_of(FakeService("journey")).step(START)


async def test_a_tick_is_not_over_while_anybody_works() -> None:
    busy = FakeService("journey", left=7)
    master = master_of(busy, FakeService("dispatch"))
    await master.step(NEXT)
    await master.settle()
    assert busy.left == 0
    assert busy.work == 7


async def test_one_look_at_rest_is_not_enough() -> None:
    """Work that passes from one service to another while they are asked one by one is seen by the second look."""
    first, second = FakeService("journey"), FakeService("dispatch")
    handed_over = iter([False, False, True])
    plain = second.idle

    def idle() -> dict[str, Any]:
        if next(handed_over, False):
            second.left = 3
        return plain()

    second.idle = idle  # type: ignore[method-assign]
    master = master_of(first, second)
    await master.step(NEXT)
    first.work += 1
    await master.settle()
    before = second.work
    await master.settle()
    assert second.left == 0
    assert second.work >= before


async def test_a_service_that_is_down_is_waited_for_and_told_the_time_when_it_is_back() -> None:
    service = FakeService("journey")
    master = master_of(service)
    service.down = 6
    await master.step(NEXT)
    assert service.told == []
    await master.settle()
    assert service.now == NEXT


async def test_a_service_that_missed_the_tick_is_told_again() -> None:
    service = FakeService("journey")
    service.deaf = 2
    master = master_of(service)
    await master.step(NEXT)
    await master.settle()
    assert service.now == NEXT


async def test_a_partition_number_that_nobody_owns_is_not_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timemaster, "STALLED_AFTER", 0.1)
    service = FakeService("journey")
    service.owned = [0, 1, 2]
    with pytest.raises(RunFailed, match="journey owns 3 of 4"):
        await master_of(service).settle()


async def test_numbers_that_are_taken_over_late_are_waited_for() -> None:
    service = FakeService("journey")
    service.owned = []
    plain = service.idle

    def idle() -> dict[str, Any]:
        service.owned = list(range(min(4, len(service.owned) + 1)))
        return plain()

    service.idle = idle  # type: ignore[method-assign]
    seen = await master_of(service).settle()
    assert seen[0] is not None
    assert seen[0].owned == [0, 1, 2, 3]


async def test_two_processes_of_one_service_own_the_numbers_together() -> None:
    one, other = FakeService("one"), FakeService("other")
    one.owned, other.owned = [0, 1], [2, 3]
    master = master_of(one, other)
    for service in (one, other):
        plain = service.idle
        service.idle = lambda plain=plain: {**plain(), "service": "journey"}  # type: ignore[method-assign,misc]
    await master.settle()


async def test_a_parked_customer_fails_the_run() -> None:
    service = FakeService("journey")
    service.parked = 2
    with pytest.raises(RunFailed, match="journey parked 2 customers"):
        await master_of(service).settle()


async def test_a_run_that_does_not_move_says_who_is_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timemaster, "STALLED_AFTER", 0.1)
    stuck = FakeService("dispatch")
    busy: Callable[[], dict[str, Any]] = lambda: {**FakeService("dispatch").idle(), "machine": 3}  # noqa: E731
    stuck.idle = busy  # type: ignore[method-assign]
    with pytest.raises(RunFailed, match=r"nothing moves .* dispatch is not at rest.*machine=3"):
        await master_of(FakeService("journey"), stuck).settle()


async def test_a_service_that_comes_back_can_ask_for_the_time() -> None:
    from tabiji_cli.stack.ports import free_port

    master = master_of(FakeService("journey"))
    async with master.serve(free_port()) as url, httpx.AsyncClient() as client:
        assert (await client.get(f"{url}/time")).json() == {"now": START.isoformat(), "held": False}
        await master.step(NEXT)
        assert (await client.get(f"{url}/time")).json() == {"now": NEXT.isoformat(), "held": False}


async def test_the_next_due_instant_is_the_earliest_of_all_services() -> None:
    one, other = FakeService("journey"), FakeService("dispatch")
    one.due, other.due = START + timedelta(days=2), START + timedelta(days=1)
    assert next_due(await master_of(one, other).settle()) == START + timedelta(days=1)
