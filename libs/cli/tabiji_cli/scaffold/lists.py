"""Where services are listed, and how one gets into each list, beside its neighbour in the same words, and out of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tabiji_cli.scaffold.texts import Names

NEIGHBOUR = "analytics"


class NotListed(LookupError):
    """The neighbour does not stand where it was looked for: that list has changed, and so must this module."""


@dataclass(frozen=True)
class Rule:
    """Where the neighbour stands in a list (``pattern``), and the ``piece`` that stands beside it for a service."""

    pattern: str
    piece: Callable[[re.Match[str], Names], str]
    before: bool = False

    def added(self, text: str, names: Names) -> str:
        """``text`` with the service in it."""

        def more(found: re.Match[str]) -> str:
            piece = self.piece(found, names)
            return piece + found[0] if self.before else found[0] + piece

        changed, times = re.subn(self.pattern, more, text, flags=re.MULTILINE)
        if not times:
            raise NotListed(f"nothing is like {self.pattern!r}")
        return changed

    def removed(self, text: str, names: Names) -> str:
        """``text`` without the service, as far as its piece is as it was written."""
        pieces = [self.piece(found, names) for found in re.finditer(self.pattern, text, re.MULTILINE)]
        for piece in pieces:
            end = r"\b" if re.search(r"\w\Z", piece) else ""  # another's name may begin like its own
            text = re.sub(re.escape(piece) + end, "", text, count=1)
        return text


def lines(pattern: str) -> Rule:
    """Every line that matches, once more for the service."""
    return Rule(rf"^{pattern}$\n", lambda found, names: names.beside(found[0]))


def within(pattern: str) -> Rule:
    """Every place within a line that matches, once more behind a separator of the same kind: group 1 and group 2."""
    return Rule(pattern, lambda found, names: found[1] + names.beside(found[2]))


def block(first: str) -> Rule:
    """The block that begins with the line ``first``, to the next empty line or line no deeper, once more."""
    indent = len(first) - len(first.lstrip())
    pattern = rf"^{re.escape(first)}.*\n(?: {{{indent + 1},}}\S.*\n)*\n?"
    return Rule(pattern, lambda found, names: names.beside(found[0]), before=True)


def port(pattern: str) -> Rule:
    """A line with the neighbour's port, once more with the service's."""
    return Rule(rf"^{pattern}$\n", lambda found, names: re.sub(r"\d+", str(names.port), names.beside(found[0])))


LISTS: dict[str, Sequence[Rule]] = {
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
"""The lists of this tree: file → what stands in it for a service."""

LIKE = (f"deploy/k8s/base/{NEIGHBOUR}.yaml",)
"""Files that a service has like its neighbour's, but for name and ports."""
