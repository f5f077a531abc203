"""A real Chromium, and what every page of the console has to hold in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
DESKTOP, PHONE = (1440, 900), (390, 844)
LOOKS = [(lang, theme) for lang in ("ja", "en") for theme in ("light", "dark")]


def require_chromium() -> Any:
    """Playwright's entry; skips the test where there is no browser, or nothing to drive it with."""
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM} (on Debian: apt install chromium fonts-noto-cjk)")
    return pytest.importorskip(
        "playwright.sync_api", reason="requirements-browser.lock is not installed"
    ).sync_playwright


@dataclass
class Tab:
    """One page of a browser, in one language, theme and size; keeps what its console complained of."""

    page: Any
    base: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Any:
        """Go there; fails unless the answer is 200."""
        answer = self.page.goto(self.base + path, wait_until="load")
        assert answer.status == 200, f"{path}: {answer.status}"
        return self.page

    def text(self, selector: str) -> str:
        """The text of the first such element, without blanks around it."""
        return str(self.page.locator(selector).first.text_content()).strip()

    def texts(self, selector: str) -> list[str]:
        """The texts of all such elements."""
        return [str(text).strip() for text in self.page.locator(selector).all_text_contents()]

    def findings(self) -> list[str]:
        """What axe-core finds wrong with the page as it stands."""
        import axe_playwright_python

        script = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
        self.page.evaluate(script)
        found = self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{one['id']} ({one['impact']}): {json.dumps([node['html'][:160] for node in one['nodes'][:3]])}"
            for one in found["violations"]
        ]

    def overflow(self) -> int:
        """How many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    def picture(self, path: Path) -> None:
        """The whole page as a picture; on a phone the window grows first, so that the tab bar is at its end."""
        high = int(self.page.evaluate("document.documentElement.scrollHeight"))
        size = self.page.viewport_size
        self.page.set_viewport_size({"width": size["width"], "height": max(high, size["height"])})
        self.page.wait_for_timeout(200)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path)


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser, while the block runs."""
    with require_chromium()() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS), timeout=120_000)
        yield browser
        browser.close()


@contextmanager
def tab(
    browser: Any,
    base: str,
    *,
    lang: str = "ja",
    theme: str = "light",
    size: tuple[int, int] = DESKTOP,
    script: bool = True,
    key: str = "",
) -> Iterator[Tab]:
    """A tab that shows the console at ``base``; logged in with ``key`` where there is one."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, java_script_enabled=script, reduced_motion="reduce"
    )
    context.set_default_timeout(60_000)
    context.add_cookies(
        [{"name": f"tabiji_{name}", "value": v, "url": base} for name, v in (("lang", lang), ("theme", theme))]
    )
    page = context.new_page()
    made = Tab(page, base)
    page.on("console", lambda said: made.complaints.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: made.complaints.append(str(error)))
    if key:
        page.goto(f"{base}/login")
        page.fill("#key", key)
        page.click("button.main-action")
    yield made
    context.close()
