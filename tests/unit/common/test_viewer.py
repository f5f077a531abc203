"""Every API's ``/docs`` comes from the service itself, and asks no other host for anything."""

from __future__ import annotations

import re

import httpx
import pytest
from fastapi import FastAPI

from tabiji_common import guard, viewer
from tabiji_common.service import Service
from tabiji_common.settings import Settings


@pytest.fixture
def http() -> httpx.AsyncClient:
    app = FastAPI(title="Tabiji <toy>", docs_url=None, redoc_url=None)
    Service("toy", Settings()).http(app)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://toy")


async def test_the_page_and_all_that_it_loads_are_the_services_own_and_need_no_key(http: httpx.AsyncClient) -> None:
    page = await http.get("/docs")
    assert "<title>Tabiji &lt;toy&gt;</title>" in page.text
    loaded = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', page.text)
    assert len(loaded) == 4
    for path in loaded:
        answer = await http.get(f"/{path}")
        assert (answer.status_code, guard.needs("GET", f"/{path}")) == (200, None), path
    script = await http.get("/docs/files/swagger-ui-bundle.js")
    assert len(script.content) > 500_000
    again = await http.get("/docs/files/swagger-ui-bundle.js", headers={"If-None-Match": script.headers["ETag"]})
    assert again.status_code == 304


async def test_its_policy_lets_in_nothing_else(http: httpx.AsyncClient) -> None:
    page = await http.get("/docs")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert not re.search(r"<script>|<style|\sstyle=|\son\w+=", page.text)


async def test_what_else_lies_in_that_package_needs_a_key() -> None:
    assert guard.needs("GET", "/docs/files/__init__.py") == "read"
    assert guard.needs("GET", "/redoc") == "read"


async def test_a_service_without_a_document_has_no_viewer() -> None:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    Service("toy", Settings()).http(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://toy") as http:
        assert (await http.get(viewer.PAGE)).status_code == 404
