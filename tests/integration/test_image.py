"""What deploy/Dockerfile does, done without Docker: its own script, its own lock, then the containers' commands."""

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from tabiji_cli.services import SERVICES
from tabiji_cli.stack.kafka import KafkaServer
from tabiji_cli.stack.ports import free_port
from tests.architecture.tree import ROOT

UV = str(Path(sys.executable).parent / "uv")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info", "node_modules")


def built(folder: Path, service: str) -> Path:
    """What an image of ``service`` has under /opt/tabiji."""
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile(), re.MULTILINE)
    for path in (Path(name) for line in copied for name in line.split()):
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, folder / path, ignore=LEFT_OUT)
        else:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, folder / path)
    python = str(folder / ".venv" / "bin" / "python")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / ".venv")], check=True)
    locked = [UV, "pip", "sync", "--quiet", "--python", python, "--require-hashes", "requirements-image.lock"]
    subprocess.run(locked, cwd=folder, check=True)
    script = re.search(r"^RUN (set -eu;(?:.*\\\n)+.*\n)", dockerfile(), re.MULTILINE)
    assert script is not None
    here = script[1].replace("\\\n", "").replace("/opt/uv/bin/uv", f"{UV} --quiet")
    subprocess.run(["sh", "-c", here], cwd=folder, env={**os.environ, "SERVICE": service}, check=True)
    return folder


def dockerfile() -> str:
    return (ROOT / "deploy" / "Dockerfile").read_text("utf-8")


@dataclass(frozen=True)
class Container:
    """How a process of an image is started: its entry point, and nothing of this machine's Python."""

    entry: list[str]
    image: Path
    environment: dict[str, str]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.entry, *words], cwd=self.image, env=self.environment, capture_output=True, text=True, check=False
        )

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self.entry, cwd=self.image, env=self.environment)

    def is_healthy(self) -> bool:
        check = [str(self.image / ".venv" / "bin" / "python"), "deploy/livez.py"]
        return subprocess.run(check, cwd=self.image, env=self.environment, check=False).returncode == 0


def container(image: Path, service: str, **environment: str) -> Container:
    entry = re.search(r'^ENTRYPOINT \["sh", "-c", "(.+)", "tabiji"\]', dockerfile(), re.MULTILINE)
    assert entry is not None
    return Container(
        ["sh", "-c", entry[1].replace('\\"', '"'), "tabiji"],
        image,
        {
            "PATH": f"{image}/.venv/bin:/usr/bin:/bin",
            "SERVICE": service,
            "TABIJI_HOME": f"{image}/home",
            "TABIJI_JOURNEYS_FOLDER": f"{image}/journeys",
            "TABIJI_TEMPLATES": f"{image}/journeys",
            "TABIJI_WORKSPACE_SECRET": "one for this test",
            **environment,
        },
    )


async def schemas(dsn: str) -> set[str]:
    connection = await asyncpg.connect(dsn)
    try:
        return {row[0] for row in await connection.fetch("SELECT nspname FROM pg_namespace")}
    finally:
        await connection.close()


@pytest.mark.timeout(180)
async def test_the_job_makes_everything_and_then_a_service_is_healthy(
    tmp_path: Path, kafka: KafkaServer, database: str, topic_prefix: str
) -> None:
    where = {
        "TABIJI_KAFKA_BOOTSTRAP": kafka.bootstrap,
        "TABIJI_POSTGRES_DSN": database,
        "TABIJI_TOPIC_PREFIX": topic_prefix,
        "TABIJI_PARTITIONS": "2",
    }
    job = container(built(tmp_path / "cli", "cli"), "cli", **where)
    for said in (f"topics: {topic_prefix}", "topics: all of them are there"):
        done = job.run("migrate")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(said)
    assert await schemas(database) >= set(SERVICES)

    image = built(tmp_path / "dispatch", "dispatch")
    assert not (image / "services" / "journey").exists()
    ports = {"TABIJI_PORT": str(free_port()), "TABIJI_ADMIN_PORT": str(free_port())}
    service = container(image, "dispatch", **where, **ports)
    process = service.start()
    try:
        until = time.monotonic() + 120
        while not service.is_healthy() and process.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.3)
        assert process.poll() is None
        made = job.run("keys", "create", "hanako", "--scope", "operate")
        assert made.returncode == 0, made.stderr
    finally:
        process.terminate()
        assert process.wait(60) == 0
    assert not service.is_healthy()
