"""HTTP to the services: one client, and many requests at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from httpx_aiohttp import AiohttpTransport


@asynccontextmanager
async def client(timeout: float = 30.0, headers: Mapping[str, str] | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """One HTTP client, on aiohttp's transport; every request has these headers."""
    async with httpx.AsyncClient(transport=AiohttpTransport(), timeout=timeout, headers=headers) as http:
        yield http


async def together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do all of it at once; the first error ends the rest and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
