"""A journey document (YAML or JSON) -> Definition, or every problem in it with file, line and rule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tabiji_journey.domain.definition import Definition


@dataclass(frozen=True, slots=True)
class Shop:
    """What a definition takes from its workspace: the zone of its civil times and its longest quiet hours."""

    timezone: str = "Asia/Tokyo"
    quiet_hours: timedelta = timedelta(hours=11)


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule. ``line`` counts from 1; ``path`` is like ``states.guide.send.template``."""

    file: str
    line: int
    path: str
    rule: str


class DefinitionError(Exception):
    """The document is no journey; ``problems`` holds every rule it breaks, by line."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(f"{p.file}:{p.line}: {p.path}: {p.rule}" for p in problems))
        self.problems = problems


def load(
    text: str, *, version: int = 1, file: str = "<journey>", shop: Shop = Shop(), templates: Path | None = None
) -> Definition:
    """Read one document. With ``templates``, the folder that holds ``<journey>/<template>/``, the files must exist.

    Raises ``DefinitionError``.
    """
    raise NotImplementedError


def load_file(path: Path, *, version: int = 1, shop: Shop = Shop()) -> Definition:
    """Read ``journeys/<id>.yaml`` with its templates in the folder beside it. Raises ``DefinitionError``."""
    raise NotImplementedError
