"""``make new-service name=vip`` in a copy of the tree: its checks pass, and it does on a real broker what it says."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer

from tabiji_cli.stack.kafka import KafkaServer
from tabiji_common.events import OrderCompleted
from tabiji_common.kafka.client import Cluster
from tabiji_common.kafka.producer import Producer
from tabiji_common.topics import PURCHASES, Record
from tests.architecture.tree import ROOT, committed_files

BIN = Path(sys.executable).parent
MOST_LINES = 30
NAME = "vip"
THEN = datetime(2026, 4, 1, tzinfo=UTC)


class Copy:
    """The tree in a folder of its own, with this tree's Python."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for path in committed_files():
            to = folder / path.relative_to(ROOT)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, to)
        if (ROOT / ".mypy_cache").is_dir():
            shutil.copytree(ROOT / ".mypy_cache", folder / ".mypy_cache")
        self._set_up()
        self.run("git", "init", "--quiet")

    def _set_up(self) -> None:
        """As after ``make setup``: no package of this tree is installed anew, their sources are found by path."""
        scripts = self.folder / ".venv" / "bin"
        scripts.mkdir(parents=True)
        for name in ("python", "ruff"):
            (scripts / name).write_text(f'#!/bin/sh\nexec "{BIN / name}" "$@"\n')
            (scripts / name).chmod(0o755)
        tomorrow = time.time() + 86_400  # noqa: TID251 - a file's time is the machine's
        for stamp in (".uv", ".ready", ".jars"):
            (scripts.parent / stamp).touch()
            os.utime(scripts.parent / stamp, (tomorrow, tomorrow))

    @property
    def environment(self) -> dict[str, str]:
        rooms = sorted({*(ROOT / "services").glob("*/pyproject.toml"), *(ROOT / "libs").glob("*/pyproject.toml")})
        folders = [path.parent.relative_to(ROOT) for path in rooms] + [Path("services") / NAME]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(str(self.folder / one) for one in folders)}

    def run(self, *words: str | Path) -> str:
        done = subprocess.run(
            list(map(str, words)),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    made = Copy(tmp_path_factory.mktemp("tree"))
    said = made.run("make", "new-service", f"name={NAME}")
    assert "services/vip/tabiji_vip/pipeline.py" in said
    made.run("git", "add", "--all")
    return made


def written(copy: Copy) -> dict[str, bytes]:
    """Every file that is not ignored."""
    found = copy.run("git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    paths = [copy.folder / name for name in found]
    return {str(path.relative_to(copy.folder)): path.read_bytes() for path in paths if path.is_file()}


def test_what_it_writes_is_thirty_lines_and_passes_the_checks(copy: Copy) -> None:
    own = [path.read_text("utf-8") for path in (copy.folder / "services" / NAME / "tabiji_vip").glob("*.py")]
    assert sum(1 for text in own for line in text.splitlines() if line.strip()) <= MOST_LINES
    copy.run(BIN / "ruff", "format", "--check", "--quiet", ".")
    copy.run(BIN / "ruff", "check", "--quiet", ".")
    copy.run(BIN / "lint-imports")
    copy.run(BIN / "mypy", f"services/{NAME}/tabiji_vip", f"tests/unit/{NAME}")
    held = [f"tests/unit/{NAME}", "tests/unit/cli/test_installation.py", "tests/architecture"]
    slow = "tests/architecture/test_modules.py::test_every_module_imports_without_network_and_without_an_environment"
    copy.run(BIN / "python", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *held, "--deselect", slow)


def test_the_readme_shows_what_is_written(copy: Copy) -> None:
    pipeline = (copy.folder / "services" / NAME / "tabiji_vip" / "pipeline.py").read_text("utf-8")
    assert pipeline in (ROOT / "README.md").read_text("utf-8")


def test_it_stands_in_every_list(copy: Copy) -> None:
    for path in ("docker-compose.yml", "deploy/prometheus/prometheus.yml", "pyproject.toml", "docs/topics.md"):
        assert NAME in (copy.folder / path).read_text("utf-8"), path
    listed = copy.run(BIN / "python", "-m", "tabiji_cli", "topics")
    assert "vip.reached.v1" in listed
    assert "events.purchase.v1.vip.dlq" in listed


def test_a_name_that_is_none_or_taken_is_refused(copy: Copy) -> None:
    for name, why in (("vip", "there already"), ("ingest", "there already"), ("VIP", "no name"), ("", "no name")):
        words = [str(BIN / "python"), "-m", "tabiji_cli.scaffold", name]
        done = subprocess.run(
            words, cwd=copy.folder, env=copy.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 1
        assert why in done.stderr


@pytest.fixture
def environment(copy: Copy, kafka: KafkaServer, topic_prefix: str) -> dict[str, str]:
    return {
        **copy.environment,
        "TABIJI_KAFKA_BOOTSTRAP": kafka.bootstrap,
        "TABIJI_TOPIC_PREFIX": topic_prefix,
        "TABIJI_PARTITIONS": "1",
        "TABIJI_PORT": "0",
    }


@pytest.fixture
def running(copy: Copy, environment: dict[str, str], tmp_path: Path) -> Iterator[tuple[Any, Path]]:
    """Its topics are made and it runs; the process, and its log."""
    topics = ("vip.reached.v1", "events.purchase.v1", "events.purchase.v1.vip.dlq")
    words = [str(BIN / "python"), "-m", "tabiji_cli", "topics", *(word for one in topics for word in ("--create", one))]
    made = subprocess.run(words, cwd=copy.folder, env=environment, capture_output=True, text=True, check=False)
    assert made.stdout.startswith("made: "), made.stderr
    log = tmp_path / "vip.log"
    with log.open("wb") as out:
        command = [str(BIN / "python"), "-m", "tabiji_vip"]
        process = subprocess.Popen(command, cwd=copy.folder, env=environment, stdout=out, stderr=out)
    yield process, log
    process.kill()
    process.wait(60)


async def started(process: Any, log: Path) -> dict[str, Any]:
    """What it says once it is up."""
    for _ in range(600):
        for line in log.read_text("utf-8").splitlines():
            if line.startswith("{") and (told := json.loads(line))["event"] == "service_started":
                return dict(told)
        assert process.poll() is None, log.read_text("utf-8")
        await asyncio.sleep(0.1)
    raise AssertionError(log.read_text("utf-8"))


async def test_an_order_goes_in_and_its_record_comes_out(
    running: tuple[Any, Path], kafka: KafkaServer, topic_prefix: str
) -> None:
    process, log = running
    told = await started(process, log)
    assert (told["service"], told["reads"], told["api"]) == (NAME, ["events.purchase.v1"], None)
    async with httpx.AsyncClient(timeout=60) as client:
        assert (await client.get(f"{told['admin']}/readyz")).status_code == 200
        assert "tabiji_runtime_records_total" in (await client.get(f"{told['admin']}/metrics")).text
    await append(Cluster(kafka.bootstrap, topic_prefix, 1), [order("small", 49_999), order("large", 50_000)])
    found = await first(kafka.bootstrap, f"{topic_prefix}vip.reached.v1")
    assert (found.key, json.loads(found.value)["amount_minor"]) == (b"demo:large", 50_000)
    assert dict(found.headers)["ce_source"] == b"tabiji/vip"
    process.terminate()
    assert process.wait(60) == 0, log.read_text("utf-8")


def order(customer: str, amount: int) -> Record[Any]:
    body = OrderCompleted(
        workspace="demo", customer=customer, order_id=f"o-{customer}", amount_minor=amount, currency="JPY"
    )
    return PURCHASES.record(body, id=f"m-{customer}", source="segment", occurred_at=THEN, accepted_at=THEN)


async def append(cluster: Cluster, records: list[Record[Any]]) -> None:
    producer = Producer(cluster)
    await producer.start()
    try:
        await producer.append(records)
    finally:
        await producer.stop()


async def first(bootstrap: str, topic: str) -> Any:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        return await asyncio.wait_for(consumer.getone(), 120)
    finally:
        await consumer.stop()


def test_taken_out_again_it_leaves_the_tree_as_it_was(copy: Copy) -> None:
    words = [str(BIN / "python"), "-m", "tabiji_cli.scaffold", "--remove", "analytics"]
    done = subprocess.run(words, cwd=copy.folder, env=copy.environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "no service that was added here" in done.stderr) == (1, True)
    said = copy.run("make", "remove-service", f"name={NAME}")
    assert "services/vip" in said
    assert "still named" not in said
    ours = {str(path.relative_to(ROOT)): path.read_bytes() for path in committed_files()}
    found = written(copy)
    assert {path for path in ours.keys() | found.keys() if ours.get(path) != found.get(path)} == set()
