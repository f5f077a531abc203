"""Packages for node that a test runs, installed by their lock file; where that cannot be, it says why it skips."""

import hashlib
import shutil
import subprocess
import time
from functools import cache
from pathlib import Path

import pytest

CACHE = Path(__file__).resolve().parents[1] / ".tabiji" / "npm"


@cache
def node_modules(folder: Path) -> Path:
    """What ``folder``'s lock file names, installed once for each state of it."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip(f"node and npm are absent: {folder.name} is not tried")
    lock = (folder / "package-lock.json").read_bytes()
    home = CACHE / f"{folder.name}-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not (home / ".ready").exists():
        _install(folder, home)
    return home / "node_modules"


def _install(folder: Path, home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(folder / name, home)
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
        pytest.skip(f"npm ci failed, so {folder.name} is not tried: {installed.stderr.strip()[-300:]}")
    print(f"· {folder.name} for node installed in {time.monotonic() - began:.0f} s")
    (home / ".ready").touch()
