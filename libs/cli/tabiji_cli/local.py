"""The embedded stack around a command: Apache Kafka, PostgreSQL and a supervisor, up and stopped again, aloud."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tabiji_cli.stack.errors import StackError
from tabiji_cli.stack.home import default_home
from tabiji_cli.stack.kafka import DEFAULT_PORT as KAFKA_PORT
from tabiji_cli.stack.kafka import PORT_SETTING as KAFKA_SETTING
from tabiji_cli.stack.kafka import KafkaServer
from tabiji_cli.stack.postgres import DEFAULT_PORT as POSTGRES_PORT
from tabiji_cli.stack.postgres import PORT_SETTING as POSTGRES_SETTING
from tabiji_cli.stack.postgres import PostgresServer
from tabiji_cli.stack.supervisor import Death, Supervisor

Say = Callable[[str], None]


@dataclass(frozen=True)
class Stack:
    """A log, a database and whoever keeps our processes running, all on this machine."""

    home: Path
    kafka: KafkaServer
    postgres: PostgresServer
    supervisor: Supervisor

    @property
    def logs(self) -> Path:
        """Where every process writes what it has to say."""
        return self.home / "logs"


@contextmanager
def stack(say: Say, home: Path | None = None) -> Iterator[Stack]:
    """The stack, up while the block runs. ``say`` hears what is started, dies and is stopped.

    Raises ``StackError`` where a port is taken or something does not start.
    """
    home = home or default_home()
    kafka = KafkaServer(home, _port(KAFKA_SETTING, KAFKA_PORT))
    postgres = PostgresServer(home, _port(POSTGRES_SETTING, POSTGRES_PORT))
    supervisor = Supervisor(home, on_death=lambda death: say(_died(death)))
    with ExitStack() as exits:
        exits.enter_context(_told(say))
        exits.callback(_stop, "Apache Kafka", kafka, say)
        exits.callback(_stop, "PostgreSQL", postgres, say)
        say("starting PostgreSQL and Apache Kafka")
        with uninterrupted(), ThreadPoolExecutor(2) as pool:
            named = (("PostgreSQL", postgres), ("Apache Kafka", kafka))
            starts = [pool.submit(_start, name, server, say) for name, server in named]
        for start in starts:
            start.result()
        exits.callback(stop_services, supervisor, say)
        supervisor.open()
        yield Stack(home, kafka, postgres, supervisor)


def _start(name: str, server: KafkaServer | PostgresServer, say: Say) -> None:
    begun = time.monotonic()
    server.start()
    say(f"{name} answers on {server.port} (pid {server.pid}): {time.monotonic() - begun:.1f} s")


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C during the block is a ``KeyboardInterrupt`` at its end: what is half started cannot be stopped."""
    asked: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: asked.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        raise KeyboardInterrupt


def _port(name: str, default: int) -> int:
    try:
        return int(os.environ.get(name, default))
    except ValueError as error:
        raise StackError(f"{name} must be a number: {error}") from error


def _stop(name: str, server: KafkaServer | PostgresServer, say: Say) -> None:
    pid = server.pid
    server.stop()
    if pid is not None:
        say(f"stopped {name} (pid {pid})")


def stop_on_signals() -> asyncio.Event:
    """An event that Ctrl-C or SIGTERM sets; a second one cancels the task that called this."""
    stop, task = asyncio.Event(), asyncio.current_task()

    def stopped() -> None:
        if stop.is_set() and task is not None:
            task.cancel()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped)
    return stop


@contextmanager
def _told(say: Say) -> Iterator[None]:
    """Warnings of the stack are said, too; deaths of services are said by whoever is called back for them."""
    logger, handler = logging.getLogger("tabiji_cli.stack"), logging.Handler(logging.WARNING)
    handler.emit = lambda record: say(record.getMessage())  # type: ignore[method-assign]
    handler.addFilter(lambda record: "ended with status" not in record.msg)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def stop_services(supervisor: Supervisor, say: Say) -> None:
    """Drain and stop everything under supervision, and say how each one ended; twice is harmless."""
    for one in supervisor.close():
        how = "killed, it did not end in time" if one.killed else f"drained in {one.seconds:.1f} s"
        say(f"stopped {one.name} (pid {one.pid}): {how}")
        if one.orphans:
            say(f"ended {len(one.orphans)} processes that {one.name} had left")


def _died(death: Death) -> str:
    how = f"signal {-death.status}" if death.status < 0 else f"status {death.status}"
    return f"{death.name} died ({how}) and is started again in {death.pause:.1f} s"
