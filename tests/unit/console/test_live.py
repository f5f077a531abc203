"""Live counts: one poll for all open pages, nobody asked while nobody looks, and no figures for whom may not read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tabiji_console.adapters.pages import make_pages
from tabiji_console.adapters.seal import Seal
from tabiji_console.api.journeys import live as journey_live
from tabiji_console.api.stream import STALE, Stream
from tabiji_console.api.today import live as today_live
from tabiji_console.api.visit import House, Visit
from tabiji_console.ports import Away, LoginNeeded
from tabiji_console.settings import ConsoleSettings
from tests.unit.console.support import Shop

SOON = 0.005


class Told:
    """Something to ask: counts how often it was, by whom; refuses whom it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refused: set[str] = set()
        self.away = False

    async def __call__(self, who: str) -> Mapping[str, Any]:
        self.asked.append(who)
        if who in self.refused:
            raise LoginNeeded
        if self.away:
            raise Away("journey")
        return {"ids": {"n": str(len(self.asked))}}


async def next_of(*streams: AsyncIterator[str]) -> list[str]:
    async with asyncio.timeout(20):
        return list(await asyncio.gather(*(anext(stream) for stream in streams)))


async def test_two_pages_are_told_the_same_answers_and_one_is_asked() -> None:
    told = Told()
    stream = Stream(told, SOON)
    async with aclosing(stream.messages("a")) as one, aclosing(stream.messages("b")) as other:
        for _ in range(3):
            first, second = await next_of(one, other)
            assert first == second
        assert set(told.asked) == {"a"}


async def test_who_comes_later_is_told_the_newest_at_once() -> None:
    stream = Stream(Told(), 3600)
    async with aclosing(stream.messages("a")) as one:
        first = await next_of(one)
        async with aclosing(stream.messages("b")) as other:
            assert await next_of(other) == first


async def test_nobody_is_asked_once_the_last_page_is_left() -> None:
    told = Told()
    stream = Stream(told, SOON)
    async with aclosing(stream.messages("a")) as one:
        await next_of(one)
    assert stream.idle
    count = len(told.asked)
    await asyncio.sleep(20 * SOON)
    assert len(told.asked) == count


async def test_who_may_read_no_more_is_told_no_more_and_the_next_one_asks() -> None:
    told = Told()
    stream = Stream(told, SOON)
    async with aclosing(stream.messages("a")) as one, aclosing(stream.messages("b")) as other:
        await next_of(one, other)
        told.refused = {"a"}
        while told.asked[-1] != "b":
            await next_of(other)
        async with asyncio.timeout(20):
            late = [message async for message in one]
        assert len(late) <= 1, "more than what was on its way"


async def test_whose_key_is_refused_after_its_page_was_left_ends_nobody_elses() -> None:
    """As when somebody logs out while its question is out."""
    told, asking, answered = Told(), asyncio.Event(), asyncio.Event()

    async def ask(who: str) -> Mapping[str, Any]:
        if who in told.refused:
            asking.set()
            await answered.wait()
        return await told(who)

    stream = Stream(ask, SOON)
    async with aclosing(stream.messages("b")) as other:
        async with aclosing(stream.messages("a")) as one:
            first = asyncio.ensure_future(anext(one))
            await asyncio.sleep(0)
            await next_of(other)
            await first
            told.refused = {"a"}
            async with asyncio.timeout(20):
                await asking.wait()
        answered.set()
        while told.asked[-1] != "b":
            await next_of(other)


async def test_a_service_that_is_away_makes_every_page_stale_until_it_is_back() -> None:
    told = Told()
    told.away = True
    stream = Stream(told, SOON)
    async with aclosing(stream.messages("a")) as one:
        assert await next_of(one) == [STALE]
        told.away = False
        while await next_of(one) == [STALE]:
            pass


async def test_an_error_in_asking_ends_the_pages_and_hangs_none() -> None:
    async def broken(_: str) -> Mapping[str, Any]:
        raise ZeroDivisionError

    stream = Stream(broken, SOON)
    async with asyncio.timeout(20), aclosing(stream.messages("a")) as one:
        with pytest.raises(ZeroDivisionError):
            await anext(one)
    assert stream.idle


@asynccontextmanager
async def pages(*answers: Response) -> AsyncIterator[list[AsyncIterator[str]]]:
    """The streams of open pages; they are left at the end of the block."""
    streams: list[Any] = [cast("StreamingResponse", answer).body_iterator for answer in answers]
    yield streams
    for stream in streams:
        await stream.aclose()


def visit(house: House, key: str) -> Visit:
    return Visit(Request({"type": "http", "headers": []}), house, "ja", "auto", key, "visitor")


def house(shop: Shop) -> House:
    return House(ConsoleSettings(console_live_seconds=SOON), shop, Seal("secret", 3600), make_pages())


async def test_open_pages_of_two_operators_share_one_stream_and_the_services_are_asked_under_one_key() -> None:
    shop = Shop(keys=frozenset({"one", "other"}))
    made = house(shop)
    mine, theirs = await today_live(visit(made, "one")), await today_live(visit(made, "other"))
    async with pages(mine, theirs) as (one, other):
        for _ in range(3):
            first, second = await next_of(one, other)
            assert first == second
        assert list(made.streams) == ["today"]
    assert {key for service, path, key in shop.asked if path == "/v1/day"} == {"one"}
    assert made.streams == {}


async def test_whom_the_services_do_not_know_is_not_told_what_another_one_asked_for() -> None:
    shop = Shop(keys=frozenset({"one"}))
    made = house(shop)
    mine = await today_live(visit(made, "one"))
    async with pages(mine) as (one,):
        await next_of(one)
        with pytest.raises(LoginNeeded):
            await today_live(visit(made, "wrong"))


async def test_a_key_that_cannot_be_tried_sees_nothing_until_it_can() -> None:
    shop = Shop(keys=frozenset({"one"}))
    made = house(shop)
    mine = await today_live(visit(made, "one"))
    async with pages(mine) as (one,):
        await next_of(one)
        shop.away = {"journey"}
        theirs = await today_live(visit(made, "wrong"))
        async with pages(theirs) as (other,):
            assert await next_of(other) == [STALE]
            shop.away = set()
            async with asyncio.timeout(20):
                assert {message async for message in other} <= {STALE}


async def test_a_journeys_page_is_told_who_moved_since_the_last_answer() -> None:
    rows: list[dict[str, Any]] = []
    shop = Shop(
        {
            ("journey", "/v1/journeys/f2"): JOURNEY,
            ("analytics", "/v1/views/journey_flow"): lambda _: {"rows": list(rows)},
        }
    )
    told = await journey_live(visit(house(shop), ""), "f2", 1)
    async with pages(told) as (stream,):
        assert '"moves":[]' in (await next_of(stream))[0]
        rows.append(MOVED)
        seen = ""
        while '"moves":["a>b"]' not in seen:
            seen = (await next_of(stream))[0]


JOURNEY = {
    "journey": "f2",
    "now": "2026-11-24T06:12:40Z",
    "start": "a",
    "counts": [],
    "states": [
        {"state": "a", "kind": "wait", "ways": [{"to": "b", "by": "timer"}]},
        {"state": "b", "kind": "end", "ways": []},
    ],
}
MOVED = {"journey": "f2", "version": 1, "from_state": "a", "to_state": "b", "enrollments": 1, "transitions": 1}
