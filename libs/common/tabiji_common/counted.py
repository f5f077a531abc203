"""Counts what a service's API answers: how many, of which class of status, and after how long."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tabiji_common.metrics import HTTP_REQUESTS, HTTP_SECONDS


class Counted:
    """ASGI middleware; an answer that streams is timed up to its first byte."""

    def __init__(self, app: ASGIApp, group: str) -> None:
        self.app = app
        self._seconds = HTTP_SECONDS.labels(group)
        self._answers = {n: HTTP_REQUESTS.labels(group, f"{n}xx") for n in range(1, 6)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request. One whose handler fails is a 5xx."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, told = time.monotonic(), False

        async def answer(message: Message) -> None:
            nonlocal told
            if message["type"] == "http.response.start":
                told = True
                self._count(message["status"], begun)
            await send(message)

        try:
            await self.app(scope, receive, answer)
        except Exception:
            if not told:
                self._count(500, begun)
            raise

    def _count(self, status: int, begun: float) -> None:
        self._answers[status // 100].inc()
        self._seconds.observe(time.monotonic() - begun)
