"""Every request that ingest's OpenAPI document shows is taken whole, and every route that takes events shows one."""

import json
from typing import Any

import jsonschema
import pytest

from tabiji_ingest.api import create_app
from tabiji_ingest.domain.examples import KEY
from tests.unit.ingest.support import LIVE, Door, basic

PATHS: dict[str, Any] = create_app(Door().accept).openapi()["paths"]
TAKING = {path: item["post"] for path, item in PATHS.items() if "requestBody" in item.get("post", {})}
SHOWN = [
    pytest.param(path, kind, name, shown["value"], id=f"{path} {kind.rpartition('/')[2]} {name}")
    for path, operation in TAKING.items()
    for kind, told in operation["requestBody"]["content"].items()
    for name, shown in told.get("examples", {}).items()
]


def test_every_route_that_takes_events_shows_one() -> None:
    assert len(TAKING) > 9
    assert {path for path in TAKING if not any(path == shown.values[0] for shown in SHOWN)} == set()


@pytest.mark.parametrize(("path", "kind", "name", "body"), SHOWN)
async def test_the_request_that_is_shown_fits_its_schema_and_is_answered_as_shown(
    path: str, kind: str, name: str, body: Any
) -> None:
    told = TAKING[path]
    jsonschema.validate(body, told["requestBody"]["content"][kind]["schema"])
    door = Door()
    key = {"Authorization": LIVE} if path.startswith("/api/public") else basic(LIVE)
    text = json.dumps(body).replace(KEY, "phc_TEST")
    answer = await door.http.post(path, content=text, headers={**key, "Content-Type": kind})
    assert (answer.status_code, answer.json()["rejected"]) == (200, []), answer.text
    assert door.log.records
    taken = told["responses"]["200"]["content"]["application/json"]
    jsonschema.validate(answer.json(), taken["schema"])
    assert answer.json() == taken["examples"][name]["value"]
