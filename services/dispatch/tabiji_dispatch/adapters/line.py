"""LINE's push message over HTTP: keyed by ``X-Line-Retry-Key``, which LINE remembers for 24 hours.

The classes follow LINE's own pages ("Retrying a failed API request", "Status codes", "Error messages"): 5xx and lost
answers are tried again with the same key, 409 names the request that was accepted before, 4xx never succeed later but
for the two meanings of 429. A person who has blocked the account is answered 200 and gets nothing; the block itself
comes as an event.
"""

from __future__ import annotations

import re
import uuid

import httpx
import msgspec

from tabiji_dispatch.adapters.http import HttpClient, retry_after
from tabiji_dispatch.domain.message import Letter
from tabiji_dispatch.domain.outcomes import Result, Verdict
from tabiji_dispatch.settings import ProviderSettings

PUSH = "/v2/bot/message/push"
_USER_ID = re.compile(r"U[0-9a-f]{32}")
_BAD_US = frozenset({401, 403, 404, 405, 407, 410})
_MONTHLY = "monthly limit"
_NOT_SENT = "failed to send messages"
_NAMESPACE = uuid.UUID("6f1d5a52-7d7c-5f5e-9d6b-9f8d3c0f8b11")


class LineProvider:
    """The port ``Provider`` over LINE's Messaging API."""

    def __init__(self, settings: ProviderSettings) -> None:
        self._url = settings.address().rstrip("/") + PUSH
        self._token = settings.token
        self._client = HttpClient(settings.slots)

    async def send(self, letter: Letter, timeout: float) -> Verdict:
        if not _USER_ID.fullmatch(letter.address):
            return Verdict(Result.PERMANENT, "address")
        content = msgspec.json.encode({"to": letter.address, "messages": msgspec.Raw(letter.text.encode())})
        headers = {
            "content-type": "application/json",
            "authorization": f"Bearer {self._token}",
            "x-line-retry-key": retry_key(letter.key),
        }
        answer = await self._client.post(self._url, content, headers, timeout)
        return answer if isinstance(answer, Verdict) else verdict_of(answer)

    async def close(self) -> None:
        await self._client.close()


def retry_key(key: str) -> str:
    """The message key as LINE wants it: a UUID in hexadecimal, made of the key where that is none."""
    try:
        return str(uuid.UUID(key))
    except ValueError:
        return str(uuid.uuid5(_NAMESPACE, key))


def verdict_of(answer: httpx.Response) -> Verdict:  # noqa: PLR0911 - one row each
    """The class of an answer."""
    status = answer.status_code
    if 200 <= status < 300:
        return Verdict(Result.ACCEPTED, str(status), reference=answer.headers.get("x-line-request-id", ""))
    if status == 409:
        accepted = answer.headers.get("x-line-accepted-request-id", "")
        return Verdict(Result.ACCEPTED if accepted else Result.UNKNOWN, "409", reference=accepted)
    if status >= 500 or status == 408:
        return Verdict(Result.UNKNOWN, str(status))
    said = _said(answer.content)
    if status == 429 and _MONTHLY in said.message:
        return Verdict(Result.CONFIG, "429 monthly limit")
    if status == 429:
        return Verdict(Result.THROTTLED, "429", retry_after(answer))
    if status in _BAD_US or 300 <= status < 400:
        return Verdict(Result.CONFIG, str(status))
    if _NOT_SENT in said.message:
        return Verdict(Result.PERMANENT, f"{status} recipient")
    if said.names_recipient:
        return Verdict(Result.PERMANENT, f"{status} to", suppress=True)
    return Verdict(Result.PERMANENT, str(status))


class _Detail(msgspec.Struct):
    property: str = ""


class _Error(msgspec.Struct):
    message: str = ""
    details: list[_Detail] = []

    @property
    def names_recipient(self) -> bool:
        """Whether LINE says that ``to`` is no id of its own."""
        return "'to'" in self.message or any(detail.property == "to" for detail in self.details)


def _said(body: bytes) -> _Error:
    try:
        error = msgspec.json.decode(body, type=_Error)
    except (msgspec.MsgspecError, RecursionError):
        return _Error()
    error.message = error.message.casefold()
    return error
