"""What operators see and decide over HTTP, on the rows of a real ledger."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest

from tabiji_common.commands import Settle
from tabiji_common.identity import mail_id
from tabiji_common.topics import Record
from tabiji_dispatch.adapters.postgres_desk import PostgresDesk
from tabiji_dispatch.adapters.restore import RestoreWatch
from tabiji_dispatch.api import build_app
from tests.integration.dispatch.bench import SECRET, Bench, customers_of, known, received, send
from tests.integration.dispatch.scripted import Script
from tests.integration.dispatch.test_ledger_rules import smtp_at


class Desk:
    """A client of the API, and what it appended to the log."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.appended: list[Record[Any]] = []
        watch = RestoreWatch(bench.pool, bench.clock, 1)
        app = build_app(
            PostgresDesk(bench.pool, SECRET), watch, self.append, bench.clock, lambda: None, customers_of(bench)
        )
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://dispatch")

    async def append(self, records: Sequence[Record[Any]]) -> None:
        self.appended += records

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def desk(pool: Any) -> AsyncIterator[Desk]:
    """m1 sent, m2 unknown, m3 suppressed."""
    async with Script(cut="before_dot_reply", times=0) as script, Bench(pool, smtp_at(script.port)) as bench:
        await bench.turn(*known(), *known("c2"), send("m1"))
        await bench.settle()
        script.times = 10**9
        await bench.turn(send("m2", "c2"), send("m3", "c3"))
        await bench.settle()
        yield Desk(bench)


async def test_deliveries_are_found_by_customer_state_and_journey(desk: Desk) -> None:
    assert [row["message_key"] for row in await desk.get("/v1/deliveries")] == ["m3", "m2", "m1"]
    assert [row["message_key"] for row in await desk.get("/v1/deliveries", workspace="demo", customer="c2")] == ["m2"]
    assert [row["message_key"] for row in await desk.get("/v1/deliveries", state="sent", journey="f2")] == ["m1"]
    first = await desk.get("/v1/deliveries", limit=1)
    second = await desk.get("/v1/deliveries", limit=1, before=first[0]["seq"])
    assert second[0]["message_key"] == "m2"
    assert await desk.get("/v1/deliveries", workspace="another") == []


async def test_a_customer_is_found_by_the_address_that_the_shop_knows_it_by(desk: Desk) -> None:
    guest = mail_id(SECRET, "demo", "hanako@example.com")
    await desk.bench.turn(send("m9", guest))
    for spelled in ("Hanako@Example.com", guest):
        found = await desk.get("/v1/deliveries", workspace="demo", customer=spelled)
        assert [row["message_key"] for row in found] == ["m9"]
        assert found[0]["customer"] == guest


async def test_a_delivery_shows_its_attempts_and_no_personal_data(desk: Desk) -> None:
    answer = await desk.http.get("/v1/deliveries/m2")
    [attempt] = answer.json()["attempts_made"]
    assert [result["result"] for result in attempt["results"]] == ["unknown"]
    assert "example.com" not in answer.text
    assert "山田" not in answer.text
    missing = await desk.http.get("/v1/deliveries/nothing")
    assert (missing.status_code, missing.json()) == (404, {"error": {"field": "key", "rule": "no such message"}})


async def test_an_unknown_message_is_listed_and_settled_through_the_log(desk: Desk) -> None:
    assert [row["message_key"] for row in await desk.get("/v1/unknown")] == ["m2"]
    answer = await desk.http.post("/v1/unknown/m2", json={"outcome": "sent", "by": "hanako"})
    assert answer.status_code == 202
    [record] = desk.appended
    assert record.body == Settle(workspace="demo", customer="c2", message_key="m2", outcome="sent", by="hanako")
    assert (await desk.http.post("/v1/unknown/m1", json={"outcome": "sent"})).status_code == 409
    await desk.bench.turn(received(record.topic, record.body, record.id))
    await desk.bench.settle()
    assert desk.bench.said()[-1] == ("m2", "sent", "operator")
    assert await desk.get("/v1/unknown") == []


async def settled(desk: Desk, outcome: str) -> tuple[int, Any]:
    """What a person is answered who settles m2; the ledger takes in what is in the log meanwhile."""
    asked = asyncio.create_task(desk.http.post("/v1/unknown/m2", json={"outcome": outcome}))
    while not asked.done():
        await asyncio.sleep(0.01)
        records, desk.appended = desk.appended, []
        if records:
            await desk.bench.turn(*(received(one.topic, one.body, one.id) for one in records))
    answer = asked.result()
    return answer.status_code, answer.json().get("command") or answer.json()["error"]["rule"]


async def test_the_same_word_again_is_answered_as_the_first_and_another_names_what_was_decided(desk: Desk) -> None:
    status, command = await settled(desk, "failed")
    assert status == 202
    assert await settled(desk, "failed") == (202, command)
    assert await settled(desk, "sent") == (409, "it was settled as failed before, and is failed now")
    assert await desk.bench.state("m2") == ("failed", "operator")


