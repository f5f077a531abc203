"""``/docs``, drawn by a real Chromium that asks nobody but the service itself."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from tabiji_cli.stack.ports import free_port
from tabiji_common.clock import LiveClock
from tabiji_common.guard import Guard, Keys
from tabiji_common.service import Service
from tabiji_common.settings import Settings
from tabiji_ingest.adapters.postgres_desk import WriteKeyDesk
from tabiji_ingest.api import create_app
from tabiji_ingest.api.desk import needs
from tests.e2e.console.browser import chromium, require_chromium, tab
from tests.unit.ingest.support import Door


async def nobody() -> Any:
    raise OSError("there is no database in this test")


@contextmanager
def served() -> Iterator[str]:
    """Ingest's API with its guard, in front of nothing; its address."""
    pool: Any = None
    app = create_app(Door().accept, WriteKeyDesk(pool, LiveClock()))
    Service("ingest", Settings()).http(app, needs)
    guarded = Guard(app, Keys(nobody, LiveClock()), "ingest", needs=needs)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(guarded, port=port, lifespan="off", log_level="error"))
    thread = threading.Thread(target=asyncio.run, args=(server.serve(),), daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.mark.timeout(180)
def test_every_operation_is_drawn_and_can_be_tried_and_no_other_host_is_asked() -> None:
    require_chromium()
    asked: list[str] = []
    with served() as base, chromium() as browser, tab(browser, base, lang="en") as shown:
        shown.page.on("request", lambda request: asked.append(request.url))
        page = shown.open("/docs")
        page.wait_for_selector(".opblock")
        assert shown.text(".info .title").startswith("Tabiji ingest")
        assert page.locator(".opblock").count() > 12
        page.locator(".opblock-summary", has_text="/v1/track").first.click()
        page.wait_for_selector(".opblock-body textarea")
        assert '"Order Completed"' in page.locator(".opblock-body textarea").first.input_value()
        page.locator(".opblock-get .opblock-summary", has_text="/u/{token}").click()
        page.fill("input[placeholder=token]", "forged")
        page.locator(".opblock-get button.execute").click()
        page.wait_for_selector(".live-responses-table")
        assert "404" in page.locator(".live-responses-table").inner_text()
    assert {url for url in asked if not url.startswith((base, "data:"))} == set()
    assert [said for said in shown.complaints if "404" not in said] == []
