"""The quickstart pages do what they say: every snippet is run against a real ingest, and its events are in the log."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.ingest.clients import node_modules
from tests.integration.ingest.harness import House, named_house
from tests.unit.ingest.support import BACKFILL, LIVE

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGES = ("quickstart.md", "quickstart.ja.md")
HERE = "http://127.0.0.1:8010"
OTHERS = ("8020", "8030")  # ports of services that this suite does not start; their routes are tried in their own
PAID = {"order_id": "o-9", "total": 1980, "currency": "JPY"}
BROWSER = """
globalThis.localStorage = {}
const to = globalThis.fetch
globalThis.fetch = (path, how) => to(process.env.INGEST + path.replace('/events', ''),
  { ...how, headers: { Authorization: process.env.BASIC } }).then((answer) => { if (!answer.ok) process.exit(1) })
"""


def snippets(page: str, language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no {language}"
    return [str(text) for text in found]


@pytest.fixture(scope="module")
def door(kafka: Any, postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with named_house(kafka, postgres, "quickstart", tmp_path_factory.mktemp("quickstart")) as made:
        yield made


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run(words: list[str], door: House, folder: Path, **more: str) -> str:
    done = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, "WRITE_KEY": LIVE, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{door.log.read_text()[-2000:]}"
    return done.stdout


def keys_of(door: House, type_: str) -> set[str]:
    return {record.key for record in door.kept() if record.type == type_}


def test_by_curl_and_as_cloudevents(page: str, door: House, tmp_path: Path) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is absent")
    mine = [text for text in snippets(page, "sh") if HERE in text]
    assert len(mine) == 2
    for text in mine:
        assert '"success":true' in run(["sh", "-c", text.replace(HERE, door.url)], door, tmp_path)
    assert keys_of(door, "consent_given") == {"demo:c-1"}
    assert "demo:c-1" in keys_of(door, "order_completed") & keys_of(door, "order_shipped")


def test_the_newest_records_of_a_topic_are_shown(door: House, tmp_path: Path) -> None:
    door.post("/v1/track", {"userId": "c-9", "event": "Order Completed", "properties": PAID}).raise_for_status()
    where = {"TABIJI_KAFKA_BOOTSTRAP": door.settings.kafka_bootstrap, "TABIJI_TOPIC_PREFIX": door.settings.topic_prefix}
    words = [sys.executable, "-m", "tabiji_cli", "topics", "--limit", "1", "--read"]
    (line,) = run([*words, "events.purchase.v1"], door, tmp_path, **where).splitlines()
    told = json.loads(line)
    assert (told["key"], told["ce_type"], told["value"]["order_id"]) == ("demo:c-9", "order_completed", "o-9")
    with pytest.raises(AssertionError, match="there is no topic"):
        run([*words, "no.such.topic"], door, tmp_path, **where)


def test_by_segments_client_for_python(page: str, door: House, tmp_path: Path) -> None:
    (text,) = snippets(page, "python")
    run([sys.executable, "-c", text.replace(HERE, door.url)], door, tmp_path)
    assert "demo:c-2" in keys_of(door, "identified") & keys_of(door, "order_completed")


def test_by_segments_client_for_node(page: str, door: House, tmp_path: Path) -> None:
    (text,) = snippets(page, "js")
    (tmp_path / "told.cjs").write_text(text.replace(HERE, door.url), "utf-8")
    run(["node", "told.cjs"], door, tmp_path, NODE_PATH=str(node_modules()))
    assert "demo:c-3" in keys_of(door, "identified") & keys_of(door, "order_completed")


def test_from_the_browser_through_the_shops_own_server(page: str, door: House, tmp_path: Path) -> None:
    """The script as it is, with ``fetch`` sent on as the shop's server would."""
    if not shutil.which("node"):
        pytest.skip("node is absent: the browser's script is not tried")
    (text,) = snippets(page, "html")
    script = text.replace("<script>", "").replace("</script>", "")
    (tmp_path / "page.cjs").write_text(BROWSER + script, "utf-8")
    before = keys_of(door, "product_viewed")
    basic = "Basic " + base64.b64encode(f"{LIVE}:".encode()).decode()
    run(["node", "page.cjs"], door, tmp_path, INGEST=door.url, BASIC=basic)
    assert len(keys_of(door, "product_viewed") - before) == 1


def test_history_from_a_file(page: str, door: House, tmp_path: Path) -> None:
    (rows,) = snippets(page, "csv")
    (tmp_path / "orders.csv").write_text(rows, "utf-8")
    (text,) = [text for text in snippets(page, "sh") if "tabiji import" in text]
    words = text.replace(".venv/bin/tabiji", f"{sys.executable} -m tabiji_cli").split()
    said = run(words, door, tmp_path, TABIJI_INGEST_URL=door.url, TABIJI_WRITE_KEY=BACKFILL)
    assert "2 orders accepted" in said
    assert {record.mode for record in door.kept() if record.value.get("order_id", "").startswith("h-")} == {"backfill"}


def test_both_languages_show_the_same_snippets() -> None:
    for language in ("sh", "python", "js", "html", "csv"):
        ours, theirs = ([re.sub(r"\s*(#|//) .*", "", text) for text in snippets(page, language)] for page in PAGES)
        assert ours == theirs


def test_every_snippet_is_run_here_or_is_another_services() -> None:
    told = [text for text in snippets(PAGES[0], "sh") if HERE not in text and "tabiji import" not in text]
    assert [text for text in told if "export WRITE_KEY" not in text and not all(port in text for port in OTHERS)] == []
