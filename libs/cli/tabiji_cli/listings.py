"""What there is: topics, and the failpoints that every service registers."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from types import ModuleType

from rich.table import Table

from tabiji_cli import services
from tabiji_common.failpoints import REGISTRY
from tabiji_common.kafka import admin
from tabiji_common.settings import Settings

PACKAGES = ("tabiji_common", *(f"tabiji_{service}" for service in services.PROCESSES))
_RUN_ONLY = {"__main__"}


def failpoints() -> dict[str, str]:
    """Name and place of every failpoint of all services; importing them is what registers them."""
    for package in PACKAGES:
        loaded(package)
    return dict(sorted(REGISTRY.items()))


def loaded(package: str) -> list[ModuleType]:
    """Every module of ``package``, imported, but for the one that runs it."""
    return [importlib.import_module(module) for module in _modules(package)]


def _modules(package: str) -> Iterator[str]:
    root = importlib.import_module(package)
    for found in pkgutil.walk_packages(root.__path__, f"{package}."):
        if _RUN_ONLY.isdisjoint(found.name.split(".")):
            yield found.name


def topics() -> dict[str, str]:
    """Every topic of an installation and what it holds, without prefix."""
    known = services.known()
    names = {name: known[name].holds if name in known else _purpose(name) for name in services.topics()}
    return dict(sorted(names.items()))


def create(names: Sequence[str]) -> list[str]:
    """Create what is missing of these topics, with what settings say of broker, prefix and partitions; those created.

    Dead letters are kept for ever, as those of our own services are.
    """
    wanted = {name: {"retention.ms": "-1"} if name.endswith(".dlq") else {} for name in names}
    return asyncio.run(admin.create(Settings(), wanted))


def _purpose(name: str) -> str:
    return "what a group could not apply" if name.endswith(".dlq") else "membership of a group; holds no records"


def table(rows: dict[str, str], *heads: str) -> Table:
    """Two columns for the terminal."""
    shown = Table(box=None, pad_edge=False, header_style="dim")
    shown.add_column(heads[0], no_wrap=True)
    shown.add_column(heads[1])
    for name, text in rows.items():
        shown.add_row(name, text)
    return shown
