"""What every database that is not the one it was has in common: it sends nothing until a person lets it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import httpx

from tests.integration.dispatch.house import House
from tests.integration.dispatch.receiver import Receiver
from tests.integration.dispatch.sink import Sink
from tests.integration.dispatch.test_crashes import CUSTOMERS_A_ROUND, load
from tests.operator import BEARER


async def holds_all_until_released(home: House, sink: Sink, receiver: Receiver, why: str, **released: str) -> None:
    """Start on it with work to do: everything is held, ``why`` is told, and each message goes once it is released."""
    await home.send(load(0))
    home.start()
    await home.settle()
    held = await home.rows("SELECT DISTINCT state, reason FROM delivery")
    assert [tuple(row) for row in held] == [("held", "restore")]
    assert (sink.taken, receiver.acted) == ([], [])
    async with httpx.AsyncClient(base_url=home.url, headers=BEARER, timeout=60) as http:
        assert why in (await http.get("/v1/restore")).json()["why"]
        assert (await http.post("/v1/restore/release", json=released)).json() == {"released": True}
    await until(lambda: all_sent(home))
    await home.settle()
    assert len(sink.keys()) == len(receiver.acted) == CUSTOMERS_A_ROUND


async def all_sent(home: House) -> bool:
    return [row[0] for row in await home.rows("SELECT DISTINCT state FROM delivery")] == ["sent"]


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < end
        await asyncio.sleep(0.1)
