"""Writes a service's files, and adds it to every list in which its neighbour stands."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from tabiji_cli import services
from tabiji_cli.processes import Ports
from tabiji_cli.scaffold.lists import LIKE, LISTS
from tabiji_cli.scaffold.texts import FILES, Names

_NAME = re.compile(r"[a-z][a-z0-9]{1,19}")
_TAKEN = frozenset({"common", "cli", "events", "all"})


class NotThisName(ValueError):
    """The name cannot be a service's; the message says why."""


def build(root: Path, name: str) -> list[str]:
    """Write service ``name`` into the tree at ``root``; the files that are new or changed. Raises ``NotThisName``."""
    check(root, name)
    names = Names.of(name, next_port())
    made = _changed(root, names)
    made |= {names.filled(path): names.filled(text) for path, text in FILES.items()}
    for path, text in made.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8")
    return sorted(made)


def check(root: Path, name: str) -> None:
    """Raise ``NotThisName`` where there is such a service already, or its package could have no such name."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name) or name in _TAKEN:
        raise NotThisName(f"{name!r} is no name for a service: 2 to 20 of a-z and 0-9, a letter first, such as vip")
    if name in services.SERVICES or (root / "services" / name).exists():
        raise NotThisName(f"services/{name} is there already")


def next_port() -> int:
    """The first port after those of all services, in their step of ten."""
    return max(Ports().of(one) for one in services.SERVICES) + 10


def _changed(root: Path, names: Names) -> dict[str, str]:
    """The lists with the new service in them. A list that this tree does not have is passed over."""
    made = {}
    for path, adds in LISTS.items():
        file = root / path
        if file.exists():
            text = file.read_text("utf-8")
            for add in adds:
                text = add(text, names)
            made[path] = text
    for path in LIKE:
        if (root / path).exists():
            made[names.beside(path)] = names.beside((root / path).read_text("utf-8"))
    return made
