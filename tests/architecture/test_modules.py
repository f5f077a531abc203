"""How modules behave: nothing happens at import, Kafka has one door, SQL does not know the time."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.tree import ROOMS, ROOT, Module, modules, parsed

IMPORT_ALL = """
import importlib, os, sys, threading, traceback

def refuse(event, arguments):
    if event.split(".")[0] == "socket" or event in ("subprocess.Popen", "os.fork", "os.exec"):
        raise AssertionError(f"{event} at import")

os.environ.clear()
sys.addaudithook(refuse)
failed = 0
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except BaseException:
        failed += 1
        print(name, traceback.format_exc(limit=-3), sep="\\n")
    if threading.active_count() > 1:
        failed += 1
        print(name, "started a thread", [t.name for t in threading.enumerate()])
        break
raise SystemExit(failed > 0)
"""

KAFKA_DOORS = (
    "tabiji_common.kafka",
    "tabiji_common.topics",  # asks the client's partitioner where a key goes
    "tabiji_cli.stack",
)
SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE|VALUES)\b")
SQL_TIME = re.compile(
    r"(?<![\w.])(now|clock_timestamp|statement_timestamp|transaction_timestamp)\s*\(\s*\)"
    r"|\bCURRENT_(TIMESTAMP|DATE|TIME)\b",
    re.IGNORECASE,
)


def test_every_module_imports_without_network_and_without_an_environment(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *(module.name for module in modules())],
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


def imported(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_the_kafka_client_has_one_door() -> None:
    strangers = [
        module.shown
        for module in modules()
        if any(name.split(".")[0] == "aiokafka" for name in imported(module))
        and not module.name.startswith(KAFKA_DOORS)
    ]
    assert strangers == []


def times_in_sql(path: Path) -> Iterator[str]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if SQL.search(node.value) and (found := SQL_TIME.search(node.value)):
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {found.group()}"
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "func"
            and node.attr in ("now", "current_timestamp", "clock_timestamp")
        ):
            yield f"{path.relative_to(ROOT)}:{node.lineno}: func.{node.attr}"


def test_sql_is_given_the_time_and_never_asks_for_it() -> None:
    found = [line for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")) for line in times_in_sql(path)]
    found += [
        f"{path.relative_to(ROOT)}: {hit.group()}"
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.sql"))
        if (hit := SQL_TIME.search(path.read_text("utf-8")))
    ]
    assert found == []


LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def events_logged(module: Module) -> Iterator[tuple[int, ast.expr | None]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
            yield from [(node.lineno, next(iter(node.args), None))] if _is_log(node.func.value) else []


def _is_log(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "log"


def test_what_a_service_logs_is_a_constant_name_with_fields() -> None:
    sentences = [
        f"{module.shown}:{line}"
        for module in modules()
        if not module.name.startswith("tabiji_cli")  # it speaks to a person
        for line, event in events_logged(module)
        if not (isinstance(event, ast.Constant) and re.fullmatch(r"[a-z]+(_[a-z]+)*", str(event.value)))
    ]
    assert sentences == []


def test_no_app_brings_a_page_of_the_framework_that_asks_other_hosts() -> None:
    calls = [
        (module.shown, {word.arg for word in node.keywords})
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"FastAPI", "_App"}
    ]
    assert len(calls) > 4
    assert [shown for shown, words in calls if not words >= {"docs_url", "redoc_url"}] == []
