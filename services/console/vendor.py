"""VENDOR.lock -> tabiji_console/static: the script, the font and the icons, out of npm packages, by hash."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LOCK = HERE / "VENDOR.lock"
STATIC = HERE / "tabiji_console" / "static"


def main(*, latest: bool) -> None:
    """Fetch every package, check or renew its hashes, write its files."""
    text = LOCK.read_text("utf-8")
    for package in tomllib.loads(text)["package"]:
        with tempfile.TemporaryDirectory() as folder:
            text = _renewed(text, package, Path(folder), latest=latest)
    LOCK.write_text(text, "utf-8")


def _renewed(text: str, package: dict[str, Any], folder: Path, *, latest: bool) -> str:
    """The lock's text with this package as it is now; its files are written. Raises ``SystemExit`` on another hash."""
    wanted = f"{package['npm']}@{'latest' if latest else package['version']}"
    version, integrity, root = _packed(wanted, folder)
    begin = text.index(f'npm = "{package["npm"]}"')
    end = text.find("\n[[package]]", begin)
    part = text[begin : end if end > 0 else len(text)]
    changed = _put(part, "version", version, latest=latest)
    changed = _put(changed, "integrity", integrity, latest=latest)
    pieces = changed.split("[[package.file]]")
    for number, file in enumerate(package["file"], start=1):
        content = _sprite(root / file["from"], file["names"]) if "names" in file else (root / file["from"]).read_bytes()
        pieces[number] = _put(pieces[number], "sha256", hashlib.sha256(content).hexdigest(), latest=latest)
        (STATIC / file["to"]).write_bytes(content)
    return text.replace(part, "[[package.file]]".join(pieces))


def _packed(wanted: str, folder: Path) -> tuple[str, str, Path]:
    """Version, integrity and unpacked folder of an npm package."""
    command = ["npm", "pack", "--json", "--pack-destination", str(folder), wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - the lock names it
    told = json.loads(done.stdout)
    found = told[0] if isinstance(told, list) else next(iter(told.values()))
    tarball = next(folder.glob("*.tgz"))
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    with tarfile.open(tarball) as archive:
        archive.extractall(folder, filter="data")
    return found["version"], integrity, folder / "package"


def _put(text: str, field: str, value: str, *, latest: bool) -> str:
    """``text`` with ``field`` set; a value that was another one ends everything unless the ``latest`` is asked for."""
    match = re.search(rf'^{field} = "(.*)"$', text, re.MULTILINE)
    if match is None:
        raise SystemExit(f"VENDOR.lock has no {field} there")
    if match[1] not in {"", value} and not latest:
        raise SystemExit(f"{field} should be {match[1]} and is {value}")
    return f'{text[: match.start()]}{field} = "{value}"{text[match.end() :]}'


def _sprite(folder: Path, names: list[str]) -> bytes:
    """One file of symbols: the drawings alone, in order of name."""
    symbols = [f'<symbol id="{name}">{_drawing(folder / f"{name}.svg")}</symbol>' for name in sorted(names)]
    note = "<!-- lucide (ISC), https://lucide.dev/license -->"
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg">{note}', *symbols, "</svg>\n"]).encode()


def _drawing(path: Path) -> str:
    inner = re.sub(r"<!--.*?-->|</?svg[^>]*>", "", path.read_text("utf-8"), flags=re.DOTALL)
    return " ".join(inner.split())


if __name__ == "__main__":
    main(latest="--latest" in sys.argv[1:])
