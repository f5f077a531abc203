"""Stepped time: one clock for all services, moved from tick to tick once everybody has nothing left to do.

``GET /time`` tells a service that comes back where time stands; ``POST /tick`` on every admin port moves it;
``/idle`` says who is done.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as civil

import httpx
import msgspec
from aiohttp import web

from tabiji_cli.demo.life import SHOP_ZONE, at

TICKS = (civil(12), civil(20))  # in the shop's zone, outside of its quiet hours
PAUSES = (0.005, 0.025)  # seconds between two looks at /idle: the first, and the longest
ALL_AGAIN = 0.25  # seconds of looking at single services
STALLED_AFTER = 120.0  # seconds without any progress until the run fails


class RunFailed(Exception):
    """The simulation cannot go on; the message says who is in the way."""


class Idle(msgspec.Struct, frozen=True):
    """One process's answer to ``GET /idle``."""

    service: str
    now: datetime
    owned: list[int]
    partitions: int
    lag: int
    unpublished: int
    busy: bool
    work: int
    due: int
    machine: int
    next_due: datetime | None
    parked: int

    def at_rest(self, now: datetime) -> bool:
        """Whether nothing is left to do at ``now`` without a new input or a later tick."""
        left = self.lag + self.unpublished + self.due + self.machine
        return self.now == now and not self.busy and left == 0


@dataclass(frozen=True)
class Member:
    """A process that takes part in stepped time; ``admin`` is the URL of its admin port."""

    service: str
    admin: str


Snapshot = tuple[Idle | None, ...]


class _Stall:
    """Notices that nobody gets on; a service that dies again and again does less than it did before."""

    def __init__(self, members: int) -> None:
        self._most = [-1] * members
        self._moved = time.monotonic()

    def for_long(self, seen: Snapshot) -> bool:
        """Whether nobody has done more than ever before for ``STALLED_AFTER`` seconds."""
        works = [idle.work if idle else -1 for idle in seen]
        if any(work > most for work, most in zip(works, self._most, strict=True)):
            self._most = [max(pair) for pair in zip(works, self._most, strict=True)]
            self._moved = time.monotonic()
        return time.monotonic() - self._moved > STALLED_AFTER


