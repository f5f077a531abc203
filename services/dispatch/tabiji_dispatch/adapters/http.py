"""One HTTP attempt over httpx (aiohttp underneath): the answer, or what its loss means for what was sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from tabiji_dispatch.domain.outcomes import Result, Verdict

_MOST_WAIT = 3_600.0


class _Payload:
    """The request's body, and whether the transport has asked for a byte of it."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.begun = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.begun = True
        yield self._content


class HttpClient:
    """A pool of ``slots`` connections. No redirect is followed and no proxy of the environment is used."""

    def __init__(self, slots: int) -> None:
        limits = httpx.Limits(max_connections=slots, max_keepalive_connections=slots)
        self._client = httpx.AsyncClient(
            transport=AiohttpTransport(limits=limits, trust_env=False),
            timeout=None,  # noqa: S113 - each attempt has its own, around everything
            trust_env=False,
        )

    async def post(
        self, url: str, content: bytes, headers: Mapping[str, str], timeout: float
    ) -> httpx.Response | Verdict:
        """The answer, or a verdict: ``unknown`` once a byte of the body was asked for, ``refused`` before."""
        payload = _Payload(content)
        try:
            async with asyncio.timeout(timeout):
                sized = {**headers, "content-length": str(len(content))}
                return await self._client.post(url, content=payload, headers=sized)
        except TimeoutError:
            return _lost(payload, "timeout")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            return Verdict(Result.CONFIG, "url")
        except (
            httpx.HTTPError,
            aiohttp.ClientError,
            OSError,
        ) as error:  # classes mislead; whether a byte left does not
            return _lost(payload, type(error.__cause__ or error).__name__)

    async def get(self, url: str, headers: Mapping[str, str], timeout: float) -> httpx.Response | None:
        """The answer, or ``None`` where there is none in time."""
        try:
            async with asyncio.timeout(timeout):
                return await self._client.get(url, headers=headers)
        except (TimeoutError, httpx.InvalidURL, httpx.HTTPError, aiohttp.ClientError, OSError):
            return None

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()


def retry_after(answer: httpx.Response) -> float | None:
    """Retry-After in seconds; a date is not worth a clock's difference, so back-off takes its place."""
    told = answer.headers.get("retry-after")
    if told is None or not told.strip().isdigit():
        return None
    return min(_MOST_WAIT, float(told))


def _lost(payload: _Payload, detail: str) -> Verdict:
    return Verdict(Result.UNKNOWN, detail) if payload.begun else Verdict(Result.REFUSED, detail, outage=True)
