"""A webhook over HTTP with a Standard Webhooks signature: keyed, the key is ``webhook-id``.

The receiver promises to act once for one ``webhook-id`` (also sent as ``idempotency-key``); 409 says that it has.

A receiver that cannot promise that may be asked instead: ``GET`` on the look-up URL answers ``{"found": true}`` or
``{"found": false}``, with 200 or 404. Anything else is no answer: a wrong URL must not look like an absent message.
"""

from __future__ import annotations

from urllib.parse import quote

import httpx
import msgspec
from standardwebhooks import Webhook

from tabiji_common.clock import Clock
from tabiji_dispatch.adapters.http import HttpClient, retry_after
from tabiji_dispatch.domain.message import Letter
from tabiji_dispatch.domain.outcomes import Result, Trace, Verdict
from tabiji_dispatch.settings import ProviderSettings

_ACCEPTED_BEFORE = 409
_NOT_NOW = frozenset({408, 425, 429})
_BAD_US = frozenset({401, 402, 403, 404, 405, 407, 410})


class WebhookProvider:
    """The ports ``Provider`` and ``Searchable`` over HTTP."""

    def __init__(self, settings: ProviderSettings, clock: Clock) -> None:
        self._url = settings.url
        self._lookup_url = settings.lookup_url
        self._clock = clock
        self._signer = Webhook(settings.secret)
        self._client = HttpClient(settings.slots)

    async def send(self, letter: Letter, timeout: float) -> Verdict:
        content = msgspec.json.encode(_message(letter))
        answer = await self._client.post(self._url, content, self._headers(letter.key, content), timeout)
        return answer if isinstance(answer, Verdict) else verdict_of(answer)

    async def look_up(self, key: str, timeout: float) -> Trace:
        url = self._lookup_url.replace("{key}", quote(key, safe=""))
        answer = await self._client.get(url, self._headers(key, b""), timeout)
        return Trace.UNSEEN if answer is None else trace_of(answer)

    async def close(self) -> None:
        await self._client.close()

    def _headers(self, key: str, content: bytes) -> dict[str, str]:
        at = self._clock.wall()  # the receiver compares it to its own wall
        return {
            "content-type": "application/json",
            "webhook-id": key,
            "idempotency-key": key,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": self._signer.sign(key, at, content.decode()),
        }


class _Found(msgspec.Struct):
    found: bool


def trace_of(answer: httpx.Response) -> Trace:
    """What a look-up was answered."""
    if answer.status_code not in {200, 404}:
        return Trace.UNSEEN
    try:
        found = msgspec.json.decode(answer.content, type=_Found).found
    except (msgspec.MsgspecError, RecursionError):
        return Trace.UNSEEN
    return Trace.FOUND if found else Trace.ABSENT


def verdict_of(answer: httpx.Response) -> Verdict:
    """The class of an answer, by its status."""
    status, wait = answer.status_code, retry_after(answer)
    detail = str(status)
    if 200 <= status < 300 or status == _ACCEPTED_BEFORE:
        return Verdict(Result.ACCEPTED, detail)
    if status in _NOT_NOW or (status == 503 and "retry-after" in answer.headers):
        return Verdict(Result.THROTTLED, detail, wait)
    if status == 503:
        return Verdict(Result.REFUSED, detail, outage=True)
    if status >= 500:
        return Verdict(Result.UNKNOWN, detail)
    if status in _BAD_US or 300 <= status < 400:
        return Verdict(Result.CONFIG, detail)
    return Verdict(Result.PERMANENT, detail)


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
