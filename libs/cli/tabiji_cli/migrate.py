"""``tabiji migrate``: every topic and every service's schema, as one job that runs before the services do.

The services bring their own schemas up to date too, under the same lock; this job lets them start on what is there.
"""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from tabiji_cli.services import SERVICES, create_topics
from tabiji_common.errors import Retry
from tabiji_common.postgres import is_transient, migrate
from tabiji_common.settings import Settings

PATIENCE = 120.0  # seconds in which Kafka and PostgreSQL may still be starting
PAUSE = 1.0
Say = Callable[[str], None]
T = TypeVar("T")


def scripts() -> dict[str, Path]:
    """The alembic folder of every service that keeps a schema."""
    found = {name: getattr(importlib.import_module(f"tabiji_{name}.__main__"), "MIGRATIONS", None) for name in SERVICES}
    return {name: folder for name, folder in found.items() if folder is not None}


def run(settings: Settings, say: Say, patience: float = PATIENCE) -> None:
    """Make what is missing; harmless twice.

    Raises ``Retry`` or the driver's error where Kafka or PostgreSQL do not answer within ``patience`` seconds,
    ``Misconfigured`` where a topic has another partition count.
    """
    until = time.monotonic() + patience
    made = _patiently(lambda: asyncio.run(create_topics(settings)), until)
    say(f"topics: {', '.join(made)}" if made else "topics: all of them are there")
    for name, folder in scripts().items():
        _patiently(partial(migrate, settings.postgres_dsn, name, folder), until)
        say(f"schema {name}: at its newest migration")


def _patiently(act: Callable[[], T], until: float) -> T:
    """What ``act`` returns, asked again while the infrastructure is away."""
    while True:
        try:
            return act()
        except Exception as error:
            if not _is_away(error) or time.monotonic() > until:
                raise
            time.sleep(PAUSE)


def _is_away(error: BaseException) -> bool:
    """Whether it, or what caused it, is an infrastructure that does not answer."""
    cause = error.__cause__
    return isinstance(error, Retry) or is_transient(error) or (cause is not None and _is_away(cause))
