"""Posting history to ingest."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from rich.console import Console

from tabiji_cli import imports

HEADER = "order_id,customer_id,ordered_at,amount,currency,medium\n"


class Ingest:
    """Answers as told; keeps what it was asked."""

    def __init__(self, *answers: Callable[[httpx.Request], httpx.Response]) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answers.pop(0)(request) if self.answers else httpx.Response(200, json={"success": True})

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [message for request in self.requests for message in msgspec.json.decode(request.content)["batch"]]


def written(folder: Path, orders: int) -> Path:
    path = folder / "orders.csv"
    lines = "".join(f"o{n},c{n % 7},1997-01-{n % 28 + 1:02d},{n * 5 - 20},USD,cpc\n" for n in range(orders))
    path.write_text(HEADER + lines, "utf-8")
    return path


async def imported(path: Path, ingest: Ingest, from_line: int = 0) -> int:
    async with httpx.AsyncClient(transport=httpx.MockTransport(ingest)) as http:
        source = imports.Source(path, from_line=from_line)
        return await imports.run(source, "http://ingest", "key", quiet(), http)


def quiet() -> Console:
    return Console(file=io.StringIO())


async def test_every_line_is_posted_once_as_history_with_the_key(tmp_path: Path) -> None:
    ingest = Ingest()
    assert await imported(written(tmp_path, 2_500), ingest) == 2_500
    assert len(ingest.requests) == 5
    assert {request.url.params["mode"] for request in ingest.requests} == {"backfill"}
    assert {base64.b64decode(r.headers["Authorization"].split()[1]) for r in ingest.requests} == {b"key:"}
    assert sorted(m["properties"]["order_id"] for m in ingest.messages) == sorted(f"o{n}" for n in range(2_500))


async def test_amounts_go_out_in_major_units_and_keep_their_sign(tmp_path: Path) -> None:
    ingest = Ingest()
    await imported(written(tmp_path, 2), ingest)
    assert [message["properties"]["total"] for message in ingest.messages] == [-0.2, -0.15]
    assert ingest.messages[0]["context"]["campaign"]["medium"] == "cpc"


async def test_the_same_line_has_the_same_id_in_every_run(tmp_path: Path) -> None:
    one, other = Ingest(), Ingest()
    path = written(tmp_path, 3)
    await imported(path, one)
    await imported(path, other)
    assert one.messages == other.messages


async def test_one_wrong_line_and_nothing_is_posted(tmp_path: Path) -> None:
    ingest = Ingest()
    path = written(tmp_path, 3)
    path.write_text(path.read_text("utf-8") + "o9,c9,1997-01-01,1.5,USD,\n", "utf-8")
    with pytest.raises(imports.ImportFailed, match=r"line 5, amount: .*\nnothing was imported"):
        await imported(path, ingest)
    assert ingest.requests == []


async def test_a_busy_ingest_is_asked_again_with_the_same_batch(tmp_path: Path) -> None:
    ingest = Ingest(lambda _: httpx.Response(503), lambda _: httpx.Response(429))
    assert await imported(written(tmp_path, 2), ingest) == 2
    assert len({request.content for request in ingest.requests}) == 1
    assert len(ingest.requests) == 3


async def test_a_refused_line_is_named_by_its_number(tmp_path: Path) -> None:
    refused = {"rejected": [{"index": 1, "field": "userId", "rule": "must name one customer"}]}
    ingest = Ingest(lambda _: httpx.Response(200, json=refused))
    with pytest.raises(imports.ImportFailed, match=r"orders.csv, line 3: userId must name one customer"):
        await imported(written(tmp_path, 3), ingest)


async def test_a_wrong_key_says_so_and_where_to_go_on(tmp_path: Path) -> None:
    ingest = Ingest(lambda _: httpx.Response(401, json={"error": {"field": "", "rule": "unknown write key"}}))
    with pytest.raises(
        imports.ImportFailed, match=r"(?s)http://ingest.*401: unknown write key\n.*--key.*--from-line 3"
    ):
        await imported(written(tmp_path, 3), ingest, from_line=3)


async def test_an_answer_that_is_not_ingests_is_not_shown_and_the_address_is(tmp_path: Path) -> None:
    ingest = Ingest(lambda _: httpx.Response(404, text="<html>" + 300 * "x"))
    with pytest.raises(
        imports.ImportFailed, match=r"http://ingest/v1/batch.*404: that is no answer of ingest\n.*--url"
    ):
        await imported(written(tmp_path, 3), ingest)


@pytest.mark.parametrize("day", ["1969-12-31", "1997-01-20T00:00:01Z"])
async def test_an_order_of_a_day_that_ingest_refuses_is_told_before_anything_is_posted(
    tmp_path: Path, day: str
) -> None:
    ingest, path = Ingest(), written(tmp_path, 3)
    path.write_text(path.read_text("utf-8") + f"o9,c9,{day},15,USD,\n", "utf-8")
    source = imports.Source(path, latest=datetime(1997, 1, 20, tzinfo=UTC))
    async with httpx.AsyncClient(transport=httpx.MockTransport(ingest)) as http:
        with pytest.raises(imports.ImportFailed, match=r"line 5, ordered_at: .* tomorrow.*\nnothing was imported"):
            await imports.run(source, "http://ingest", "key", quiet(), http)
    assert ingest.requests == []
