"""AsyncAPI's own parser reads our document and finds nothing to say."""

import json
import os
import subprocess
from pathlib import Path

from tabiji_cli import services
from tests.npm import node_modules

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "asyncapi.json"
PARSER = Path(__file__).parent / "parser"


def test_asyncapis_own_parser_finds_nothing_wrong_and_every_topic() -> None:
    done = subprocess.run(
        ["node", str(PARSER / "asyncapi.cjs"), str(DOCUMENT)],
        env={**os.environ, "NODE_PATH": str(node_modules(PARSER))},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    told = json.loads(done.stdout)
    assert told["found"] == []
    assert sorted(told["channels"]) == sorted(services.topics())
    for service, inputs in services.groups().items():
        assert {f"{service}.receive.{topic.name}" for topic in inputs} <= set(told["operations"])
    for service, outputs in services.outputs().items():
        assert {f"{service}.send.{topic.name}" for topic in outputs} <= set(told["operations"])