class TimeMaster:
    """Holds the tick that time stands at. Services may die and come back at any point.

    ``client`` shows an operator key that may change time.
    """

    def __init__(self, client: httpx.AsyncClient, start: datetime) -> None:
        self._client = client
        self._members: Sequence[Member] = ()
        self._decoder = msgspec.json.Decoder(Idle)
        self.now = start
        self.held = False
        self.last: Snapshot = ()
        self.asked = 0

    def watch(self, members: Sequence[Member]) -> None:
        """These processes move together from now on."""
        self._members = members

    async def hold(self) -> None:
        """Ask everybody to apply nothing until the next tick, so that nobody acts on a part of what is posted for it.

        Without this a mail caused by the first of a tick's events could leave before the last one is in the log, and
        whether it did would hang on how fast both sides are.
        """
        self.held = True
        await asyncio.gather(*(self._post(member, "/hold") for member in self._members))

    async def step(self, to: datetime) -> None:
        """Move time to ``to`` everywhere; who is down asks when it comes back."""
        if to <= self.now:
            raise ValueError(f"time stands at {self.now}: it cannot step to {to}")
        self.now = to
        self.held = False
        await asyncio.gather(*(self._tell(member) for member in self._members))

    async def settle(self) -> Snapshot:
        """Wait until two looks in a row find everybody at rest and nothing done in between.

        Raises ``RunFailed`` where a customer is parked, or where nothing moves for two minutes.
        """
        stalled = _Stall(len(self._members))
        while True:
            first = await self.look()
            if reasons := self.in_the_way(first):
                if stalled.for_long(first):
                    raise RunFailed(f"nothing moves at {self.now}: " + "; ".join(reasons))
                await self._wait_for_each(first)
            elif first == await self.look():
                return first

    async def _wait_for_each(self, seen: Snapshot) -> None:
        """Ask those at work until they are not, one after the other in the order of the work; all again after a while.

        Every question costs the one that is asked, and nobody is done before those ahead of him.
        """
        until = time.monotonic() + ALL_AGAIN
        for number, member in enumerate(self._members):
            idle, pause = seen[number], PAUSES[0]
            while (idle is None or not idle.at_rest(self.now)) and time.monotonic() < until:
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, PAUSES[1])
                idle = await self._ask(member)
        if not any(idle is None or not idle.at_rest(self.now) for idle in seen):
            await asyncio.sleep(PAUSES[1])  # a partition number has no owner yet

    async def look(self) -> Snapshot:
        """Every process's ``/idle``, ``None`` for one that does not answer; a late one is told the time."""
        self.last = tuple(await asyncio.gather(*map(self._ask, self._members)))
        for member, idle in zip(self._members, self.last, strict=True):
            if idle is not None and idle.parked:
                raise RunFailed(f"{member.service} parked {idle.parked} customers at {self.now}")
            if idle is not None and idle.now < self.now:
                await self._tell(member)
        return self.last

    def in_the_way(self, seen: Snapshot) -> list[str]:
        """Why ``seen`` is not rest, one line for each reason."""
        reasons: list[str] = []
        for member, idle in zip(self._members, seen, strict=True):
            if idle is None:
                reasons.append(f"{member.service} does not answer")
            elif not idle.at_rest(self.now):
                reasons.append(f"{member.service} is not at rest: {idle}")
        owned: dict[str, set[int]] = {}
        for idle in filter(None, seen):
            owned.setdefault(idle.service, set()).update(idle.owned)
        reasons += [
            f"{idle.service} owns {len(owned[idle.service])} of {idle.partitions} partition numbers"
            for idle in filter(None, seen)
            if owned[idle.service] != set(range(idle.partitions))
        ]
        return reasons

    async def _ask(self, member: Member) -> Idle | None:
        self.asked += 1
        try:
            answer = await self._client.get(f"{member.admin}/idle")
            return self._decoder.decode(answer.content) if answer.status_code == 200 else None
        except (httpx.TransportError, msgspec.MsgspecError):
            return None  # down, or cut off from its log or database: not at rest in any case

    async def _tell(self, member: Member) -> None:
        await self._post(member, "/tick", now=self.now.isoformat())

    async def _post(self, member: Member, path: str, **body: str) -> None:
        try:
            answer = await self._client.post(f"{member.admin}{path}", json=body)
        except httpx.TransportError:
            return  # it is down: it asks for the time when it is back, and is told again until then
        if answer.status_code in {401, 403}:
            raise RunFailed(f"{member.service} does not take the time from this operator key: {answer.text}")

    @asynccontextmanager
    async def serve(self, port: int) -> AsyncIterator[str]:
        """Answer ``GET /time`` on the loopback while the block runs; gives the URL."""

        async def tell(_: web.Request) -> web.Response:
            return web.json_response({"now": self.now.isoformat(), "held": self.held})

        app = web.Application()
        app.router.add_get("/time", tell)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            yield f"http://127.0.0.1:{port}"
        finally:
            await runner.cleanup()


def tick_at_or_after(instant: datetime) -> datetime:
    """The first tick that is not before ``instant``, in UTC."""
    day = instant.astimezone(SHOP_ZONE).date()
    for candidate in (day, day + timedelta(days=1)):
        for clock in TICKS:
            if (tick := at(candidate, clock)) >= instant:
                return tick
    raise AssertionError("a day has a tick")


def tick_after(instant: datetime) -> datetime:
    """The first tick later than ``instant``, in UTC."""
    return tick_at_or_after(instant + timedelta(microseconds=1))


def tick_before(instant: datetime) -> datetime:
    """The last tick that is earlier than ``instant``, in UTC."""
    day = instant.astimezone(SHOP_ZONE).date()
    ticks = [at(day - timedelta(days=back), clock) for back in (0, 1) for clock in TICKS]
    return max(tick for tick in ticks if tick < instant)


def next_due(seen: Snapshot) -> datetime | None:
    """The earliest instant at which any service has something to do."""
    dues = [idle.next_due.astimezone(UTC) for idle in seen if idle and idle.next_due]
    return min(dues, default=None)
