"""The ceiling of ingest: the same framework, server and parser (ingest's own), with nothing behind them."""

from __future__ import annotations

import sys

import msgspec
import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from tabiji_common import garbage
from tabiji_ingest.domain.body import read_batch
from tabiji_ingest.domain.poison import read_event


async def take(request: Request) -> Response:
    """Parse the body as ingest does, count its events, answer."""
    body = await request.body()
    parts = read_batch(body).events if request.url.path.endswith("batch") else [body]
    events = [read_event(part) for part in parts]
    told = {"success": True, "accepted": len(events), "rejected": []}
    return Response(msgspec.json.encode(told), 200, media_type="application/json")


def main() -> None:
    app = FastAPI()
    for path in ("/v1/batch", "/v1/track"):
        app.add_api_route(path, take, methods=["POST"])
    garbage.settle()
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )


if __name__ == "__main__":
    main()
