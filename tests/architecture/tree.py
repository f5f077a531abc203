"""What the architecture tests look at: the project's files and its modules."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("libs", "services")


@dataclass(frozen=True)
class Module:
    """One module under libs or services: the name it is imported by, and its source."""

    name: str
    path: Path

    @property
    def shown(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def tree(self) -> ast.Module:
        return parsed(self.path)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def modules() -> list[Module]:
    """Every module of every package, in a stable order."""
    return sorted(_modules(), key=lambda module: module.name)


def _modules() -> Iterator[Module]:
    for room in ROOMS:
        for package in (ROOT / room).glob("*/tabiji_*"):
            for path in package.rglob("*.py"):
                parts = path.relative_to(package.parent).with_suffix("").parts
                yield Module(".".join(part for part in parts if part != "__init__"), path)


def python_files() -> list[Path]:
    """All Python of ours: packages, migrations, suites."""
    return sorted(path for room in (*ROOMS, "tests") for path in (ROOT / room).rglob("*.py"))


def committed_files() -> list[Path]:
    """What a clone holds."""
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = (ROOT / name.decode() for name in listing.stdout.split(b"\0") if name)
    return [path for path in paths if path.is_file()]
