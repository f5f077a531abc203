"""The folder of templates, compiled once: <journey>/<template>/{subject.liquid, body.mjml | body.html, body.txt}.

For LINE body.line.txt or body.line.json, else body.txt.
"""

from __future__ import annotations

from pathlib import Path

from tabiji_dispatch.domain.render import Template, Unrenderable, compile_template, is_template_name

_PARTS = ("subject.liquid", "body.txt", "body.mjml", "body.html", "body.line.txt", "body.line.json")


class TemplateFolder:
    """The port ``Templates``. What was compiled stays until the process ends; what was missing is looked for again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._compiled: dict[str, Template] = {}

    def find(self, name: str) -> Template:
        found = self._compiled.get(name)
        if found is None:
            found = self._compiled[name] = self._compile(name)
        return found

    def _compile(self, name: str) -> Template:
        if not is_template_name(name):
            raise Unrenderable(f"{name!r} names no template")
        folder = self._folder / name
        parts = {part: (folder / part).read_text("utf-8") for part in _PARTS if (folder / part).is_file()}
        return compile_template(name, parts)
