"""Figures of an open page, told as they change: server-sent events of ``{"ids": {id: text}}``."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi.responses import StreamingResponse

from tabiji_console import metrics
from tabiji_console.api.stream import STALE, Ask, Stream
from tabiji_console.api.visit import Visit
from tabiji_console.ports import Away, Declined, LoginNeeded, NotAllowed

LONGEST_STREAM = 3600.0
PROOF_AGAIN = 30.0


async def tell_live(visit: Visit, name: str, ask: Ask[Visit], seconds: float | None = None) -> StreamingResponse:
    """What ``ask`` answers, again and again until the page is left; pages of one ``name`` share the asking.

    A page is told what was asked under another operator's key, so its own is tried first, and again every half minute.
    Raises ``LoginNeeded`` or ``NotAllowed``.
    """
    proven = await _may_read(visit)
    every = seconds or visit.house.settings.console_live_seconds

    async def told() -> AsyncGenerator[str, None]:
        metrics.STREAMS.inc()
        try:
            async with aclosing(_checked(visit, name, ask, every, proven=proven)) as messages:
                async for message in messages:
                    yield message
        finally:
            metrics.STREAMS.dec()

    return StreamingResponse(told(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _checked(
    visit: Visit, name: str, ask: Ask[Visit], every: float, *, proven: bool
) -> AsyncGenerator[str, None]:
    """A stream's messages to somebody who may read them."""
    proof_every = max(1, int(PROOF_AGAIN / every))
    count = 0
    async with aclosing(_joined(visit, name, ask, every)) as messages:
        async for message in messages:
            count += 1
            if count > max(1, LONGEST_STREAM / every):
                return
            try:
                if not proven or count % proof_every == 0:
                    proven = await _may_read(visit) or proven
            except (LoginNeeded, NotAllowed):
                return
            yield message if proven else STALE


async def _joined(visit: Visit, name: str, ask: Ask[Visit], every: float) -> AsyncGenerator[str, None]:
    """The one stream of that name; it is forgotten with its last page."""
    streams = visit.house.streams
    stream = streams.setdefault(name, Stream(ask, every))
    try:
        async with aclosing(stream.messages(visit)) as messages:
            async for message in messages:
                yield message
    finally:
        if stream.idle and streams.get(name) is stream:
            del streams[name]


async def _may_read(visit: Visit) -> bool:
    """Whether a service says that this key reads; false where none can be asked. Raises where it says no."""
    try:
        await visit.services.ask("journey", "/v1/journeys", {"workspace": visit.workspace})
    except (Away, Declined):
        return False
    return True
