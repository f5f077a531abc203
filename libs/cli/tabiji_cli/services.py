"""The services that there are, and the topics of an installation, from what they say that they read."""

from __future__ import annotations

import importlib
from typing import Any

from tabiji_common.kafka.admin import create, topic_names
from tabiji_common.settings import Settings
from tabiji_common.topics import Topic

SERVICES = ("ingest", "journey", "dispatch", "analytics")


def groups() -> dict[str, tuple[Topic[Any], ...]]:
    """The inputs of every service that reads any: ``INPUTS`` of its pipeline."""
    found = {name: getattr(importlib.import_module(f"tabiji_{name}.pipeline"), "INPUTS", ()) for name in SERVICES}
    return {name: inputs for name, inputs in found.items() if inputs}


def topics() -> dict[str, dict[str, str]]:
    """Every topic, without prefix, with its configuration."""
    return topic_names(groups())


async def create_topics(settings: Settings) -> list[str]:
    """Create what is missing; see ``tabiji_common.kafka.admin.create``."""
    return await create(settings, topics())
