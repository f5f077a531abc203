"""Readers of mails: fetch the real pixel, follow the real link, press the real unsubscribe button."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

import httpx

from tabiji_cli.demo.shop import PATIENCE, NotAccepted
from tabiji_cli.http import together
from tabiji_cli.ledger import Ledger, Reaction
from tabiji_cli.mailbox import Due

PERSON = "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko)"
MACHINE = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
AT_ONCE = 16


class Readers:
    """Does what the mailbox says that readers do; ``reactions`` keeps every answer."""

    def __init__(self, client: httpx.AsyncClient, ledger: Ledger[Reaction]) -> None:
        self._client = client
        self._ledger = ledger
        self._slots = asyncio.Semaphore(AT_ONCE)
        self.counts: dict[str, int] = {}

    async def react(self, dues: Sequence[Due], now: datetime) -> None:
        """Do all of it, one reader's steps in order, and return once each was answered. Raises ``NotAccepted``."""
        steps = sorted(dues, key=lambda due: (due.recipient, due))
        await together(self._read(list(own), now) for _, own in groupby(steps, key=lambda due: due.recipient))

    async def _read(self, steps: list[Due], now: datetime) -> None:
        async with self._slots:
            for step in steps:
                status = await self._follow(step)
                self._ledger.add([Reaction(key=step.key, what=step.what, at=now, status=status)])
                self.counts[step.what] = self.counts.get(step.what, 0) + 1

    async def _follow(self, step: Due) -> int:
        until = time.monotonic() + PATIENCE
        agent = MACHINE if step.what == "scan" else PERSON
        while True:
            try:
                answer = await self._request(step, {"User-Agent": agent})
                if answer.status_code < 400:
                    return answer.status_code
                why = f"{step.what} was answered {answer.status_code}: {answer.text[:200]}"
                if answer.status_code not in {429, 503}:
                    raise NotAccepted(why)
            except httpx.TransportError as error:
                why = f"{step.what} could not reach ingest: {error!r}"
            if time.monotonic() > until:
                raise NotAccepted(why)
            await asyncio.sleep(0.2)

    async def _request(self, step: Due, headers: dict[str, str]) -> httpx.Response:
        if step.what == "unsubscribe":  # RFC 8058
            form = {"List-Unsubscribe": "One-Click"}
            return await self._client.post(step.url, data=form, headers=headers)
        return await self._client.get(step.url, headers=headers, follow_redirects=False)
