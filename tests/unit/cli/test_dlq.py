"""Dead letters on the command line: what services are asked, what is said before a replay, and what it came to."""

import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from tabiji_cli.__main__ import app
from tabiji_cli.dlq import again, desk

AT = "2026-11-24T01:00:00Z"
ROW: dict[str, Any] = {"topic": "events.purchase.v1", "type": "order_completed", "customer": "c-1", "died_at": AT}
ROW |= {"appended_at": AT, "reason": "unknown type", "state": "dead", "attempts": 0, "refused": ""}


class Services:
    """Three services: their dead letters, what a replay makes of each, and everything they were asked."""

    def __init__(self, **letters: dict[str, dict[str, Any]]) -> None:
        self.letters = letters
        self.becomes: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str, Any]] = []

    def request(self, method: str, url: str, *, params: Any = None, **more: Any) -> httpx.Response:
        service, _, path = url.removeprefix("http://").partition("/")
        self.asked.append((method, f"{service}/{path}", more.get("json") or params))
        mine = self.letters.get(service, {})
        if method == "POST":
            return self._replayed(mine, more["json"]["ids"])
        if path != "v1/dead-letters":
            found = mine.get(path.rpartition("/")[2])
            return httpx.Response(200, json=found) if found else refused(404, "there is no such dead letter")
        rows = [row for id_, row in mine.items() if not params["id"] or id_ in params["id"]]
        rows = [row for row in rows if params["state"] in {"all", row["state"]}]
        start = next((n + 1 for n, row in enumerate(rows) if row["id"] == params["after"]), 0)
        page = rows[start : start + params["limit"]]
        following = page[-1]["id"] if len(page) == params["limit"] else ""
        return httpx.Response(200, json={"dead_letters": page, "total": len(rows), "next": following})

    def _replayed(self, mine: dict[str, dict[str, Any]], ids: list[str]) -> httpx.Response:
        asked = [id_ for id_ in ids if id_ in self.becomes]
        for id_ in asked:
            mine[id_] |= self.becomes[id_]
        body = {"asked": asked, "done": {}, "left": 0}
        late = [{"id": id_, "rule": "too late"} for id_ in ids if id_ not in asked]
        return httpx.Response(202, json={**body, "refused": late})


def refused(status: int, rule: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {"field": "", "rule": rule}})


def row(id_: str, **more: Any) -> dict[str, Any]:
    return {**ROW, "id": id_, **more}


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Services:
    made = Services(
        journey={
            "j1": row("j1"),
            "j2": row("j2", reason="id_reused", refused="another body"),
            "j3": row("j3", appended_at="2026-11-24T02:00:00Z"),
        },
        dispatch={"d1": row("d1", state="replayed", attempts=1), "d2": row("d2")},
    )
    made.becomes = {"j1": {"state": "replayed"}, "j3": {"attempts": 1}, "d2": {"state": "repeat"}}
    for service in desk.SERVICES:
        monkeypatch.setenv(f"TABIJI_{service.upper()}_URL", f"http://{service}")
    monkeypatch.setattr(httpx, "request", made.request)
    return made


def run(*arguments: str, answer: str = "") -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["dlq", *arguments], input=answer)


def posts(services: Services) -> list[tuple[str, Any]]:
    return [(path, body) for method, path, body in services.asked if method == "POST"]


def test_they_are_listed_from_every_service_by_what_is_asked(services: Services) -> None:
    result = run("list", "--topic", "t", "--reason", "why", "--since", "2026-01-01T00:00:00Z")
    assert "j1" in result.stdout
    assert "d2" in result.stdout
    assert "d1" not in result.stdout
    assert "4 of 4" in result.stderr
    [first, *_] = services.asked
    wanted: Mapping[str, Any] = {"topic": "t", "reason": "why", "since": "2026-01-01T00:00:00Z", "state": "dead"}
    assert first[:2] == ("GET", "journey/v1/dead-letters")
    assert wanted.items() <= first[2].items()
    assert {row["id"] for row in json.loads(run("list", "--state", "all", "--json").stdout)} >= {"d1", "j1"}


