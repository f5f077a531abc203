"""Unknown messages on the command line: what dispatch is asked, and what is made of its answers."""

from typing import Any

import httpx
import pytest
from rich.console import Console

from tabiji_cli import unknown
from tabiji_cli.ask import AskFailed
from tabiji_cli.stack.ports import free_port

ROW = {"message_key": "k-1", "customer": "c-1", "state": "unknown", "reason": None, "channel": "email"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, Any]]:
    found: list[tuple[str, str, Any]] = []

    def request(method: str, url: str, **more: Any) -> httpx.Response:
        found.append((method, url, more.get("json")))
        if method == "GET":
            return httpx.Response(200, json=[ROW])
        if url.endswith("/k-1"):
            return httpx.Response(202, json={"command": "id"})
        return httpx.Response(409, json={"error": {"field": "state", "rule": "a sent message cannot be settled"}})

    monkeypatch.setenv("TABIJI_DISPATCH_URL", "http://dispatch")
    monkeypatch.setattr(httpx, "request", request)
    return found


def test_they_are_listed_with_what_is_known(asked: list[Any]) -> None:
    console = Console(width=150)
    with console.capture() as said:
        console.print(unknown.listed(10))
    assert "k-1" in said.get()
    assert "email" in said.get()
    assert asked == [("GET", "http://dispatch/v1/unknown", None)]


def test_one_is_settled_by_dispatch(asked: list[Any]) -> None:
    assert unknown.settle("k-1", "failed") == "id"
    assert asked == [("POST", "http://dispatch/v1/unknown/k-1", {"outcome": "failed"})]


def test_a_refusal_is_told_in_its_own_words(asked: list[Any]) -> None:
    with pytest.raises(AskFailed, match="409: a sent message cannot be settled"):
        unknown.settle("k-2", "sent")
    with pytest.raises(unknown.SettleFailed, match="sent, failed, resend"):
        unknown.settle("k-1", "maybe")
    assert len(asked) == 1


def test_where_nobody_answers_the_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("TABIJI_DISPATCH_URL", url)
    with pytest.raises(AskFailed, match=url):
        unknown.listed(1)
