"""Views over HTTP: JSON and CSV, any zone, one currency, and whether they are true."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator

import httpx
import pytest

from tabiji_analytics.adapters.views import Views
from tabiji_analytics.api import create_app
from tabiji_analytics.domain.catalog import VIEWS
from tabiji_analytics.settings import AnalyticsSettings
from tests.integration.analytics.test_messages_and_journeys import moved, outcome
from tests.integration.analytics.yard import Yard, order

LIFE = [
    order("ann", "1", "2024-01-31T20:00", 100),
    order("ann", "2", "2024-03-10", 200),
    order("bob", "3", "2024-01-12", 30, currency="USD"),
    order("eve", "4", "2024-01-12", 30, workspace="other"),
    moved("entered", to_state="thanks"),
    outcome("sent"),
]


@pytest.fixture
async def http(yard: Yard) -> AsyncIterator[httpx.AsyncClient]:
    await yard.feed(LIFE)
    app = create_app(AnalyticsSettings(), Views(yard.pool, yard.patient), yard.patient)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://analytics") as client:
        yield client


async def test_the_list_names_every_view_and_its_columns(http: httpx.AsyncClient) -> None:
    listed = (await http.get("/v1/views")).json()["views"]

    assert [view["name"] for view in listed] == list(VIEWS)
    assert "ltv_minor" in listed[0]["columns"]


@pytest.mark.parametrize("name", VIEWS)
async def test_json_and_csv_hold_the_same_rows(http: httpx.AsyncClient, name: str) -> None:
    document = (await http.get(f"/v1/views/{name}?tz=UTC")).json()
    answer = await http.get(f"/v1/views/{name}?tz=UTC&format=csv")

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert document["rows"]
    assert table == [
        {column: "" if value is None else str(value) for column, value in row.items()} for row in document["rows"]
    ]
    assert list(table[0]) == document["columns"] == list(VIEWS[name].columns)


async def test_months_are_the_workspaces_unless_a_zone_is_asked_for(http: httpx.AsyncClient) -> None:
    async def cohorts(query: str) -> set[str]:
        rows = (await http.get(f"/v1/views/retention_monthly?currency=jpy{query}")).json()["rows"]
        return {row["cohort_month"] for row in rows}

    assert await cohorts("") == {"2024-02"}
    assert await cohorts("&tz=UTC") == {"2024-01"}
    assert await cohorts("&tz=America/New_York") == {"2024-01"}


async def test_a_currency_and_a_workspace_can_be_asked_for(http: httpx.AsyncClient) -> None:
    def of(answer: httpx.Response) -> set[tuple[str, str]]:
        return {(row["workspace"], row["currency"]) for row in answer.json()["rows"]}

    assert of(await http.get("/v1/views/ltv_by_cohort")) == {("demo", "JPY"), ("demo", "USD")}
    assert of(await http.get("/v1/views/ltv_by_cohort?currency=USD")) == {("demo", "USD")}
    assert of(await http.get("/v1/views/ltv_by_cohort?currency=USD&tz=Asia/Seoul")) == {("demo", "USD")}
    assert of(await http.get("/v1/views/ltv_by_cohort?workspace=other")) == {("other", "JPY")}
    assert of(await http.get("/v1/views/ltv_by_cohort?workspace=nobody")) == set()


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("/v1/views/rfm", 404, "name"),
        ("/v1/views/new_vs_existing?tz=Asia/Atlantis", 400, "tz"),
        ("/v1/views/new_vs_existing?tz=../../etc/passwd", 400, "tz"),
        ("/v1/views/new_vs_existing?tz=%00", 400, "tz"),
        ("/v1/views/new_vs_existing?format=xml", 422, "query.format"),
        ("/v1/views/new_vs_existing?workspace=%00", 400, "workspace"),
    ],
)
async def test_a_wrong_question_is_refused_with_its_field(
    http: httpx.AsyncClient, path: str, status: int, field: str
) -> None:
    answer = await http.get(path)

    assert answer.status_code == status
    assert answer.json()["error"]["field"] == field


async def test_drift_is_told_cell_by_cell(http: httpx.AsyncClient, yard: Yard) -> None:
    clean = (await http.get("/v1/drift")).json()
    assert clean["drift"] == 0
    assert "cells" not in clean  # the same figure under another name

    await yard.pool.execute("UPDATE frequency_cell SET customers = customers + 1 WHERE orders = 2")
    told = (await http.post("/v1/recompute")).json()

    assert told["drift"] > 0
    assert told["views"]["repeat_purchase"]["drift"] == told["drift"]
    assert told["differences"][0]["view"] == "repeat_purchase"
