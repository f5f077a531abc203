"""HTTP that services with state share: who is parked, and a command into the customer's own order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import asyncpg
from fastapi import FastAPI, Query, Request

from tabiji_common.clock import Clock
from tabiji_common.commands import Payload
from tabiji_common.identity import closed_id
from tabiji_common.topics import Record, Topic, derived_id, split_key

Append = Callable[[Sequence[Record[Any]]], Awaitable[None]]

_PARKED = """
SELECT k.key, k.since, k.error, (SELECT count(*) FROM parked_record r WHERE r.key = k.key) AS records
FROM parked k ORDER BY k.since, k.key LIMIT $1
"""


async def ask(request: Request, append: Append, clock: Clock, topic: Topic[Any], verb: str, body: Payload) -> str:
    """Put a command into the log, in order with its customer's events; its id. Raises ``Retry``.

    Two requests with one ``Idempotency-Key`` are one command.
    """
    asked = request.headers.get("idempotency-key") or clock.wall().isoformat()
    id_ = derived_id("command", verb, body.workspace, body.customer, asked)
    service, now = topic.name.partition(".")[0], clock.now()
    record = topic.record(body, id=id_, source=f"tabiji/{service}/api", occurred_at=now, accepted_at=now, type=verb)
    await append([record])
    return id_


def add_list(app: FastAPI, pool: asyncpg.Pool[Any]) -> None:
    """``GET /v1/parked``."""

    @app.get("/v1/parked")
    async def parked(limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> dict[str, Any]:
        """Customers who stand still, the longest first, with the error and how many of their records wait."""
        rows = []
        for row in await pool.fetch(_PARKED, limit):
            workspace, customer = split_key(row["key"])
            who = {"workspace": workspace, "customer": customer}
            rows.append({**who, "since": row["since"], "error": row["error"], "records": row["records"]})
        return {"parked": rows}


def add_routes(
    app: FastAPI,
    pool: asyncpg.Pool[Any],
    append: Append,
    clock: Clock,
    topic: Topic[Any],
    command: type[Payload],
    secret: str = "",
) -> None:
    """``GET /v1/parked``, and ``POST …/unpark``, which puts an unpark ``command`` on ``topic``.

    A customer is named as the shop knows it; ``secret`` is the key of ids that are personal.
    """
    add_list(app, pool)

    @app.post("/v1/customers/{workspace}/{customer:path}/unpark", status_code=202)
    async def unpark(workspace: str, customer: str, request: Request) -> dict[str, str]:
        """Ask for a parked customer to go on, its records first: 202 once it is in the log."""
        body = command(workspace=workspace, customer=closed_id(customer, secret, workspace))
        return {"id": await ask(request, append, clock, topic, "unpark", body)}
