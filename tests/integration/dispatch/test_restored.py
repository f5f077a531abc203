"""``docs/restore.md`` done: a backup restored elsewhere starts paused and sends nothing until released."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tabiji_cli.stack.ports import free_port
from tabiji_cli.stack.postgres import PostgresServer
from tabiji_cli.stack.users import reachable_programs, unprivileged
from tests.integration.dispatch.house import house
from tests.integration.dispatch.paused import holds_all_until_released
from tests.integration.dispatch.receiver import Receiver
from tests.integration.dispatch.sink import Sink
from tests.integration.dispatch.test_crashes import providers


def back_up(server: PostgresServer, into: Path) -> None:
    """What the runbook says, of a server that runs; with the WAL that was written meanwhile."""
    programs = reachable_programs(unprivileged())
    backup = [str(programs / "pg_basebackup"), "--dbname", server.dsn(), "--pgdata", str(into)]
    subprocess.run([*backup, "--wal-method=stream", "--checkpoint=fast"], check=True, capture_output=True)
    verify = [str(programs / "pg_verifybackup"), str(into)]
    subprocess.run(verify, check=True, capture_output=True)


@pytest.fixture
def restored() -> Iterator[PostgresServer]:
    """A server on a folder of its own, which a test fills before it starts it."""
    home = Path(tempfile.mkdtemp(prefix="tabiji-restored-"))
    home.chmod(0o711)
    server = PostgresServer(home, free_port())
    yield server
    server.stop()
    shutil.rmtree(home, ignore_errors=True)


def restore(backup: Path, server: PostgresServer, of: PostgresServer) -> None:
    folder = server.home / "postgres"
    folder.mkdir()
    shutil.copytree(backup, folder / "data")
    if user := unprivileged():
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, user.uid, user.gid)
    (folder / "data").chmod(0o700)
    shutil.copy(of.home / "postgres.password", server.home / "postgres.password")
    server.start()


async def test_a_restored_backup_sends_nothing_until_it_is_released(
    kafka: Any, postgres: PostgresServer, database: str, topic_prefix: str, tmp_path: Path, restored: PostgresServer
) -> None:
    async with (
        Sink() as sink,
        Receiver() as receiver,
        house(kafka, database, topic_prefix, tmp_path, providers(sink, receiver)) as home,
    ):
        home.start()
        await home.settle()
        back_up(postgres, tmp_path / "backup")
        assert home.end() == 0
        restore(tmp_path / "backup", restored, postgres)
        home.settings = home.settings.model_copy(update={"postgres_dsn": restored.dsn(database.rpartition("/")[2])})
        await holds_all_until_released(home, sink, receiver, "place")
