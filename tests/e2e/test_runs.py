"""Every run has a database and topics of its own, and never those of somebody else."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess

import asyncpg
import pytest

from tabiji_cli.demo.runs import LiveRows, Run, begin, create_database, drop
from tabiji_cli.local import Stack
from tabiji_cli.processes import Installation, make_topics
from tabiji_cli.stack.cleaning import delete_topics
from tabiji_common.settings import Settings
from tests.e2e.driver import TABIJI


async def databases(stack: Stack) -> set[str]:
    connection = await asyncpg.connect(stack.postgres.dsn())
    try:
        return {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}
    finally:
        await connection.close()


async def started(stack: Stack) -> tuple[Run, list[str]]:
    run = await begin(stack)
    installation = Installation(await create_database(stack, run), stack.kafka.bootstrap, "secret", prefix=run.prefix)
    return run, await make_topics(installation)


async def test_a_new_run_drops_the_last_ones_database_topics_and_files(stack: Stack) -> None:
    first, topics = await started(stack)
    first.accepted.write_text("{}\n")
    assert topics
    assert first.database in await databases(stack)
    second, _ = await started(stack)
    assert (second.database, second.prefix) != (first.database, first.prefix)
    assert first.database not in await databases(stack)
    assert not first.folder.exists()
    for _ in range(600):  # the broker answers first and forgets a moment later
        if not await delete_topics(stack.kafka.bootstrap, first.prefix):
            break
        await asyncio.sleep(0.1)
    else:
        pytest.fail("topics of the first run are still there")


async def test_a_database_with_rows_of_others_is_refused_and_kept(stack: Stack) -> None:
    last = await begin(stack)
    foreign = Run.numbered(stack.home, last.number + 1)
    dsn = await create_database(stack, foreign)
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE SCHEMA journey; CREATE TABLE journey.enrollment (id text)")
    await connection.close()
    with pytest.raises(LiveRows, match=foreign.database):
        await begin(stack)
    assert foreign.database in await databases(stack)
    await drop(stack, foreign)


async def test_topics_are_never_deleted_without_a_prefix(stack: Stack) -> None:
    with pytest.raises(ValueError, match="prefix"):
        await delete_topics(stack.kafka.bootstrap, Settings().topic_prefix)


def test_topics_of_a_service_of_ones_own_are_created_once(stack: Stack) -> None:
    name = f"vip.reached.{secrets.token_hex(8)}"

    def made(bootstrap: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "TABIJI_KAFKA_BOOTSTRAP": bootstrap}
        return subprocess.run(
            [*TABIJI, "topics", "--create", name], env=environment, capture_output=True, text=True, check=False
        )

    first, again = made(stack.kafka.bootstrap), made(stack.kafka.bootstrap)
    assert (first.returncode, first.stdout) == (0, f"made: {name}\n")
    assert (again.returncode, again.stdout) == (0, "all of them are there\n")
    nobody = made("127.0.0.1:1")
    assert nobody.returncode == 1
    assert "tabiji: topics were not created" in nobody.stderr
    assert "Traceback" not in nobody.stderr
