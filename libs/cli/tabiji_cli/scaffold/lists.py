"""Where services are listed, and how one more gets into each list: beside its neighbour, in the same words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tabiji_cli.scaffold.texts import Names

NEIGHBOUR = "analytics"
Add = Callable[[str, Names], str]


class NotListed(LookupError):
    """The neighbour does not stand where it was looked for: that list has changed, and so must this module."""


def lines(pattern: str) -> Add:
    """Every line that matches, once more for the new service."""

    def add(text: str, names: Names) -> str:
        return _replaced(rf"^{pattern}$\n", lambda found: found[0] + names.beside(found[0]), text)

    return add


def within(pattern: str) -> Add:
    """Every place within a line that matches, once more behind a separator of the same kind: group 1 and group 2."""

    def add(text: str, names: Names) -> str:
        return _replaced(pattern, lambda found: found[0] + found[1] + names.beside(found[2]), text)

    return add


def block(first: str) -> Add:
    """The block that begins with the line ``first``, to the next empty line or line no deeper, once more."""

    def add(text: str, names: Names) -> str:
        indent = len(first) - len(first.lstrip())
        pattern = rf"^{re.escape(first)}.*\n(?: {{{indent + 1},}}\S.*\n)*\n?"
        return _replaced(pattern, lambda found: names.beside(found[0]) + found[0], text)

    return add


def port(pattern: str) -> Add:
    """A line with the neighbour's port, once more with the new one."""

    def add(text: str, names: Names) -> str:
        def more(found: re.Match[str]) -> str:
            return found[0] + re.sub(r"\d+", str(names.port), names.beside(found[0]))

        return _replaced(rf"^{pattern}$\n", more, text)

    return add


def _replaced(pattern: str, more: Callable[[re.Match[str]], str], text: str) -> str:
    changed, times = re.subn(pattern, more, text, flags=re.MULTILINE)
    if not times:
        raise NotListed(f"nothing is like {pattern!r}")
    return changed


LISTS: dict[str, Sequence[Add]] = {
    "pyproject.toml": (
        lines(rf' +"(?:\$MYPY_CONFIG_FILE_DIR/)?services/{NEIGHBOUR}(?:/tabiji_{NEIGHBOUR})?",'),
        lines(rf' +"tabiji_{NEIGHBOUR}",'),
        within(rf'(?<=\w"(, ))("tabiji_{NEIGHBOUR}")'),
        within(rf"(?<=\w( \| ))(tabiji_{NEIGHBOUR})"),
    ),
    "libs/cli/tabiji_cli/services.py": (within(rf'(?<=\w"(, ))("{NEIGHBOUR}")'),),
    "libs/cli/tabiji_cli/processes.py": (port(rf"    {NEIGHBOUR}: int = \d+"),),
    "docker-compose.yml": (block(f"  {NEIGHBOUR}:"),),
    "deploy/prometheus/prometheus.yml": (block(f"  - job_name: {NEIGHBOUR}"),),
    "deploy/k8s/base/kustomization.yaml": (lines(rf"  - {NEIGHBOUR}\.yaml"),),
    "deploy/k8s/base/network.yaml": (within(rf"(?<=\w(, ))({NEIGHBOUR})(?=[,\]])"),),
    "deploy/k8s/overlays/prod/kustomization.yaml": (lines(rf"  - {{name: tabiji-{NEIGHBOUR}, .*}}"),),
}
"""The lists of this tree: file → what is added to it."""

LIKE = (f"deploy/k8s/base/{NEIGHBOUR}.yaml",)
"""Files that a service has like its neighbour's, but for name and ports."""
