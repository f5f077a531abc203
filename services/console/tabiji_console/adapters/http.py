"""The other services over HTTP: one client a process, the operator's key on every request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
from httpx_aiohttp import AiohttpTransport

from tabiji_console import metrics
from tabiji_console.ports import Away, Declined, LoginNeeded, NotAllowed, Query

TIMEOUT = httpx.Timeout(10.0, connect=2.0)
PATIENT = httpx.Timeout(120.0, connect=2.0)
_SLOW = ("/v1/drift", "/v1/recompute")


def make_client() -> httpx.AsyncClient:
    """The client of a process; its owner closes it."""
    return httpx.AsyncClient(transport=AiohttpTransport(), timeout=TIMEOUT)


class HttpDesk:
    """``ports.Desk``."""

    def __init__(self, client: httpx.AsyncClient, bases: Mapping[str, str]) -> None:
        self._client = client
        self._bases = bases

    def under(self, key: str) -> HttpServices:
        """The services, asked with this key."""
        return HttpServices(self._client, self._bases, key)


class HttpServices:
    """``ports.Services``."""

    def __init__(self, client: httpx.AsyncClient, bases: Mapping[str, str], key: str) -> None:
        self._client = client
        self._bases = bases
        self._key = key

    async def ask(self, service: str, path: str, query: Query | None = None) -> Any:
        """The JSON at ``path``."""
        return _decoded(service, await self._send(service, "GET", path, query))

    async def read(self, service: str, path: str, query: Query | None = None) -> str:
        """The text at ``path``."""
        return (await self._send(service, "GET", path, query)).text

    async def tell(
        self, service: str, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Send ``body`` as JSON; the JSON that comes back."""
        content = None if body is None else msgspec.json.encode(body)
        answer = await self._send(service, method, path, None, content, headers)
        return _decoded(service, answer) if answer.content else None

    async def _send(
        self,
        service: str,
        method: str,
        path: str,
        query: Query | None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        sent = {**(headers or {})}
        if content is not None:
            sent["Content-Type"] = "application/json"
        if self._key:
            sent["Authorization"] = f"Bearer {self._key}"
        try:
            answer = await self._client.request(
                method,
                self._bases[service] + path,
                params={name: value for name, value in (query or {}).items() if value is not None},
                content=content,
                headers=sent,
                timeout=PATIENT if path in _SLOW else TIMEOUT,
            )
        except httpx.TransportError as error:
            metrics.AWAY.labels(service).inc()
            raise Away(service) from error
        return _checked(service, answer)


def _checked(service: str, answer: httpx.Response) -> httpx.Response:
    if answer.status_code == 401:
        raise LoginNeeded
    if answer.status_code == 403:
        raise NotAllowed(service, _rule(answer))
    if answer.status_code >= 500:
        metrics.AWAY.labels(service).inc()
        raise Away(service)
    if answer.status_code >= 400:
        raise Declined(service, answer.status_code, _rule(answer))
    return answer


def _rule(answer: httpx.Response) -> str:
    """What the service says is wrong, as ``field: rule``."""
    try:
        error = msgspec.json.decode(answer.content)["error"]
        return ": ".join(filter(None, (_plain(error.get("field", "")), _plain(error["rule"]))))
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return answer.reason_phrase


def _plain(told: Any) -> str:
    """What a service says, for people: several things one after the other, never as a list of code."""
    return ", ".join(map(str, told)) if isinstance(told, list) else str(told)


def _decoded(service: str, answer: httpx.Response) -> Any:
    try:
        return msgspec.json.decode(answer.content)
    except msgspec.DecodeError as error:
        raise Away(service) from error
