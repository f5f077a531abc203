"""A stand-in for LINE's push endpoint that remembers: retry keys for 24 hours, a monthly quota, who has blocked.

Answers as LINE's pages say. ``faults`` spoil requests: one name is used up by each request, in order.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

PUSH = "/v2/bot/message/push"
KEY_MEMORY = timedelta(hours=24)
MOST_MESSAGES, MOST_TEXT, MOST_BODY = 5, 5_000, 2 * 1024 * 1024
BILLING = ZoneInfo("Asia/Tokyo")
_USER = re.compile(r"U[0-9a-f]{32}")

Fault = Literal["", "drop_before", "drop_after", "silent_after", "500_before", "500_after", "429", "401", "503"]


@dataclass(frozen=True, slots=True)
class Push:
    """A request that was accepted; ``delivered`` is false where the person has blocked the account."""

    key: str
    to: str
    messages: list[dict[str, Any]]
    at: datetime
    delivered: bool = True


@dataclass
class LineServer:
    """LINE as far as pushes go; ``clock`` tells the time of keys and of the month, ``took`` hears of every delivery."""

    clock: Callable[[], datetime]
    token: str = "a channel access token"  # noqa: S105 - a stand-in's
    quota: int = 0
    blocked: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)  # ids that are nobody's
    faults: deque[Fault] = field(default_factory=deque)
    delay: float = 0.0
    took: Callable[[Push], None] = lambda _push: None
    accepted: list[Push] = field(default_factory=list)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    keep_requests: bool = False
    counted: Counter[str] = field(default_factory=Counter)  # month -> messages
    _keys: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    _gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def delivered(self) -> list[Push]:
        """What reached somebody, in order."""
        return [push for push in self.accepted if push.delivered]

    @asynccontextmanager
    async def serve(self, port: int) -> AsyncIterator[str]:
        """Answer on the loopback while the block runs; gives the URL."""
        app = web.Application(client_max_size=MOST_BODY)
        app.router.add_post(PUSH, self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            yield f"http://127.0.0.1:{port}"
        finally:
            self._gone.set()
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if self.keep_requests:
            self.requests.append(({name.lower(): value for name, value in request.headers.items()}, body))
        if self.delay:
            await asyncio.sleep(self.delay)
        fault = self.faults.popleft() if self.faults else ""
        if fault == "drop_before":
            return _drop(request)
        if fault in _SPOILT:
            return _error(*_SPOILT[fault])
        answer = self.push(request.headers.get("Authorization", ""), request.headers.get("X-Line-Retry-Key"), body)
        if fault == "drop_after":
            return _drop(request)
        if fault == "silent_after":
            await self._gone.wait()
        return _error(500, "Internal server error") if fault == "500_after" else answer

    def push(self, authorization: str, key: str | None, body: bytes) -> web.Response:  # noqa: PLR0911 - one row a rule
        """One push request, answered."""
        if authorization != f"Bearer {self.token}":
            return _error(401, "Authentication failed. Confirm that the access token in the header is valid.")
        if key is not None and not _is_uuid(key):
            return _error(400, "The retry key is invalid")
        now, request_id = self.clock(), str(uuid.uuid5(uuid.NAMESPACE_OID, f"{len(self.accepted)} {key}"))
        if key is not None and (known := self._keys.get(key)) and now - known[0] < KEY_MEMORY:
            return _error(409, "The retry key is already accepted", {"X-Line-Accepted-Request-Id": known[1]})
        try:
            asked = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return _error(400, "The request body could not be parsed as JSON (line: 1, column: 1)")
        if wrong := _wrong(asked):
            return web.json_response(
                {
                    "message": "The request body has 1 error(s)",
                    "details": [{"message": wrong[1], "property": wrong[0]}],
                },
                status=400,
            )
        if not _USER.fullmatch(asked["to"]):
            return _error(400, "The property, 'to', in the request body is invalid (line: -, column: -)")
        if asked["to"] in self.unknown:
            return _error(400, "Failed to send messages")
        return self._accept(key, asked, now, request_id)

    def _accept(self, key: str | None, asked: dict[str, Any], now: datetime, request_id: str) -> web.Response:
        month = f"{now.astimezone(BILLING):%Y-%m}"
        delivered = asked["to"] not in self.blocked
        if self.quota and delivered and self.counted[month] >= self.quota:
            return _error(429, "You have reached your monthly limit.")
        push = Push(key or "", asked["to"], asked["messages"], now, delivered)
        self.took(push)
        self.accepted.append(push)
        self.counted[month] += delivered
        if key is not None:
            self._keys[key] = now, request_id
        sent = [{"id": str(461230966842064896 + len(self.accepted) + n)} for n in range(len(asked["messages"]))]
        return web.json_response({"sentMessages": sent}, headers={"X-Line-Request-Id": request_id})


_SPOILT: dict[str, tuple[int, str]] = {
    "500_before": (500, "Internal server error"),
    "503": (503, "Service unavailable"),
    "429": (429, "The API rate limit has been exceeded. Try again later."),
    "401": (401, "Authentication failed. Confirm that the access token in the header is valid."),
}


def _wrong(asked: Any) -> tuple[str, str] | None:
    """The first property that breaks the reference's rules, and how."""
    if not isinstance(asked, dict) or not isinstance(asked.get("to"), str):
        return "to", "May not be empty"
    messages = asked.get("messages")
    if not isinstance(messages, list) or not 1 <= len(messages) <= MOST_MESSAGES:
        return "messages", f"Size must be between 1 and {MOST_MESSAGES}"
    for at, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            return f"messages[{at}].type", "May not be empty"
        if message["type"] == "text":
            text = message.get("text")
            if not isinstance(text, str) or not 1 <= len(text.encode("utf-16-le")) // 2 <= MOST_TEXT:
                return f"messages[{at}].text", f"Length must be between 1 and {MOST_TEXT}"
    return None


def _is_uuid(key: str) -> bool:
    try:
        return str(uuid.UUID(key)) == key.lower()
    except ValueError:
        return False


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"message": message}, status=status, headers=headers)


def _drop(request: web.Request) -> web.StreamResponse:
    """Cut the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
