"""Which of ingest's routes take an operator key, and which are anybody's: no route is either by accident."""

from typing import Any, cast

import pytest
from fastapi.routing import APIRoute

from tabiji_ingest.adapters.postgres_desk import WriteKeyDesk
from tabiji_ingest.api import create_app
from tabiji_ingest.api.desk import needs
from tests.unit.ingest.support import Door


def routes(desk: Any) -> set[tuple[str, str]]:
    app = create_app(Door().accept, cast("WriteKeyDesk", desk))
    found = [route for route in app.router.routes if isinstance(route, APIRoute)]
    return {(method, route.path) for route in found for method in route.methods or ()}


def test_every_route_that_operators_were_given_takes_their_key_and_no_other_does() -> None:
    theirs = routes(object()) - routes(None)
    assert len(theirs) == 5
    assert {needs(*route) for route in theirs} == {"admin", "read"}
    assert {needs(*route) for route in routes(None)} == {None}


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/v1/keyset", "/nothing"])
def test_who_has_no_key_is_told_of_paths_that_are_not_there(path: str) -> None:
    assert needs("GET", path) is None


def test_only_admins_see_write_keys() -> None:
    assert {needs(method, "/v1/keys/0a1b/rotate") for method in ("GET", "POST", "DELETE")} == {"admin"}
