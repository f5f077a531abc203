"""A webhook over httpx (aiohttp underneath) with a Standard Webhooks signature: keyed, the key is ``webhook-id``.

The receiver promises to act once for one ``webhook-id`` (also sent as ``idempotency-key``); 409 says that it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import httpx
import msgspec
from httpx_aiohttp import AiohttpTransport
from standardwebhooks import Webhook

from tabiji_common.clock import Clock
from tabiji_dispatch.domain.message import Letter
from tabiji_dispatch.domain.outcomes import Result, Verdict
from tabiji_dispatch.settings import ProviderSettings

_ACCEPTED_BEFORE = 409
_NOT_NOW = frozenset({408, 425, 429})
_BAD_US = frozenset({401, 402, 403, 404, 405, 407, 410})
_MOST_WAIT = 3_600.0


class _Payload:
    """The request's body, and whether the transport has asked for a byte of it."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.begun = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.begun = True
        yield self._content


class WebhookProvider:
    """The port ``Provider`` over HTTP. No redirect is followed and no proxy of the environment is used."""

    def __init__(self, settings: ProviderSettings, clock: Clock) -> None:
        self._url = settings.url
        self._clock = clock
        self._signer = Webhook(settings.secret)
        limits = httpx.Limits(max_connections=settings.slots, max_keepalive_connections=settings.slots)
        self._client = httpx.AsyncClient(
            transport=AiohttpTransport(limits=limits, trust_env=False),
            timeout=None,  # noqa: S113 - each attempt has its own, around everything
            trust_env=False,
        )

    async def send(self, letter: Letter, timeout: float) -> Verdict:
        content = msgspec.json.encode(_message(letter))
        payload = _Payload(content)
        try:
            async with asyncio.timeout(timeout):
                response = await self._client.post(
                    self._url, content=payload, headers=self._headers(letter.key, content)
                )
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
        return verdict_of(response.status_code, response.headers.get("retry-after"))

    async def close(self) -> None:
        await self._client.aclose()

    def _headers(self, key: str, content: bytes) -> dict[str, str]:
        at = self._clock.wall()  # the receiver compares it to its own wall
        return {
            "content-type": "application/json",
            "content-length": str(len(content)),
            "webhook-id": key,
            "idempotency-key": key,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": self._signer.sign(key, at, content.decode()),
        }


def verdict_of(status: int, retry_after: str | None) -> Verdict:
    """The class of an HTTP status."""
    detail = str(status)
    if 200 <= status < 300 or status == _ACCEPTED_BEFORE:
        return Verdict(Result.ACCEPTED, detail)
    if status in _NOT_NOW or (status == 503 and retry_after is not None):
        return Verdict(Result.THROTTLED, detail, _seconds(retry_after))
    if status == 503:
        return Verdict(Result.REFUSED, detail)
    if status >= 500:
        return Verdict(Result.UNKNOWN, detail)
    if status in _BAD_US or 300 <= status < 400:
        return Verdict(Result.CONFIG, detail)
    return Verdict(Result.PERMANENT, detail)


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After in seconds; a date is not worth a clock's difference, so back-off takes its place."""
    if retry_after is None or not retry_after.strip().isdigit():
        return None
    return min(_MOST_WAIT, float(retry_after))


def _lost(payload: _Payload, detail: str) -> Verdict:
    return Verdict(Result.UNKNOWN if payload.begun else Result.REFUSED, detail)


def _message(letter: Letter) -> dict[str, object]:
    return {
        "type": "message.send",
        "timestamp": letter.dated,
        "data": {
            "message_key": letter.key,
            "channel": letter.channel,
            "to": letter.address,
            "subject": letter.subject,
            "text": letter.text,
            "html": letter.html,
            "unsubscribe_url": letter.unsubscribe_url,
        },
    }