def test_an_id_is_whole_on_a_narrow_terminal(services: Services) -> None:
    whole = "176c3b85-3205-580a-a7c7-abfb2a918100"
    services.letters["journey"][whole] = row(whole, reason="ce_type: unknown type " + "x" * 80)
    listed = CliRunner(env={"COLUMNS": "80"}).invoke(app, ["dlq", "list"]).stdout
    assert whole in listed
    assert max(map(len, listed.splitlines())) <= 80


def test_every_page_is_read_up_to_the_limit(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    services.letters = {"journey": {f"n{n}": row(f"n{n}") for n in range(7)}}
    monkeypatch.setattr(desk, "PAGE", 3)
    found = desk.Search(desk.SERVICES).find("dead", None)
    assert (len(found.letters), found.total) == (7, 7)
    found = desk.Search(desk.SERVICES).find("dead", 4)
    assert (len(found.letters), found.total) == (4, 7)


def test_one_is_shown_from_the_service_that_has_it(services: Services) -> None:
    whole = {"partition": 1, "offset": 7, "key": "w:c-1", "headers": {"ce_id": "e-1"}, "text": "", "body": {"total": 5}}
    services.letters["dispatch"]["d2"] |= whole
    told = run("show", "d2").stdout
    for words in ("dispatch", "partition 1 · offset 7", "e-1", "unknown type", '"total": 5'):
        assert words in told
    services.letters["dispatch"]["d2"] |= {"body": None, "text": "no json {", "refused": "too old"}
    assert "no json {" in run("show", "d2").stdout
    assert "no service has a dead letter x" in str(run("show", "x").exception)


def test_a_replay_says_what_became_of_each_and_ends_with_1_where_anything_is_left(services: Services) -> None:
    result = run("replay", "--all", "--yes")
    assert posts(services) == [
        ("dispatch/v1/dead-letters/replay", {"ids": ["d2"]}),
        ("journey/v1/dead-letters/replay", {"ids": ["j1", "j3"]}),
    ]
    said = result.stderr
    for words in ("3 to replay (dispatch 1, journey 2)", "1 cannot be replayed", "1 × another body"):
        assert words in said
    for words in ("1 replayed, 1 had been applied already", "1 are dead again", "1 × unknown type"):
        assert words in said
    assert result.exit_code == 1


def test_by_id_those_replayed_before_are_left_alone_and_no_id_is_left_unsaid(services: Services) -> None:
    result = run("replay", "d1", "d2", "x", "--yes")
    assert posts(services) == [("dispatch/v1/dead-letters/replay", {"ids": ["d2"]})]
    assert "1 were replayed before" in result.stderr
    assert "1 × no service has it" in result.stderr
    assert run("replay", "d2", "--yes").exit_code == 0


def test_nothing_is_replayed_without_a_yes_or_a_word_of_which(services: Services) -> None:
    assert run("replay", "--all", answer="n\n").exit_code == 1
    assert run("replay", "--all", "--dry-run").exit_code == 0
    assert run("replay").exit_code == 2
    assert run("replay", "--service", "ingest").exit_code == 2
    assert posts(services) == []


def test_what_a_service_refuses_or_does_not_get_to_is_said(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    services.becomes = {"j1": {}}
    monkeypatch.setattr(again, "LOOK_EVERY", 0.0)
    found = desk.Search(("journey",)).find("dead", None)
    outcome = again.replay([letter for letter in found.letters if letter.id != "j2"], Console(quiet=True), 0.01)
    assert outcome.refused == [("j3", "too late")]
    assert outcome.waiting == ["j1"]


@pytest.mark.parametrize("since", ["yesterday", "2026-01-01T00:00:00", "5w"])
def test_a_time_that_is_none_is_refused(since: str) -> None:
    with pytest.raises(desk.DeadLettersFailed, match="--since"):
        desk.instant(since)


def test_a_time_may_be_said_as_how_long_ago() -> None:
    assert desk.instant("2h") < desk.instant("30m")
    assert desk.instant("2026-01-01T09:00:00+09:00").startswith("2026-01-01T09")
