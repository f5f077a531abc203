"""Every generated file: path under ``docs/`` → text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tabiji_cli.docs import asyncapi
from tabiji_cli.docs.errors import errors_page
from tabiji_cli.docs.metrics import metrics_page
from tabiji_cli.docs.schemas import all_kinds, schema
from tabiji_cli.docs.settings import settings_page
from tabiji_cli.docs.topics import topics_page

SCHEMAS = "schemas"


def pages() -> dict[str, str]:
    """The text of every generated file."""
    return {
        "topics.md": topics_page(),
        "metrics.md": metrics_page(),
        "settings.md": settings_page(),
        "errors.md": errors_page(),
        "asyncapi.json": _json(asyncapi.document()),
        **{f"{SCHEMAS}/{kind.file}": _json(schema(kind)) for kind in all_kinds()},
    }


def stale(folder: Path) -> list[str]:
    """Files under ``folder`` that are not what the code says, or that nothing writes any more."""
    made = pages()
    there = {f"{SCHEMAS}/{path.name}" for path in (folder / SCHEMAS).glob("*")}
    changed = {name for name, text in made.items() if not _is(folder / name, text)}
    return sorted(changed | (there - made.keys()))


def write(folder: Path) -> list[str]:
    """Write what is stale, and remove what nothing writes any more; the names."""
    made = pages()
    found = stale(folder)
    for name in found:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name in made:
            path.write_text(made[name], "utf-8")
        else:
            path.unlink()
    return found


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
