"""A console whose services are tables of answers, and a browser that keeps cookies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import contextmanager
from typing import Any

import httpx2
from starlette.testclient import TestClient

from tabiji_console.adapters.pages import make_pages
from tabiji_console.adapters.seal import Seal
from tabiji_console.api import create_app
from tabiji_console.api.visit import House
from tabiji_console.ports import Away, Declined, LoginNeeded, Query
from tabiji_console.settings import ConsoleSettings

TOKEN = re.compile(r'name="csrf" value="([0-9a-f]{64})"')
Key = tuple[str, str]
EMPTY: dict[Key, Any] = {
    ("journey", "/v1/journeys"): {"journeys": []},
    ("journey", "/v1/conservation"): {"lost": 0, "journeys": []},
    **{
        ("analytics", f"/v1/views/{name}"): {"rows": []}
        for name in (
            *("journey_funnel", "journey_flow", "message_outcomes", "ltv_by_cohort", "repeat_purchase"),
            *("ltv_by_medium", "retention_monthly", "new_vs_existing"),
        )
    },
    ("analytics", "/v1/day"): {"day": "2026-11-24", "now": "2026-11-24T06:12:40Z", "orders": [], "messages": []}
    | {"moves": [], "reactions": [], "doubled": 0},
    ("analytics", "/v1/stays"): {"sample": 1.0, "states": []},
    ("analytics_admin", "/metrics"): "",
    ("dispatch_admin", "/metrics"): "",
    ("dispatch_admin", "/idle"): {"now": "2026-11-24T06:12:40Z"},
}


class Shop:
    """The services: what they answer by (service, path), who is let in, and everything they were asked and told."""

    def __init__(self, answers: Mapping[Key, Any] | None = None, keys: frozenset[str] | None = None) -> None:
        self.answers: dict[Key, Any] = {**EMPTY, **(answers or {})}
        self.keys = keys
        self.away: set[str] = set()
        self.asked: list[tuple[str, str, str]] = []
        self.told: list[tuple[str, str, str, Any]] = []

    def under(self, key: str) -> Counter:
        """These services, asked with this key."""
        return Counter(self, key)


class Counter:
    """``ports.Services`` over a ``Shop``."""

    def __init__(self, shop: Shop, key: str) -> None:
        self.shop = shop
        self.key = key

    async def ask(self, service: str, path: str, query: Query | None = None) -> Any:
        self.shop.asked.append((service, path, self.key))
        self._gate(service)
        answer = self.shop.answers.get((service, path))
        if answer is None:
            raise Declined(service, 404, f"no {path}")
        return answer(query or {}) if callable(answer) else answer

    async def read(self, service: str, path: str, query: Query | None = None) -> str:
        return str(await self.ask(service, path, query))

    async def tell(
        self, service: str, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        self._gate(service)
        self.shop.told.append((service, method, path, body))
        return self.shop.answers.get((service, path))

    def _gate(self, service: str) -> None:
        if service in self.shop.away:
            raise Away(service)
        if self.shop.keys is not None and self.key not in self.shop.keys:
            raise LoginNeeded


@contextmanager
def browser(shop: Shop, *, raises: bool = True, **settings: Any) -> Any:
    """A browser that follows no redirect by itself; ``raises``: a defect of the console's ends the test."""
    made = ConsoleSettings(**{"timezone": "Asia/Tokyo", "console_live_seconds": 0.01, **settings})
    app = create_app(House(made, shop, Seal("secret", 3600), make_pages()))
    with TestClient(app, follow_redirects=False, raise_server_exceptions=raises) as client:
        yield client


def send(client: TestClient, path: str, page: str, **fields: str) -> httpx2.Response:
    """Send a form as the page ``page`` draws it: with its token."""
    found = TOKEN.search(client.get(page).text)
    assert found is not None, f"{page} has no form"
    answer: httpx2.Response = client.post(path, data={"csrf": found[1], **fields})
    return answer
