"""One poll for all pages that wait for the same figures; nobody waits, nobody is asked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from tabiji_console import metrics
from tabiji_console.ports import Away, Declined, LoginNeeded, NotAllowed

STALE = "event: stale\ndata: {}\n\n"
W = TypeVar("W")
Ask = Callable[[W], Awaitable[Mapping[str, Any]]]


@dataclass(eq=False)
class _Seat(Generic[W]):
    """One page: it is told the newest message, and nothing that it was too slow for; ``None`` ends it."""

    who: W
    mail: asyncio.Queue[str | None] = field(default_factory=lambda: asyncio.Queue(1))
    broken: BaseException | None = None

    def tell(self, message: str | None) -> None:
        if self.mail.full():
            self.mail.get_nowait()
        self.mail.put_nowait(message)


class Stream(Generic[W]):
    """Asks ``ask`` every so many seconds while anybody listens, as the one of them who has listened longest.

    What is told is told to all of them: figures without words, for they read different languages. Whom the services do
    not know any more, or do not let read, is told no more, and the next one asks.
    """

    def __init__(self, ask: Ask[W], every: float) -> None:
        self._ask = ask
        self._every = every
        self._seats: list[_Seat[W]] = []
        self._newest = ""
        self._poll: asyncio.Task[None] | None = None
        self._left = asyncio.Event()
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def idle(self) -> bool:
        """Whether nobody listens."""
        return not self._seats

    async def messages(self, who: W) -> AsyncGenerator[str, None]:
        """The newest message at once, then each as it comes, until ``who`` may not read or leaves."""
        seat = _Seat(who)
        self._seats.append(seat)
        if self._newest:
            seat.tell(self._newest)
        if self._poll is None:
            self._left = asyncio.Event()
            self._poll = asyncio.create_task(self._keep_asking(self._left))
            self._poll.add_done_callback(self._end)
        try:
            while (message := await seat.mail.get()) is not None:
                yield message
            if seat.broken is not None:
                raise seat.broken
        finally:
            self._leave(seat)

    def _leave(self, seat: _Seat[W]) -> None:
        if seat in self._seats:
            self._seats.remove(seat)
        if self.idle and self._poll is not None:
            self._ending.add(self._poll)  # the question that is out may be answered, to nobody
            self._left.set()
            self._poll, self._newest = None, ""

    async def _keep_asking(self, left: asyncio.Event) -> None:
        while self._seats and not left.is_set():
            first = self._seats[0]
            told = await self._answer(first.who)
            if left.is_set():
                return
            if told is None:
                if first in self._seats:  # its page may have been left meanwhile
                    self._seats.remove(first)
                first.tell(None)
                continue
            self._newest = told
            for seat in self._seats:
                seat.tell(told)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(left.wait(), self._every)

    def _end(self, poll: asyncio.Task[None]) -> None:
        """The asking has ended by an error, or because nobody may read: nobody waits for what does not come."""
        if poll is not self._poll:  # the last page was left
            self._ending.discard(poll)
            return
        self._poll, self._newest = None, ""
        for seat in self._seats:
            seat.broken = None if poll.cancelled() else poll.exception()
            seat.tell(None)

    async def _answer(self, who: W) -> str | None:
        """A message; ``None`` where this one may not read."""
        metrics.POLLS.inc()
        try:
            told = await self._ask(who)
        except (Away, Declined):
            return STALE
        except (LoginNeeded, NotAllowed):
            return None
        return f"data: {msgspec.json.encode(told).decode()}\n\n"
