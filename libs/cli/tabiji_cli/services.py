"""The services that there are, and the topics of an installation, from what they say that they read and write."""

from __future__ import annotations

import importlib
from typing import Any

from tabiji_common.kafka.admin import create, topic_names
from tabiji_common.settings import Settings
from tabiji_common.topics import Topic

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


def topics() -> dict[str, dict[str, str]]:
    """Every topic, without prefix, with its configuration."""
    return topic_names(groups())


async def create_topics(settings: Settings) -> list[str]:
    """Create what is missing; see ``tabiji_common.kafka.admin.create``."""
    return await create(settings, topics())
