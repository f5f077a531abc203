"""The real clients that shops use, each as a process of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import npm

SCRIPTS = Path(__file__).parent / "sdks"
SDKS = ("segment_python.py", "rudder_python.py", "segment_node.cjs", "rudder_node.cjs")
ONCE_OF_EACH = 4
"""Calls that every script makes beside its orders."""


@dataclass(frozen=True)
class Sent:
    """What a client sent, by its own account, and the errors that it reported."""

    ids: list[str]
    errors: list[str]


def start(script: str, url: str, orders: int, run: str = "0") -> subprocess.Popen[bytes]:
    """Start the client, whose ids differ from run to run; skips the test where node is absent."""
    environment = dict(os.environ)
    if script.endswith(".cjs"):
        environment["NODE_PATH"] = str(node_modules())
        command = ["node", str(SCRIPTS / script)]
    else:
        command = [sys.executable, str(SCRIPTS / script)]
    return subprocess.Popen([*command, url, str(orders), run], env=environment, stdout=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes], seconds: float = 400) -> Sent:
    """Wait for the client's own account."""
    try:
        out, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 0
    told: Any = json.loads(out)
    return Sent(told["ids"], told["errors"])


def node_modules() -> Path:
    """The clients for node; skips where they cannot be installed."""
    return npm.node_modules(SCRIPTS)
