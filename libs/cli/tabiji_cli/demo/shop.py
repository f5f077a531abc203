"""The shop's side of the wire: posts a tick's inputs to ingest and writes down what was answered 200."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import httpx
import msgspec

from tabiji_cli import segment
from tabiji_cli.demo.inputs import waves
from tabiji_cli.demo.life import Input
from tabiji_cli.http import together
from tabiji_cli.ledger import Accepted, Bill, Ledger

PATIENCE = 60.0  # seconds of broken connections and 503 until the run fails
AGAIN = frozenset({429, 500, 502, 503, 504})


class _Order(msgspec.Struct):
    properties: Bill


_ORDER = msgspec.json.Decoder(_Order)


class NotAccepted(Exception):
    """Ingest refused events, or could not be reached for too long."""


class Shop:
    """Posts with one write key; retries keep their ids, so that nothing counts twice."""

    def __init__(self, client: httpx.AsyncClient, ingest: str, write_key: str, ledger: Ledger[Accepted]) -> None:
        self._client = client
        self._url = f"{ingest}/v1/batch"
        self._auth = httpx.BasicAuth(write_key, "")
        self._ledger = ledger
        self.accepted = 0

    async def post(self, inputs: Sequence[Input], now: datetime) -> None:
        """Post ``inputs`` and return once all are accepted, each customer's in order.

        ``now`` is when that is, in simulated time. Raises ``NotAccepted``.
        """
        for wave in waves(inputs):
            await together(self._post(part, now) for part in parts(wave))

    async def _post(self, part: list[Input], now: datetime) -> None:
        answer = await self._answered(segment.batch([step.body for step in part]))
        if rejected := msgspec.json.decode(answer.content or b"{}").get("rejected"):
            first = rejected[0]
            raise NotAccepted(
                f"ingest refused {len(rejected)} of {len(part)} events; "
                f"the first, {part[first['index']].kind}: {first['field']} {first['rule']}"
            )
        self._ledger.add(row_of(step, now) for step in part)
        self.accepted += len(part)

    async def _answered(self, body: bytes) -> httpx.Response:
        """The 200 of that batch, however often it takes."""
        until, pause = time.monotonic() + PATIENCE, 0.05
        while True:
            try:
                answer = await self._client.post(
                    self._url,
                    content=body,
                    auth=self._auth,
                    headers={"Content-Type": "application/json"},
                )
                if answer.status_code == 200:
                    return answer
                why = f"ingest answered {answer.status_code}: {answer.text[:300]}"
                if answer.status_code not in AGAIN:
                    raise NotAccepted(why)
            except httpx.TransportError as error:
                why = f"ingest cannot be reached: {error!r}"
            if time.monotonic() > until:
                raise NotAccepted(why)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)


def parts(wave: Iterable[Input]) -> Iterator[list[Input]]:
    """``wave`` in requests that ingest takes, one customer's events never spread over two of them."""
    customers: dict[str, list[Input]] = {}
    for step in wave:
        customers.setdefault(step.customer, []).append(step)
    part: list[Input] = []
    size = 0
    for steps in customers.values():
        bytes_ = sum(len(step.body) + 1 for step in steps)
        if part and (len(part) + len(steps) > segment.BATCH_EVENTS or size + bytes_ > segment.BATCH_BYTES):
            yield part
            part, size = [], 0
        part.extend(steps)
        size += bytes_
    if part:
        yield part


def row_of(step: Input, now: datetime) -> Accepted:
    return Accepted(
        id=step.message_id,
        kind=step.kind,
        customer=step.customer,
        occurred_at=step.occurred_at,
        at=now,
        bill=_ORDER.decode(step.body).properties if step.kind == "order_completed" else None,
    )