async def test_of_two_words_at_once_one_is_taken_and_the_other_hears_which(desk: Desk) -> None:
    words = ("sent", "failed")
    both = [asyncio.create_task(desk.http.post("/v1/unknown/m2", json={"outcome": one})) for one in words]
    while len(desk.appended) < len(both):
        await asyncio.sleep(0.01)
    taken = desk.appended[0].body.outcome
    await desk.bench.turn(*(received(one.topic, one.body, one.id) for one in desk.appended))
    answers = dict(zip(words, await asyncio.gather(*both), strict=True))
    assert answers.pop(taken).status_code == 202
    (other,) = answers.values()
    assert (other.status_code, taken in other.json()["error"]["rule"]) == (409, True)
    assert await desk.bench.state("m2") == (taken, "operator")


async def test_what_is_unknown_once_more_at_the_same_attempt_is_settled_once_more(desk: Desk) -> None:
    await desk.http.put("/v1/switches", json={"scope": "global", "on": True})
    _, first = await settled(desk, "resend")
    assert await desk.bench.state("m2") == ("held", "switch:global")
    await desk.bench.pool.execute("UPDATE delivery SET state = 'unknown' WHERE message_key = 'm2'")
    status, second = await settled(desk, "resend")
    assert (status, second != first) == (202, True)
    assert await desk.bench.state("m2") == ("held", "switch:global")


async def test_a_switch_has_a_scope_and_its_name(desk: Desk) -> None:
    wrong = await desk.http.put("/v1/switches", json={"scope": "journey", "name": "f2", "on": True})
    assert (wrong.status_code, wrong.json()["error"]["field"]) == (422, "scope")
    body = {"scope": "journey", "workspace": "demo", "name": "f2", "on": True, "by": "hanako", "reason": "typo"}
    assert wrong.json()["error"]["rule"] == "a journey switch is named by its workspace and its name"
    [switch] = (await desk.http.put("/v1/switches", json=body)).json()
    assert (switch["scope"], switch["name"], switch["set_by"]) == ("journey", "f2", "hanako")
    await desk.bench.turn(send("m4"))
    assert await desk.bench.state("m4") == ("held", "switch:journey:demo:f2")
    assert (await desk.http.put("/v1/switches", json=body | {"on": False})).json() == []
    await desk.bench.settle()
    assert (await desk.bench.state("m4"))[0] in {"sent", "unknown"}


async def test_the_suppression_list_takes_addresses_and_shows_hashes(desk: Desk) -> None:
    body = {"workspace": "demo", "channel": "email", "address": " C1@Example.com "}
    assert (await desk.http.post("/v1/suppressions", json=body)).status_code == 201
    listed = await desk.http.get("/v1/suppressions")
    assert "example" not in listed.text
    assert listed.json()[0]["reason"] == "operator"
    await desk.bench.turn(send("m4", message_class="transactional"))
    await desk.bench.settle()
    assert desk.bench.said()[-1] == ("m4", "suppressed", "suppression_list")
    gone = await desk.http.request("DELETE", "/v1/suppressions", json=body)
    assert gone.json() == {"removed": 1}


async def test_counts_add_up_to_the_deliveries(desk: Desk) -> None:
    counts = await desk.get("/v1/counts", workspace="demo")
    assert {(row["state"], row["reason"]): row["messages"] for row in counts} == {
        ("sent", ""): 1,
        ("unknown", "unknown"): 1,
        ("suppressed", "no_consent"): 1,
    }


async def test_restore_mode_is_shown_and_released(desk: Desk) -> None:
    await desk.bench.pool.execute("UPDATE installation SET restore = true, why = 'timeline'")
    assert (await desk.get("/v1/restore"))["why"] == "timeline"
    assert (await desk.http.post("/v1/restore/release", json={"by": "ops"})).json() == {"released": True}
    assert await desk.get("/v1/restore") == {"restore": False, "why": "", "released_by": "ops"}


async def test_a_message_reads_as_it_goes_out_and_holds_no_live_link(desk: Desk) -> None:
    sent, unknown = [await desk.get(f"/v1/deliveries/{key}/preview") for key in ("m1", "m2")]
    assert (sent["frozen"], unknown["frozen"]) == (False, True)
    for shown in (sent, unknown):
        assert "ご購入ありがとうございます" in shown["subject"]
        assert "配信停止: #" in shown["text"]
        assert "127.0.0.1" not in shown["html"] + shown["text"]
        assert "さま、旅路の店です。" in shown["html"]
    await desk.bench.turn(send("m5", "c1", template="f2/nothing"))
    gone = await desk.get("/v1/deliveries/m5/preview")
    assert (gone["text"], gone["problem"]) == ("", "template f2/nothing has no body")
    assert (await desk.http.get("/v1/deliveries/no/preview")).status_code == 404


async def test_a_customers_consents_and_ways_are_shown_and_no_address(desk: Desk) -> None:
    body = {"workspace": "demo", "channel": "email", "address": "c1@example.com", "scope": "marketing"}
    await desk.http.post("/v1/suppressions", json=body)
    answer = await desk.http.get("/v1/customers/demo/c1/contact")
    shown = answer.json()
    assert (shown["known"], shown["channels"]) == (True, ["email"])
    assert [(one["channel"], one["given"]) for one in shown["consents"]] == [("email", True)]
    assert [(one["channel"], one["scope"]) for one in shown["suppressed"]] == [("email", "marketing")]
    assert "example.com" not in answer.text
    stranger = await desk.get("/v1/customers/demo/nobody/contact")
    assert (stranger["known"], stranger["consents"], stranger["erased_at"]) == (False, [], None)
