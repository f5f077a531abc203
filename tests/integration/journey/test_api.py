"""The journey service's HTTP over a real database; what goes to the log is caught by a list."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tabiji_common import parked
from tabiji_common.clock import SteppedClock
from tabiji_common.errors import Retry
from tabiji_common.identity import mail_id
from tabiji_common.topics import Record
from tabiji_journey.api import make_app
from tests.integration.journey.desk import Desk, open_desk
from tests.unit.journey.pipeline.people import CART, MONDAY, THANKS, after, cart, order, received


@dataclass
class Log:
    """Where commands go; ``broken`` makes their fate unknown."""

    records: list[Record[Any]] = field(default_factory=list)
    broken: bool = False

    async def append(self, records: Sequence[Record[Any]]) -> None:
        if self.broken:
            raise Retry("no ack")
        self.records += records


@pytest.fixture
async def desk(database: str) -> AsyncIterator[Desk]:
    async with open_desk(database, CART, THANKS) as desk:
        yield desk


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
async def http(desk: Desk, log: Log) -> AsyncIterator[httpx.AsyncClient]:
    app = make_app(desk.publisher, desk.views, log, SteppedClock(MONDAY), "w", secret="s")
    parked.add_list(app, desk.pool)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://journey") as client:
        yield client


async def test_a_document_becomes_the_next_version_once(http: httpx.AsyncClient) -> None:
    changed = CART.replace("{for: 4h}", "{for: 2h}")
    first = await http.post("/v1/journeys", content=changed)
    assert (first.status_code, first.json()) == (
        201,
        {"workspace": "w", "journey": "cart", "version": 2, "new": True},
    )
    assert (await http.post("/v1/journeys", content=changed)).json()["version"] == 2
    other = await http.post("/v1/journeys", content=changed, params={"workspace": "other"})
    assert other.json()["version"] == 1
    listed = (await http.get("/v1/journeys")).json()["journeys"]
    assert [(row["journey"], row["version"], row["paused"]) for row in listed] == [
        ("cart", 2, None),
        ("thanks", 1, None),
    ]


async def test_a_broken_document_is_refused_with_file_line_and_rule_of_everything(http: httpx.AsyncClient) -> None:
    broken = CART.replace("{for: 4h}", "{for: 4z}").replace("next: left", "next: nowhere")
    answer = await http.post("/v1/journeys", content=broken, params={"file": "cart.yaml"})
    assert answer.status_code == 422
    problems = answer.json()["error"]["problems"]
    assert {p["file"] for p in problems} == {"cart.yaml"}
    assert {"browsing", "last_call"} <= {p["field"].split(".")[1] for p in problems}
    assert all(problem["line"] > 1 and problem["rule"] for problem in problems)


@pytest.mark.parametrize(("content", "status"), [(b"\xff\xfe", 422), (b"x" * 300_000, 413), (b"- 1", 422)])
async def test_what_is_no_document_is_refused(http: httpx.AsyncClient, content: bytes, status: int) -> None:
    answer = await http.post("/v1/journeys", content=content)
    assert answer.status_code == status
    assert answer.json()["error"]["rule"]


async def test_a_journey_shows_its_document_versions_and_counts(desk: Desk, http: httpx.AsyncClient) -> None:
    await desk.takes(*(received(cart("c", who), f"e {who}", MONDAY) for who in ("ann", "bob")))
    await desk.takes(received(order("1", cart_id="c"), "buy", after(minutes=1)))
    shown = (await http.get("/v1/journeys/cart")).json()
    assert shown["source"] == CART
    assert [version["version"] for version in shown["versions"]] == [1]
    assert [(c["status"], c["state"], c["reason"], c["enrollments"]) for c in shown["counts"]] == [
        ("waiting", "browsing", "", 1),
        ("exited", "browsing", "purchased", 1),
    ]
    assert (shown["start"], shown["shown"], shown["holdout"]) == ("browsing", 1, 0.0)
    assert [(state["state"], state["kind"], [way["to"] for way in state["ways"]]) for state in shown["states"]][:2] == [
        ("browsing", "wait", ["reminder"]),
        ("reminder", "send", ["overnight"] * 4),
    ]
    assert (await http.get("/v1/journeys/cart", params={"version": 9})).status_code == 404
    missing = await http.get("/v1/journeys/nothing")
    assert (missing.status_code, missing.json()["error"]["field"]) == (404, "journey")


async def test_who_waits_in_a_state_is_listed_by_when_they_go_on(desk: Desk, http: httpx.AsyncClient) -> None:
    for minutes, who in ((3, "bob"), (1, "ann"), (2, "eve")):
        await desk.takes(received(cart(f"c {who}", who), f"e {who}", after(minutes=minutes)))
    await desk.takes(received(order("1", customer="eve", cart_id="c eve"), "buy", after(minutes=4)))
    found = (await http.get("/v1/journeys/cart/states/browsing")).json()
    assert [row["customer"] for row in found["waiting"]] == ["ann", "bob"]
    assert found["waiting"][0]["next_due"] < found["waiting"][1]["next_due"]
    assert (await http.get("/v1/journeys/cart/states/reminder")).json()["waiting"] == []
    assert (await http.get("/v1/journeys/cart/states/browsing", params={"version": 2})).json()["waiting"] == []


async def test_a_customers_history_names_the_reason_of_every_move(desk: Desk, http: httpx.AsyncClient) -> None:
    await desk.takes(received(cart("c", "ann/1"), "added", MONDAY))
    await desk.takes(received(order("1", customer="ann/1", cart_id="c"), "buy", after(hours=5)))
    answer = await http.get("/v1/customers/w/ann%2F1/enrollments")
    found = {row["journey"]: row for row in answer.json()["enrollments"]}
    assert (found["cart"]["status"], found["cart"]["reason"], found["cart"]["key"]) == ("exited", "purchased", "c")
    assert "progress" not in found["cart"], "what the row packs is told by name"
    history = [(m["seq"], m["kind"], m["to_state"], m["cause"], m["reason"]) for m in found["cart"]["history"]]
    assert [move[0] for move in history] == list(range(1, len(history) + 1))
    assert history[0][1:] == ("entered", "browsing", "entry", "")
    assert history[1][1:] == ("moved", "reminder", "timer", "elapsed")
    assert ("exited", None, "event", "purchased") in [move[1:] for move in history]
    assert found["thanks"]["waits_for"] == "deadline"


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("exit", {"journey": "cart", "reason": "asked"}),
        ("enroll", {"journey": "cart", "key": "c9"}),
        ("pause", {"journey": "cart", "on": False}),
        ("unpark", {}),
    ],
)
async def test_an_action_becomes_a_record_under_the_customers_key(
    http: httpx.AsyncClient, log: Log, verb: str, body: dict[str, Any]
) -> None:
    answer = await http.post(f"/v1/customers/w/ann/{verb}", json=body)
    assert answer.status_code == 202
    (record,) = log.records
    assert (record.topic.name, record.key, record.type, record.id) == (
        "journey.command.v1",
        "w:ann",
        verb,
        answer.json()["id"],
    )
    for name, value in body.items():
        assert getattr(record.body, name) == value


async def test_one_idempotency_key_is_one_command(http: httpx.AsyncClient, log: Log) -> None:
    for _ in range(2):
        await http.post("/v1/customers/w/ann/exit", json={"journey": "cart"}, headers={"Idempotency-Key": "once"})
    assert len({record.id for record in log.records}) == 1


async def test_a_command_that_the_log_may_not_have_is_not_said_to_be_taken(http: httpx.AsyncClient, log: Log) -> None:
    log.broken = True
    answer = await http.post("/v1/customers/w/ann/exit", json={"journey": "cart"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_who_is_parked_is_listed_with_the_error(desk: Desk, http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/parked")).json() == {"parked": []}
    await desk.pool.execute("INSERT INTO parked (key, p, since, error) VALUES ('w:ann:1', 0, $1, 'boom')", MONDAY)
    (row,) = (await http.get("/v1/parked")).json()["parked"]
    assert (row["workspace"], row["customer"], row["error"], row["records"]) == ("w", "ann:1", "boom", 0)


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"journey": 3}', b"{}"])
async def test_a_command_that_says_too_little_is_refused(http: httpx.AsyncClient, log: Log, body: bytes) -> None:
    answer = await http.post("/v1/customers/w/ann/exit", content=body)
    assert answer.status_code == 422
    assert log.records == []
    assert (await http.post("/v1/customers/w/ann/dance", content=b"{}")).status_code == 404


async def test_conservation_counts_who_is_lost(desk: Desk, http: httpx.AsyncClient) -> None:
    await desk.takes(received(cart("c"), "e", MONDAY))
    assert (await http.get("/v1/conservation")).json()["lost"] == 0
    await desk.pool.execute("DELETE FROM timer")
    shown = (await http.get("/v1/conservation")).json()
    assert (shown["lost"], shown["journeys"][0]["stuck"]) == (1, 1)


async def test_a_journey_can_be_paused_and_let_run(desk: Desk, http: httpx.AsyncClient) -> None:
    assert (await http.post("/v1/journeys/cart/pause")).status_code == 200
    assert (await http.get("/v1/journeys")).json()["journeys"][0]["paused"] == "operator"
    await http.post("/v1/journeys/cart/pause", params={"on": False})
    assert (await http.get("/v1/journeys")).json()["journeys"][0]["paused"] is None
    assert (await http.post("/v1/journeys/nothing/pause")).status_code == 404


async def test_a_customer_is_named_as_the_shop_knows_it(http: httpx.AsyncClient, log: Log) -> None:
    hidden = mail_id("s", "w", "hanako@example.com")
    shown = (await http.get("/v1/customers/w/Hanako@Example.com/enrollments")).json()
    assert shown["customer"] == hidden
    assert (await http.post("/v1/customers/w/Hanako@Example.com/unpark")).status_code == 202
    assert log.records[-1].key == f"w:{hidden}"


async def test_what_is_remembered_of_a_customers_events_is_told_once_each(desk: Desk, http: httpx.AsyncClient) -> None:
    await desk.takes(received(cart("c", "ann/1"), "added", MONDAY))  # no journey looks back at it
    await desk.takes(received(order("1", customer="ann/1", cart_id="c"), "buy", after(hours=5)))
    told = (await http.get("/v1/customers/w/ann%2F1/events")).json()
    assert [(event["id"], event["type"], event["order_id"]) for event in told["events"]] == [
        ("buy", "order_completed", "1")
    ]
    nobody = (await http.get("/v1/customers/w/nobody/events")).json()
    assert (nobody["events"], nobody["forgotten"], nobody["merged_into"]) == ([], 0, "")
