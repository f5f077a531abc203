"""An API's answers are counted by class of status; a handler that fails is a 5xx."""

import httpx
import pytest
from fastapi import FastAPI, Response
from prometheus_client import REGISTRY

from tabiji_common.counted import Counted


def counted(group: str) -> dict[str, float]:
    names = ["1xx", "2xx", "3xx", "4xx", "5xx"]
    found = {
        name: REGISTRY.get_sample_value("tabiji_runtime_http_requests_total", {"group": group, "status": name})
        for name in names
    }
    return {name: value for name, value in found.items() if value}


@pytest.mark.parametrize(
    ("path", "status"), [("/fine", "2xx"), ("/nowhere", "4xx"), ("/away", "5xx"), ("/broken", "5xx")]
)
async def test_an_answer_is_counted_once_and_timed(path: str, status: str) -> None:
    group = f"toy{path}"
    app = FastAPI()
    app.add_middleware(Counted, group=group)
    app.get("/fine")(lambda: "fine")
    app.get("/away")(lambda: Response(status_code=503))

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError(path)

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://toy") as client:
        await client.get(path)
    assert counted(group) == {status: 1}
    assert REGISTRY.get_sample_value("tabiji_runtime_http_request_seconds_count", {"group": group}) == 1
