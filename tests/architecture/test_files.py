"""What a clone may not hold: another machine's paths, a registry's host, an unpinned package."""

import ast
import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from tabiji_common import runtime_schema
from tests.architecture.tree import ROOT, committed_files, modules, python_files

LONGEST_MODULE = 300

# Each pattern is put together from pieces, or this file would be its own first finding.
REGISTRY_HOSTS = re.compile(
    "|".join(
        [
            r"py" + r"pi\.org",
            r"python" + r"hosted\.org",
            r"npm" + r"js\.(org|com)",
            r"crates" + r"\.io",
            r"golang" + r"\.org",
            r"maven" + r"\.org",
            r"maven\.apache" + r"\.org",
            r"deb" + r"ian\.org",
        ]
    ),
    re.IGNORECASE,
)
MACHINE_PATHS = re.compile(
    r"(?<![\w.$}-])/(" + "|".join(["wo" + "rk", "fa" + "rm", "ro" + "ot", "Us" + "ers"]) + r")/"
    r"|/tmp/ba" + r"sh_jobs|(?<![\w.$}-])/ho" + r"me/\w"
)


def text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        return ""


def findings(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {found.group()}"
        for path in committed_files()
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if (found := pattern.search(line))
    ]


def test_no_file_names_the_host_of_a_package_registry() -> None:
    assert findings(REGISTRY_HOSTS) == []


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    assert findings(MACHINE_PATHS) == []


@pytest.mark.parametrize(
    "line",
    ["cd /wo" + "rk/main", "'/ro" + "ot/x'", "see /ho" + "me/somebody", "(/Us" + "ers/x)"],
)
def test_a_path_of_a_machine_is_recognised(line: str) -> None:
    assert MACHINE_PATHS.search(line)


@pytest.mark.parametrize("line", ["a frame/work/one", "${HOME}/work/x", "and/or", "./root/x"])
def test_a_relative_path_is_no_path_of_a_machine(line: str) -> None:
    assert not MACHINE_PATHS.search(line)


@pytest.mark.parametrize("name", sorted(path.name for path in ROOT.glob("requirements*.lock")))
def test_every_package_is_pinned_by_version_and_hash(name: str) -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / name).read_text("utf-8").strip())
    loose = [
        entry.splitlines()[0]
        for entry in entries
        if not entry.startswith("#") and not ("==" in entry and "--hash=sha256:" in entry)
    ]
    assert loose == []


def test_every_jar_is_pinned_by_hash() -> None:
    lock = tomllib.loads((ROOT / "deploy" / "local" / "jgo.lock.toml").read_text("utf-8"))
    assert len(lock["dependencies"]) > 40
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar["sha256"]) for jar in lock["dependencies"])


def test_every_module_opens_with_its_sentence() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in python_files()
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert silent == []


def test_no_module_has_grown_beyond_what_one_reads_in_a_sitting() -> None:
    long = {
        module.shown: lines
        for module in modules()
        if (lines := len(module.path.read_text("utf-8").splitlines())) > LONGEST_MODULE
    }
    assert long == {}


def test_the_operators_page_names_every_metric_and_table_of_the_runtime() -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    declared = (ROOT / "libs" / "common" / "tabiji_common" / "metrics.py").read_text("utf-8")
    names = {*re.findall(r'"(tabiji_runtime_\w+)"', declared), *runtime_schema.metadata.tables}
    assert {name for name in names if f"`{name}`" not in page} == set()


@pytest.mark.parametrize("service", ["journey", "dispatch", "analytics"])
def test_a_service_card_names_the_tables_that_there_are(service: str) -> None:
    tables = import_module(f"tabiji_{service}.adapters.tables").metadata.tables
    card = (ROOT / "services" / service / "README.md").read_text("utf-8")
    families = {name.rpartition("_")[2] for name in re.findall(r"`\*_(\w+)`", card)}
    missing = {name for name in tables if f"`{name}`" not in card and name.rpartition("_")[2] not in families}
    assert missing == set()
