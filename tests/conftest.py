"""The real broker and database for every suite that asks for them: started once, shared."""

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tabiji_cli.stack.kafka import KafkaServer
from tabiji_cli.stack.ports import free_port
from tabiji_cli.stack.postgres import PostgresServer
from tests.skips import without_fixtures
from tests.stack import delete_topics


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out for want of the folder of fixtures, which no clone holds."""
    if line := without_fixtures(terminalreporter.stats.get("skipped", [])):
        terminalreporter.write_line(line, yellow=True)


@pytest.fixture(scope="session")
def stack_home() -> Iterator[Path]:
    """A home of this session's own, which `nobody` may enter too: PostgreSQL's user under root."""
    home = Path(tempfile.mkdtemp(prefix="tabiji-test-"))
    home.chmod(0o711)
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def kafka(stack_home: Path) -> Iterator[KafkaServer]:
    """A broker on a free port. A test that stops it starts it again."""
    server = KafkaServer(stack_home, free_port(), heap_mb=512)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres(stack_home: Path) -> Iterator[PostgresServer]:
    """A database server on a free port. A test that stops it starts it again."""
    server = PostgresServer(stack_home, free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """The dsn (`postgresql://…`) of a fresh, empty database of this test's own."""
    name = f"test_{secrets.token_hex(6)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture
def topic_prefix(kafka: KafkaServer) -> Iterator[str]:
    """A prefix of this test's own; the topics under it are deleted afterwards.

    The broker dies near 3,000 partition folders at 256 MB, so no test leaves any behind.
    """
    prefix = f"t{secrets.token_hex(4)}."
    yield prefix
    delete_topics(kafka.bootstrap, prefix)
