"""Templates (Jinja, everything escaped) and static files, which are named by their content and so kept for ever."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from tabiji_console.domain import figures, reasons, signs
from tabiji_console.domain.icons import icon

STATIC = Path(__file__).parents[1] / "static"


def make_pages() -> Environment:
    """The templates, with figures and icons in them; a name that nobody gave is an error."""
    pages = Environment(
        loader=PackageLoader("tabiji_console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.globals.update(icon=icon, asset=asset, figures=figures, reasons=reasons, signs=signs)
    pages.filters.update(number=figures.number, share=figures.share)
    return pages


@cache
def asset(name: str) -> str:
    """A static file's path, another one whenever its content is."""
    return f"/static/{name}?v={hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


class StaticPages(StaticFiles):
    """Static files that a browser need not ask for again."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file; for ever where it is asked for by its content."""
        answer = await super().get_response(path, scope)
        if answer.status_code == 200 and b"v=" in scope.get("query_string", b""):
            answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer
