"""The services that there are, and the topics of an installation, from what they say that they read and write."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from tabiji_common.kafka.admin import create, topic_names
from tabiji_common.settings import Settings
from tabiji_common.topics import TOPICS, Topic

SERVICES = ("ingest", "journey", "dispatch", "analytics")
"""Those that carry the work: each has a schema, topics, and a part in the clock of a simulated run."""

CONSOLE = "console"
"""Shows what the others tell; it has neither schema nor topics, and no clock that a run would wait for."""

PROCESSES = (*SERVICES, CONSOLE)
"""Everything that is started."""


def groups() -> dict[str, tuple[Topic[Any], ...]]:
    """The inputs of every service that reads any: ``INPUTS`` of its pipeline."""
    return _told("INPUTS")


def outputs() -> dict[str, tuple[Topic[Any], ...]]:
    """What every service writes that writes anything, dead letters aside: ``OUTPUTS`` of its pipeline."""
    return _told("OUTPUTS")


def _told(name: str) -> dict[str, tuple[Topic[Any], ...]]:
    found = {service: getattr(importlib.import_module(f"tabiji_{service}.pipeline"), name, ()) for service in SERVICES}
    return {service: topics for service, topics in found.items() if topics}


def known() -> dict[str, Topic[Any]]:
    """Every topic that holds records, by name: those that all share, and those that a service has declared."""
    own = {topic.name: topic for written in outputs().values() for topic in written}
    return {**TOPICS, **own}


def keeps_state(service: str) -> bool:
    """Whether it has tables, and so is assigned its partition numbers by a membership topic."""
    return _room(service, "migrations").is_dir()


def has_api(service: str) -> bool:
    """Whether it answers on a port of its own, beside the one for health and metrics."""
    return importlib.util.find_spec(f"tabiji_{service}.api") is not None


def _room(service: str, name: str) -> Path:
    return Path(importlib.import_module(f"tabiji_{service}").__path__[0]).parent / name


def topics() -> dict[str, dict[str, str]]:
    """Every topic, without prefix, with its configuration."""
    read = groups()
    return topic_names(read, known(), [name for name in read if keeps_state(name)])


async def create_topics(settings: Settings) -> list[str]:
    """Create what is missing; see ``tabiji_common.kafka.admin.create``."""
    return await create(settings, topics())
