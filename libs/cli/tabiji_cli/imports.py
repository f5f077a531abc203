"""orders.csv -> ingest's ``POST /v1/batch?mode=backfill``: history updates profiles and views and starts no journey.

The whole file is read first; nothing is posted where a line is wrong. An import that broke off is simply run again:
an order counts once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tabiji_cli import segment
from tabiji_cli.csvorders import LATEST, BadLine, ImportedOrder, read
from tabiji_cli.http import together
from tabiji_common.topics import derived_id

T = TypeVar("T")
AT_ONCE = 4
BATCH = 500
PATIENCE = 60.0
SHOWN = 10
_KEY = "\ngive a key of scope backfill by --key or TABIJI_WRITE_KEY; `tabiji up` on this machine has one of its own"
_ADVICE = {401: _KEY, 403: _KEY, 404: "\ngive ingest's address by --url or TABIJI_INGEST_URL, without a path"}


class ImportFailed(Exception):
    """The import broke off; the message says at which line, and how to go on."""


@dataclass(frozen=True)
class Source:
    """Which lines of which file."""

    path: Path
    currency: str = "JPY"
    from_line: int = 0
    latest: datetime = LATEST

    def orders(self) -> Iterator[ImportedOrder]:
        """The orders, once ``check`` has found no line wrong."""
        found = read(self.path, self.currency, self.from_line, self.latest)
        return (order for order in found if isinstance(order, ImportedOrder))


def check(source: Source) -> int:
    """How many orders there are; raises ``ImportFailed`` with the first lines that are wrong."""
    bad: list[BadLine] = []
    count = 0
    for found in read(source.path, source.currency, source.from_line, source.latest):
        count += 1
        if isinstance(found, BadLine):
            bad.append(found)
    if bad:
        told = [str(one) for one in bad[:SHOWN]]
        rest = [f"and {len(bad) - SHOWN} more"] if len(bad) > SHOWN else []
        raise ImportFailed("\n".join([*told, *rest, "nothing was imported"]))
    return count


async def run(source: Source, url: str, write_key: str, console: Console, http: httpx.AsyncClient) -> int:
    """Import the file with a progress bar; how many orders were accepted. Raises ``ImportFailed`` or ``BadLine``."""
    total = check(source)
    importer = Importer(http, f"{url}/v1/batch?mode=backfill", write_key, source.path.name)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(source.path.name, total=total)
        for round_ in in_batches(in_batches(source.orders(), BATCH), AT_ONCE):
            await together(importer.post(batch) for batch in round_)
            bar.update(task, completed=importer.accepted)
    return importer.accepted


class Importer:
    """Posts orders of one file; ``accepted`` counts those that ingest has taken."""

    def __init__(self, http: httpx.AsyncClient, url: str, write_key: str, file: str) -> None:
        self._http = http
        self._url = url
        self._auth = httpx.BasicAuth(write_key, "")
        self._file = file
        self.accepted = 0

    async def post(self, orders: list[ImportedOrder]) -> None:
        """Post one batch, again and again while ingest is busy or away for less than a minute."""
        body = segment.batch([_message(order) for order in orders])
        until, pause = time.monotonic() + PATIENCE, 0.1
        while True:
            answer, why = await self._try(body)
            if answer is not None and answer.status_code in {200, 400}:
                self._refused(answer, orders)
                self.accepted += len(orders)
                return
            final = answer is not None and answer.status_code not in {429, 500, 502, 503, 504}
            if final or time.monotonic() > until:
                raise ImportFailed(f"{why}\ngo on with --from-line {orders[0].line} (repeats are harmless)")
            await asyncio.sleep(pause)
            pause = min(2 * pause, 2.0)

    async def _try(self, body: bytes) -> tuple[httpx.Response | None, str]:
        try:
            headers = {"Content-Type": "application/json"}
            answer = await self._http.post(self._url, content=body, auth=self._auth, headers=headers)
        except httpx.TransportError as error:
            return None, f"nobody answers at {self._url} ({type(error).__name__}): is `tabiji up` running, --url right?"
        return (
            answer,
            f"{self._url} answered {answer.status_code}: {_rule(answer)}{_ADVICE.get(answer.status_code, '')}",
        )

    def _refused(self, answer: httpx.Response, orders: list[ImportedOrder]) -> None:
        document = msgspec.json.decode(answer.content or b"{}")
        rejected = document.get("rejected") or []
        if answer.status_code == 400 and not rejected:
            raise ImportFailed(f"{self._file}, line {orders[0].line}: ingest refused the batch: {answer.text[:300]}")
        if rejected:
            told = [
                f"{self._file}, line {orders[one['index']].line}: {one['field']} {one['rule']}"
                for one in rejected[:SHOWN]
            ]
            raise ImportFailed("\n".join([*told, "the other lines of this batch were accepted; repeats are harmless"]))


def _rule(answer: httpx.Response) -> str:
    """What ingest says is wrong; what is not ingest's answer is only said to be none."""
    try:
        error = msgspec.json.decode(answer.content)["error"]
        return f"{error['field']} {error['rule']}".strip()
    except (msgspec.MsgspecError, KeyError, TypeError):
        return "that is no answer of ingest"


def _message(order: ImportedOrder) -> bytes:
    properties = {
        "order_id": order.order_id,
        "total": segment.major(order.amount_minor, order.currency),
        "currency": order.currency,
    }
    id_ = derived_id("import", order.order_id)
    return segment.track(order.customer_id, id_, order.ordered_at, "Order Completed", properties, order.medium)


def in_batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """``items`` in lists of ``size``, the last one maybe shorter."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
