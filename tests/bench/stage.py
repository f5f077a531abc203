"""The broker and the database that all figures share, what they cost, and databases and topics for one figure."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tabiji_cli.services import topics
from tabiji_cli.stack.kafka import KafkaServer
from tabiji_cli.stack.ports import free_port
from tabiji_cli.stack.postgres import PostgresServer
from tabiji_cli.stack.probe import execute
from tabiji_common.kafka.admin import create
from tabiji_common.settings import Settings
from tests.stack import _delete_topics

PARTITIONS = 12


@dataclass(frozen=True)
class Stage:
    """A real broker and a real database in a home that is gone afterwards."""

    home: Path
    kafka: KafkaServer
    postgres: PostgresServer

    def database(self, template: str = "") -> str:
        """The name of a fresh database, a copy of ``template`` where one is named."""
        name = f"bench_{secrets.token_hex(6)}"
        execute(self.postgres.dsn(), f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
        return name

    def drop(self, *names: str) -> None:
        for name in names:
            self.postgres.drop_database(name)

    @asynccontextmanager
    async def topics(self, *wanted: str) -> AsyncIterator[Settings]:
        """Settings with a prefix of its own; ``wanted`` topics (all, if none is named) are there meanwhile."""
        prefix = f"b{secrets.token_hex(4)}."
        settings = Settings(kafka_bootstrap=self.kafka.bootstrap, topic_prefix=prefix, partitions=PARTITIONS)
        every = topics()
        await create(settings, {name: every[name] for name in wanted} if wanted else every)
        try:
            yield settings
        finally:
            await _delete_topics(self.kafka.bootstrap, prefix)


@contextmanager
def stage() -> Iterator[Stage]:
    """The stage, up while the block runs."""
    home = Path(tempfile.mkdtemp(prefix="tabiji-bench-"))
    home.chmod(0o711)
    kafka, postgres = KafkaServer(home, free_port(), heap_mb=512), PostgresServer(home, free_port())
    try:
        postgres.start()
        kafka.start()
        yield Stage(home, kafka, postgres)
    finally:
        kafka.stop()
        postgres.stop()
        shutil.rmtree(home, ignore_errors=True)


class Meter:
    """CPU-seconds since it was made (or ``reset``): of the services given by process id, the broker and the database.

    ``own`` counts this process as the service: a loop that runs inside of the benchmark.
    """

    def __init__(self, on: Stage, *services: int, own: bool = False) -> None:
        self._pids = [os.getpid()] if own else list(services)
        self._kafka, self._postgres = on.kafka.pid or 0, on.postgres.pid or 0
        self.reset()

    def reset(self) -> None:
        self._began, self._before = time.perf_counter(), self._now()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._began

    @property
    def cpu(self) -> dict[str, float]:
        now = self._now()
        return {name: now[name] - self._before[name] for name in now}

    def _now(self) -> dict[str, float]:
        return {
            "service": sum(_own(pid) for pid in self._pids),
            "kafka": _own(self._kafka),
            "postgres": _tree(self._postgres),
        }


def _own(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _tree(pid: int) -> float:
    """A server that works in children; those that have ended are in its own ``children_*``."""
    root = psutil.Process(pid)
    times = root.cpu_times()
    ended = float(times.children_user + times.children_system)
    return ended + sum(_own(process.pid) for process in [root, *root.children()] if process.is_running())
