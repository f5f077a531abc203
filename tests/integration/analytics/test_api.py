"""Views over HTTP: JSON and CSV, any zone, one currency, and whether they are true."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from tabiji_analytics.adapters.stays import Stays
from tabiji_analytics.adapters.views import Views
from tabiji_analytics.api import create_app
from tabiji_analytics.domain.catalog import VIEWS
from tabiji_analytics.settings import AnalyticsSettings
from tabiji_common import events
from tabiji_common.clock import SteppedClock
from tabiji_common.commands import Transition
from tabiji_common.kafka.turn import Received
from tabiji_common.topics import TRANSITIONS
from tests.integration.analytics.test_messages_and_journeys import moved, outcome, reaction
from tests.integration.analytics.yard import Yard, at, order, record

LIFE = [
    order("ann", "1", "2024-01-31T20:00", 100),
    order("ann", "2", "2024-03-10", 200),
    order("bob", "3", "2024-01-12", 30, currency="USD"),
    order("eve", "4", "2024-01-12", 30, workspace="other"),
    moved("entered", to_state="thanks"),
    moved("moved", n=1, from_state="thanks", to_state="arrived"),
    outcome("sent"),
]


@pytest.fixture
async def http(yard: Yard) -> AsyncIterator[httpx.AsyncClient]:
    await yard.feed(LIFE)
    app = create_app(
        AnalyticsSettings(), Views(yard.pool, yard.patient), yard.patient, SteppedClock(at("2024-01-12T10:00"))
    )
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
        ("/v1/day?workspace=%00", 400, "workspace"),
        ("/v1/day?tz=Asia/Atlantis", 400, "tz"),
        ("/v1/day?day=yesterday", 422, "query.day"),
        ("/v1/day?day=9999-12-31", 400, "day"),
        ("/v1/stays?journey=f2&version=0", 400, "version"),
        ("/v1/stays?journey=%00&version=1", 400, "workspace"),
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


async def test_a_day_is_the_shops_and_tells_new_customers_from_existing_ones(
    http: httpx.AsyncClient, yard: Yard
) -> None:
    await yard.feed([order("ann", "9", "2024-01-12T14:59", 50), order("ann", "10", "2024-01-12T15:00", 70)])
    today = (await http.get("/v1/day")).json()

    assert (today["day"], today["zone"]) == ("2024-01-12", "Asia/Tokyo")
    assert today["orders"] == [
        {
            "currency": "JPY",
            "orders": 1,
            "sales_minor": 50,
            "new_customers": 1,
            "existing_customers": 0,
            "new_sales_minor": 50,
            "existing_sales_minor": 0,
        },
        {
            "currency": "USD",
            "orders": 1,
            "sales_minor": 30,
            "new_customers": 1,
            "existing_customers": 0,
            "new_sales_minor": 30,
            "existing_sales_minor": 0,
        },
    ]
    [next_day] = (await http.get("/v1/day?day=2024-01-13")).json()["orders"]
    assert (next_day["existing_customers"], next_day["existing_sales_minor"], next_day["new_customers"]) == (1, 70, 0)
    assert (await http.get("/v1/day?workspace=nobody")).json()["orders"] == []


async def test_a_days_messages_count_by_their_truth_and_what_was_sent_twice_is_told(
    http: httpx.AsyncClient, yard: Yard
) -> None:
    await yard.feed([outcome("unknown", "m2"), outcome("sent", "m2", 2), outcome("suppressed", "m3", reason="cap")])
    day = (await http.get("/v1/day?day=2024-01-10")).json()

    assert {(row["state"], row["reason"], row["messages"]) for row in day["messages"]} == {
        ("sent", "", 2),
        ("suppressed", "cap", 1),
    }
    assert day["moves"] == [{"journey": "f2", "what": "entered", "enrollments": 1}]
    assert day["doubled"] == 0
    await yard.feed([outcome("sent", "m2", 1)])
    assert (await http.get("/v1/day?day=2024-01-10")).json()["doubled"] == 1


async def test_a_customers_facts_are_told_newest_first(http: httpx.AsyncClient) -> None:
    told = (await http.get("/v1/customers/demo/ann/facts")).json()
    assert [(row["order_id"], row["amount_minor"], row["cancelled"]) for row in told["orders"]] == [
        ("2", 200, False),
        ("1", 100, False),
    ]
    assert (told["refunds"], told["touches"], told["reactions"]) == ([], [], [])
    assert (await http.get("/v1/customers/other/ann/facts")).json()["orders"] == []


async def test_a_days_reactions_are_those_of_people(http: httpx.AsyncClient, yard: Yard) -> None:
    kinds: list[type[events.EngagementEvent]] = [events.EmailOpened, events.EmailOpened, events.EmailClicked]
    machines = (False, True, False)
    await yard.feed([reaction(kind, machine=machine) for kind, machine in zip(kinds, machines, strict=True)])
    told = (await http.get("/v1/day?day=2024-01-11&tz=UTC")).json()
    assert told["reactions"] == [
        {"action": "email_clicked", "reactions": 1},
        {"action": "email_opened", "reactions": 1},
    ]
    assert (await http.get("/v1/day?day=2024-01-10&tz=UTC")).json()["reactions"] == []


def stays(enrollment: str, *hours: int) -> list[Received]:
    """Enters ``s0`` at midnight, then moves from each state to the next after so many hours."""
    found, when = [], at("2024-01-10")
    for n, hour in enumerate((0, *hours)):
        when += timedelta(hours=hour)
        body = Transition(
            workspace="demo",
            customer=enrollment,
            enrollment=enrollment,
            journey="stays",
            version=1,
            kind="moved" if n else "entered",
            at=when,
            from_state=f"s{n - 1}" if n else None,
            to_state=f"s{n}",
            seq=n + 1,
        )
        found.append(record(TRANSITIONS, body, f"{enrollment}-{n}", when))
    return found


async def test_the_median_stay_is_of_those_who_left_a_state(http: httpx.AsyncClient, yard: Yard) -> None:
    await yard.feed([*stays("a", 1, 10), *stays("b", 2), *stays("c", 9, 20), *stays("d")])
    told = (await http.get("/v1/stays?journey=stays&version=1")).json()
    assert told["sample"] == 1
    assert told["states"] == [
        {"state": "s0", "people": 3, "median_seconds": 2 * 3600.0},
        {"state": "s1", "people": 2, "median_seconds": 15 * 3600.0},
    ]
    assert (await http.get("/v1/stays?journey=stays&version=2")).json()["states"] == []


async def test_of_more_facts_than_are_read_at_once_a_part_is_drawn_and_said_to_be_one(yard: Yard) -> None:
    many = [one for n in range(400) for one in stays(f"e{n}", 3, 5)]
    await yard.feed(many)
    told = await Stays(yard.patient, pages=2).medians("demo", "stays", 1)
    assert 0 < told["sample"] < 1
    assert all(0 < row["people"] < 400 for row in told["states"])
    assert {row["median_seconds"] for row in told["states"]} <= {3 * 3600.0, 5 * 3600.0}
    assert told == await Stays(yard.patient, pages=2).medians("demo", "stays", 1)
