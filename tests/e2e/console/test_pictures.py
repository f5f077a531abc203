"""The console's pictures in docs/images: `make pictures` takes them anew; each has to be looked at."""

from __future__ import annotations

from typing import Any

import pytest

from tests.architecture.tree import ROOT
from tests.e2e.console.browser import DESKTOP, PHONE, tab
from tests.e2e.console.conftest import Shown

FOLDER = ROOT / "docs" / "images"
PICTURES = [
    ("today", "/"),
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


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("name", "path"), PICTURES)
def test_a_page_has_its_pictures(shown: Shown, browser: Any, name: str, path: str) -> None:
    for lang, theme, size, kind in SHOTS:
        with tab(browser, shown.console, key=shown.key, lang=lang, theme=theme, size=size) as made:
            made.open(path)
            made.picture(FOLDER / f"console-{name}-{lang}-{theme}{kind}.png")
