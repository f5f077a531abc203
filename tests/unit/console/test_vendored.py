"""What the console has of others is what VENDOR.lock says, and its own script stays small."""

from __future__ import annotations

import hashlib
import tomllib

from tests.architecture.tree import ROOT

CONSOLE = ROOT / "services" / "console"
STATIC = CONSOLE / "tabiji_console" / "static"
OWN = {"app.js", "mark.svg"}


def test_every_vendored_file_has_its_version_licence_name_and_hash() -> None:
    lock = tomllib.loads((CONSOLE / "VENDOR.lock").read_text("utf-8"))
    files = {file["to"]: file["sha256"] for package in lock["package"] for file in package["file"]}
    assert all(package[field] for package in lock["package"] for field in ("npm", "version", "licence", "integrity"))
    assert {name: hashlib.sha256((STATIC / name).read_bytes()).hexdigest() for name in files} == files
    strangers = {path.name for path in STATIC.iterdir() if path.suffix != ".css"} - files.keys() - OWN
    assert strangers == set()


def test_the_script_of_our_own_stays_short() -> None:
    assert len((STATIC / "app.js").read_text("utf-8").splitlines()) <= 100
