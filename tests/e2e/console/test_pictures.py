"""The console's pictures in docs/images: `make pictures` takes them anew; each has to be looked at.

After the run a day begins: new and known customers buy, and of two mails nobody knows whether they arrived.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.architecture.tree import ROOT
from tests.e2e.console.browser import DESKTOP, PHONE, tab
from tests.e2e.console.conftest import Shown
from tests.e2e.console.happenings import fresh, joins, messages, part, rest

FOLDER = ROOT / "docs" / "images"
RUN = ("240", "85")
NEW, BACK = (4980, 3200, 12800, 6400, 2980, 7600), (5400, 8900, 3600, 15200, 4200)
PICTURES = [
    ("today", "/"),
    ("customer", "/customers?id={customer}"),
    ("deliveries", "/deliveries"),
    ("health", "/health"),
    ("journey", "/journeys/f2-conversion?state=voices"),
    ("journeys", "/journeys"),
    ("ltv", "/ltv"),
]
SHOTS = [
    ("ja", "light", DESKTOP, ""),
    ("en", "dark", DESKTOP, ""),
    ("ja", "light", PHONE, "-phone"),
    ("en", "dark", PHONE, "-phone"),
]


def bought(customer: str, cents: int) -> dict[str, Any]:
    properties = {"order_id": f"o-{customer}-{cents}", "total": cents / 100, "currency": "USD"}
    return {"type": "track", "userId": customer, "event": "Order Completed", "properties": properties}


@pytest.fixture(scope="module")
def customer(shown: Shown) -> str:
    """Somebody who has come a long way, after a day on which things happened."""
    waiting = [
        one["customer"]
        for state in ("consider", "expires")
        for one in shown.get("journey", f"/v1/journeys/f2-conversion/states/{state}", limit=50)["waiting"]
    ]
    shown.happens(*(bought(name, cents) for name, cents in zip(waiting, BACK, strict=False)))
    for name, cents in zip(fresh("new", len(NEW)), NEW, strict=True):
        shown.happens(*joins(name, f"{name}@example.com", consent=cents != NEW[0], total=cents / 100))
    rest(shown)
    part(shown, 2)
    return str(max(waiting[: len(BACK)], key=lambda name: len(messages(shown, name))))


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("name", "path"), PICTURES)
def test_a_page_has_its_pictures(shown: Shown, browser: Any, customer: str, name: str, path: str) -> None:
    for lang, theme, size, kind in SHOTS:
        with tab(browser, shown.console, key=shown.key, lang=lang, theme=theme, size=size) as made:
            made.open(path.format(customer=customer))
            made.picture(FOLDER / f"console-{name}-{lang}-{theme}{kind}.png")
