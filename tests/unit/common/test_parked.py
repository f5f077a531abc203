"""Commands about one customer, who is named as the shop knows it."""

from collections.abc import Sequence
from typing import Any

import httpx
from fastapi import FastAPI

from tabiji_common import parked
from tabiji_common.clock import SteppedClock
from tabiji_common.commands import UnparkDispatch
from tabiji_common.identity import closed_id
from tabiji_common.topics import DISPATCH_COMMANDS, Record


async def test_a_parked_customer_whose_id_is_personal_is_unparked_under_its_hash() -> None:
    app, asked = FastAPI(), list[Record[Any]]()

    async def append(records: Sequence[Record[Any]]) -> None:
        asked.extend(records)

    pool: Any = None
    parked.add_routes(app, pool, append, SteppedClock(), DISPATCH_COMMANDS, UnparkDispatch, "s")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
        for customer in ("090-1234-5678", "c-1"):
            assert (await http.post(f"/v1/customers/w/{customer}/unpark")).status_code == 202
    hidden = closed_id("+819012345678", "s", "w")
    assert [record.key for record in asked] == [f"w:{hidden}", "w:c-1"]
    assert hidden.startswith("tel_")
