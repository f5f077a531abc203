"""Writes a service's files and adds it to every list in which its neighbour stands; takes both out again."""

from __future__ import annotations

import keyword
import re
import shutil
from pathlib import Path

from tabiji_cli import services
from tabiji_cli.processes import Ports
from tabiji_cli.scaffold.lists import LIKE, LISTS
from tabiji_cli.scaffold.texts import FILES, Names

_NAME = re.compile(r"[a-z][a-z0-9]{1,19}")
_TAKEN = frozenset({"common", "cli", "events", "all"})
_OURS = frozenset({"ingest", "journey", "dispatch", "analytics", "console"})


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


def remove(root: Path, name: str) -> tuple[list[str], list[str]]:
    """Take service ``name`` out of the tree at ``root``, its folders whole: what changed or went, what names it still.

    Raises ``NotThisName`` where it is one of Tabiji's own, or no service.
    """
    if name in _OURS or name not in services.SERVICES or not (root / "services" / name).is_dir():
        raise NotThisName(f"{name!r} is no service that was added here; only such a one is taken out")
    names = Names.of(name, Ports().of(name))
    changed = {}
    for path, rules in LISTS.items():
        if (root / path).exists():
            before = text = (root / path).read_text("utf-8")
            for rule in rules:
                text = rule.removed(text, names)
            if text != before:
                changed[path] = text
    for path, text in changed.items():
        (root / path).write_text(text, "utf-8")
    gone = [path for path in _places(names) if (root / path).exists()]
    for path in gone:
        shutil.rmtree(root / path) if (root / path).is_dir() else (root / path).unlink()
    return sorted([*changed, *gone]), _left(root, name)


def _places(names: Names) -> list[str]:
    """What is the service's alone."""
    dashboard = f"deploy/grafana/dashboards/{names.name}.json"
    return [f"services/{names.name}", f"tests/unit/{names.name}", dashboard, *(names.beside(path) for path in LIKE)]


def _left(root: Path, name: str) -> list[str]:
    """Lists in which somebody has changed what was written, so that the service stands there still."""
    there = [path for path in LISTS if (root / path).exists()]
    return [path for path in there if re.search(rf"\b(tabiji[_-])?{name}\b", (root / path).read_text("utf-8"))]


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
    for path, rules in LISTS.items():
        file = root / path
        if file.exists():
            text = file.read_text("utf-8")
            for rule in rules:
                text = rule.added(text, names)
            made[path] = text
    for path in LIKE:
        if (root / path).exists():
            made[names.beside(path)] = names.beside((root / path).read_text("utf-8"))
    return made
