"""The real clients that shops use, each as a process of its own."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parent / "sdks"
CACHE = Path(__file__).resolve().parents[3] / ".tabiji" / "sdks"
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


@cache
def node_modules() -> Path:
    """The node clients, installed by their lock file once for each state of it; skips where that cannot be."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are absent: the clients for node are not tried")
    lock = (SCRIPTS / "package-lock.json").read_bytes()
    home = CACHE / hashlib.sha256(lock).hexdigest()[:12]
    if not (home / ".ready").exists():
        _install(home)
    return home / "node_modules"


def _install(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(SCRIPTS / name, home)
    began = time.monotonic()
    installed = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved=true"],
        cwd=home,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    if installed.returncode:
        pytest.skip(f"npm ci failed, so the clients for node are not tried: {installed.stderr.strip()[-300:]}")
    print(f"· clients for node installed in {time.monotonic() - began:.0f} s")
    (home / ".ready").touch()
