"""Does it answer? One real client call, from code that has no event loop of its own."""

import asyncio
import socket
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import asyncpg

T = TypeVar("T")


def complete(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end in a loop of its own, in a thread of its own: callers may live in a loop."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001 - carried over to the caller, whatever it is
            errors.append(error)

    thread = threading.Thread(target=run, name="probe")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def broker_answers(bootstrap: str) -> bool:
    """Whether a client gets the cluster's metadata, with at least one broker in it."""
    host, _, port = bootstrap.rpartition(":")
    try:
        # The client logs an error for a refused connection, which is what waiting looks like.
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return complete(_describe(bootstrap))


async def _describe(bootstrap: str) -> bool:
    from aiokafka.admin import AIOKafkaAdminClient  # noqa: PLC0415 - costs 100 ms of every command
    from aiokafka.errors import KafkaError  # noqa: PLC0415

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=2000)
    try:
        await admin.start()
        cluster = await admin.describe_cluster()
        return bool(cluster["brokers"]) and cluster["controller_id"] is not None
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        await admin.close()


async def _connect(dsn: str) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(dsn, timeout=5)


def database_answers(dsn: str) -> bool:
    """Whether a client gets an answer to a query."""
    try:
        return complete(_execute(dsn, ["SELECT 1"])) is None
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError):
        return False


def execute(dsn: str, *statements: str) -> None:
    """Run administrative statements, each in its own transaction."""
    complete(_execute(dsn, list(statements)))


async def _execute(dsn: str, statements: list[str]) -> None:
    connection = await _connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
