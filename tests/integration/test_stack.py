"""The embedded stack starts, survives SIGKILL, and leaves nobody behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tabiji_cli.stack.errors import HomeInUse, PortTaken
from tabiji_cli.stack.kafka import KafkaServer
from tabiji_cli.stack.ports import LOOPBACK, free_port
from tabiji_cli.stack.postgres import PostgresServer
from tabiji_cli.stack.processes import Identity, identify
from tabiji_cli.stack.supervisor import Death, Supervisor

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""


def eventually(holds: Callable[[], bool], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return holds()


async def create_topic(kafka: KafkaServer, name: str, partitions: int = 4) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(name, partitions, 1)])
    await admin.close()


async def append(kafka: KafkaServer, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all") as producer:
        await producer.send_and_wait(topic, value, key=b"k", timestamp_ms=0)


async def read_all(kafka: KafkaServer, topic: str) -> list[tuple[bytes, int]]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
    async with consumer:
        polled = await consumer.getmany(timeout_ms=5000)
    return [(record.value, record.timestamp) for records in polled.values() for record in records]


async def test_the_broker_carries_records_and_stamps_them_itself(kafka: KafkaServer, topic_prefix: str) -> None:
    await create_topic(kafka, f"{topic_prefix}a")
    await append(kafka, f"{topic_prefix}a", b"one")
    ((value, appended),) = await read_all(kafka, f"{topic_prefix}a")
    assert value == b"one"
    assert appended > 0  # LogAppendTime: the client had said 0


async def test_what_the_broker_acknowledged_survives_sigkill(kafka: KafkaServer, topic_prefix: str) -> None:
    await create_topic(kafka, f"{topic_prefix}a")
    await append(kafka, f"{topic_prefix}a", b"kept")
    kafka.kill()
    assert kafka.pid is None
    kafka.start()
    await append(kafka, f"{topic_prefix}a", b"after")
    assert [value for value, _ in await read_all(kafka, f"{topic_prefix}a")] == [b"kept", b"after"]


async def test_topics_do_not_appear_by_accident(kafka: KafkaServer, topic_prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.describe_topics([f"{topic_prefix}never"])
    assert f"{topic_prefix}never" not in await admin.list_topics()
    await admin.close()


async def test_what_the_database_committed_survives_sigkill(postgres: PostgresServer, database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)")
    postgres.kill()
    postgres.start()
    await connection.close()
    connection = await asyncpg.connect(database)
    assert await connection.fetchval("SELECT n FROM kept") == 42
    assert await connection.fetchval("SHOW fsync") == "on"
    assert await connection.fetchval("SHOW synchronous_commit") == "on"
    assert await connection.fetchval("SHOW server_version") >= "18"
    await connection.close()


async def test_the_database_wants_a_password_that_others_cannot_read(
    postgres: PostgresServer,
) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://tabiji:wrong@{LOOPBACK}:{postgres.port}/postgres")
    assert (postgres.home / "postgres.password").stat().st_mode & 0o077 == 0


def test_creating_and_dropping_a_database_twice_is_harmless(postgres: PostgresServer) -> None:
    assert postgres.create_database("twice") == postgres.create_database("twice")
    postgres.drop_database("twice")
    postgres.drop_database("twice")


def test_a_stale_pid_file_that_names_a_living_stranger_stops_nobody(
    postgres: PostgresServer,
) -> None:
    postgres.kill()
    (postgres.data / "postmaster.pid").write_text(f"1\n{postgres.data}\n0\n{postgres.port}\n")
    postgres.start()
    assert postgres.is_alive()


@pytest.mark.parametrize(
    ("server", "setting"),
    [(KafkaServer, "TABIJI_KAFKA_PORT"), (PostgresServer, "TABIJI_POSTGRES_PORT")],
)
def test_a_taken_port_is_an_error_that_names_the_setting(
    stack_home: Path, server: type[KafkaServer] | type[PostgresServer], setting: str
) -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        with pytest.raises(PortTaken, match=setting):
            server(stack_home / setting, other.getsockname()[1]).start()


def test_two_servers_cannot_share_one_home(kafka: KafkaServer, postgres: PostgresServer) -> None:
    with pytest.raises(HomeInUse):
        KafkaServer(kafka.home, free_port()).start()
    with pytest.raises(HomeInUse):
        PostgresServer(postgres.home, free_port()).start()
    assert kafka.is_alive()
    assert postgres.is_alive()


@pytest.fixture
def deaths() -> list[Death]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, deaths: list[Death]) -> Iterator[Supervisor]:
    with Supervisor(tmp_path, on_death=deaths.append, grace=5.0) as running:
        yield running


def known(pid: int | None) -> Identity:
    assert pid is not None
    found = identify(pid)
    assert found is not None
    return found


def test_a_child_that_dies_is_started_again_and_counted(supervisor: Supervisor, deaths: list[Death]) -> None:
    first = supervisor.start("child", SLEEPER)
    assert supervisor.kill("child") == first
    assert eventually(lambda: supervisor.pid("child") not in (None, first))
    assert supervisor.restarts("child") == 1
    assert [(death.name, death.status, death.pause) for death in deaths] == [("child", -signal.SIGKILL, 0.1)]


def test_a_child_that_keeps_dying_is_given_longer_and_longer_pauses(
    supervisor: Supervisor, deaths: list[Death]
) -> None:
    supervisor.start("child", [sys.executable, "-c", "raise SystemExit(3)"])
    assert eventually(lambda: len(deaths) >= 4)
    assert [death.pause for death in deaths[:4]] == [0.1, 0.2, 0.4, 0.8]
    assert {death.status for death in deaths} == {3}


def test_stopping_ends_all_children_and_what_they_started(supervisor: Supervisor) -> None:
    parent = (
        "import subprocess, sys, time;"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "time.sleep(600)"
    )
    supervisor.start("plain", SLEEPER)
    pid = supervisor.start("parent", [sys.executable, "-c", parent])
    assert eventually(lambda: len(psutil.Process(pid).children()) == 1)
    (grandchild,) = psutil.Process(pid).children()
    ended = {stopped.name: stopped for stopped in supervisor.close()}
    assert ended["parent"].orphans == (grandchild.pid,)
    assert not ended["plain"].killed
    assert not psutil.pid_exists(pid)
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE


def test_a_child_that_is_deaf_to_sigterm_is_killed_after_the_grace(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start("deaf", [sys.executable, "-c", DEAF])
    assert eventually(lambda: "deaf" in (tmp_path / "logs" / "deaf.log").read_text())
    stopped = supervisor.stop("deaf", grace=0.3)
    assert stopped.killed
    assert supervisor.names() == []


def test_a_child_has_a_session_of_its_own_so_ctrl_c_does_not_reach_it(
    supervisor: Supervisor,
) -> None:
    pid = supervisor.start("child", SLEEPER, {"TABIJI_MARK": "here"})
    assert eventually(lambda: psutil.Process(pid).environ().get("TABIJI_MARK") == "here")
    assert os.getsid(pid) == pid


LONE_SUPERVISOR = """
import sys, time
from pathlib import Path
from tabiji_cli.stack.supervisor import Supervisor
supervisor = Supervisor(Path(sys.argv[1]))
supervisor.open()
print(supervisor.start("child", [sys.executable, "-c", "import time; time.sleep(600)"]), flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux binds a child to its parent's life")
def test_children_die_with_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", LONE_SUPERVISOR, str(tmp_path)], stdout=subprocess.PIPE) as lone:
        assert lone.stdout is not None
        child = known(int(lone.stdout.readline()))
        lone.kill()
    assert eventually(lambda: not child.is_alive())


def test_leftovers_of_an_earlier_life_are_ended_and_strangers_are_not(tmp_path: Path) -> None:
    with (
        subprocess.Popen(SLEEPER, start_new_session=True) as leftover,
        subprocess.Popen(SLEEPER, start_new_session=True) as stranger,
    ):
        rows = {
            "left": {"pid": leftover.pid, "started": known(leftover.pid).started},
            "reused": {"pid": stranger.pid, "started": "another boot, another time"},
        }
        (tmp_path / "supervisor.json").write_text(json.dumps(rows))
        with Supervisor(tmp_path):
            assert leftover.wait(60) == -signal.SIGTERM
            assert stranger.poll() is None
        stranger.kill()


def test_two_supervisors_cannot_share_one_home(supervisor: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(HomeInUse):
        Supervisor(tmp_path).open()


LONE_STACK = """
import sys, time
from pathlib import Path
from tabiji_cli.stack.kafka import KafkaServer
from tabiji_cli.stack.ports import free_port
from tabiji_cli.stack.postgres import PostgresServer
servers = [kind(Path(sys.argv[1]), free_port()) for kind in (KafkaServer, PostgresServer)]
for server in servers:
    server.start()
print(*(server.pid for server in servers), flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux binds a child to its parent's life")
def test_broker_and_database_die_with_a_process_that_was_killed_and_start_again(
    stack_home: Path,
) -> None:
    home = stack_home / "again"
    with subprocess.Popen([sys.executable, "-c", LONE_STACK, str(home)], stdout=subprocess.PIPE) as lone:
        assert lone.stdout is not None
        servers = [known(int(word)) for word in lone.stdout.readline().split()]
        lone.kill()
    assert len(servers) == 2
    assert eventually(lambda: not any(server.is_alive() for server in servers))
    for server in (KafkaServer(home, free_port()), PostgresServer(home, free_port())):
        server.start()
        server.stop()
