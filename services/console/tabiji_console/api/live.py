"""Figures of an open page, told as they change: server-sent events of ``{"ids": {id: text}}``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import msgspec
from fastapi.responses import StreamingResponse

from tabiji_console import metrics
from tabiji_console.api.visit import Visit
from tabiji_console.ports import Away, Declined, LoginNeeded, NotAllowed

LONGEST_STREAM = 3600.0
Figures = Callable[[Visit], Awaitable[Mapping[str, str]]]


def tell_live(visit: Visit, figures: Figures, seconds: float | None = None) -> StreamingResponse:
    """Ask for ``figures`` again and again, until the page is left; a browser comes back by itself."""

    async def told() -> AsyncIterator[str]:
        metrics.STREAMS.inc()
        try:
            async for message in _messages(visit, figures, seconds or visit.house.settings.console_live_seconds):
                yield message
        finally:
            metrics.STREAMS.dec()

    return StreamingResponse(told(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _messages(visit: Visit, figures: Figures, every: float) -> AsyncIterator[str]:
    for _ in range(max(1, int(LONGEST_STREAM / every))):
        try:
            ids = await figures(visit)
        except (Away, Declined, NotAllowed):
            yield "event: stale\ndata: {}\n\n"
        except LoginNeeded:
            return
        else:
            yield f"data: {msgspec.json.encode({'ids': ids}).decode()}\n\n"
        await asyncio.sleep(every)
