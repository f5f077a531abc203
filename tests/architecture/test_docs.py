"""The reference pages say what the code says: topics, metrics, settings, schemas, AsyncAPI."""

import ast
import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest

from tabiji_cli import services
from tabiji_cli.docs import asyncapi, pages
from tabiji_cli.docs.meanings import MEANINGS
from tabiji_cli.docs.schemas import Kind, all_kinds, schema
from tabiji_common import topics
from tests.architecture.tree import ROOMS, ROOT, Module, modules

DOCS = ROOT / "docs"


def _topics_of(module: ModuleType) -> dict[str, topics.Topic[Any]]:
    return {name: value for name, value in vars(module).items() if isinstance(value, topics.Topic)}


CONSTANTS = _topics_of(topics)


def test_the_reference_pages_are_what_make_docs_would_write() -> None:
    assert pages.stale(DOCS) == [], "run `make docs` and commit what it writes"


def test_a_page_that_fell_behind_is_found_and_mended(tmp_path: Path) -> None:
    assert pages.write(tmp_path)
    (tmp_path / "topics.md").write_text("old")
    (tmp_path / "schemas" / "events.gone.v1.json").write_text("{}")
    assert pages.stale(tmp_path) == ["schemas/events.gone.v1.json", "topics.md"]
    pages.write(tmp_path)
    assert pages.stale(tmp_path) == []


def test_every_variable_that_the_code_names_is_on_the_settings_page() -> None:
    page = (DOCS / "settings.md").read_text("utf-8")
    sources = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    named = {name for path in sources for name in re.findall(r"TABIJI_[A-Z_]*[A-Z]", path.read_text("utf-8"))}
    assert {name for name in named if f"`{name}`" not in page} == set()


def test_every_meaning_belongs_to_a_field() -> None:
    fields = {
        name
        for kind in all_kinds()
        for part in (schema(kind), *schema(kind).get("$defs", {}).values())
        for name in part["properties"]
    }
    classes = {kind.payload.__name__ for kind in all_kinds()}
    unused = {
        name
        for name in MEANINGS
        if name.rpartition(".")[2] not in fields or name.rpartition(".")[0] not in {"", *classes}
    }
    assert unused == set()


@pytest.mark.parametrize("kind", list(all_kinds()), ids=lambda kind: kind.file)
def test_a_schema_is_one_and_takes_nothing_without_its_required_fields(kind: Kind) -> None:
    made = json.loads((DOCS / "schemas" / kind.file).read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(made)
    for field in made["required"]:
        told = {name: None for name in made["required"] if name != field}
        errors = list(jsonschema.Draft202012Validator(made).iter_errors(told))
        assert any(error.validator == "required" and f"'{field}'" in error.message for error in errors)


def test_every_topic_of_an_installation_is_a_channel() -> None:
    assert sorted(asyncapi.document()["channels"]) == sorted(services.topics())


def written(module: Module) -> Iterator[str]:
    """Topic constants that the module makes records for, or hands to what does."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") != "consume":
            yield from (one.id for one in node.args if isinstance(one, ast.Name))
            if isinstance(node.func, ast.Attribute) and node.func.attr == "record":
                yield from [node.func.value.id] if isinstance(node.func.value, ast.Name) else []


@pytest.mark.parametrize("service", services.SERVICES)
def test_a_service_says_which_topics_it_writes(service: str) -> None:
    """Those that its code hands to a call, or, where it does not read it, names at all."""
    told = {topic.name for topic in services.outputs().get(service, ())}
    read = {topic.name for topic in services.groups().get(service, ())}
    mine = [module for module in modules() if module.name.startswith(f"tabiji_{service}.")]
    imported = {
        CONSTANTS[alias.name].name
        for module in mine
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and node.module == topics.__name__
        for alias in node.names
        if alias.name in CONSTANTS
    }
    constants = {**CONSTANTS, **_topics_of(import_module(f"tabiji_{service}.pipeline"))}
    found = {constants[name].name for module in mine for name in written(module) if name in constants}
    assert told == found | (imported - read)


def sentences(module: Module) -> Iterator[str]:
    """The longer pieces of what the module refuses requests with."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refused" and len(node.args) > 1:
            parts = node.args[1].values if isinstance(node.args[1], ast.JoinedStr) else [node.args[1]]
            yield from (str(part.value).strip() for part in parts if isinstance(part, ast.Constant))


def test_the_catalogue_of_errors_has_every_refusal_of_the_other_services() -> None:
    page = (DOCS / "errors.md").read_text("utf-8")
    edges = [module for module in modules() if re.fullmatch(r"tabiji_[a-z]+\.api", module.name)]
    found = {piece for module in edges for piece in sentences(module) if len(piece) > 6}
    assert len(found) > 5
    assert {piece for piece in found if piece not in page} == set()


PAGES = sorted(path for folder in (DOCS, ROOT / "services", ROOT / "journeys") for path in folder.rglob("*.md"))


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_is_there(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_decisions_are_numbered_one_by_one_and_have_their_parts() -> None:
    pages = sorted((DOCS / "adr").glob("*.md"))
    assert [path.name[:4] for path in pages] == [f"{n:04}" for n in range(1, len(pages) + 1)]
    for path in pages:
        text = path.read_text("utf-8")
        assert text.startswith(f"# {path.name[:4]} · ")
        assert [
            part for part in ("Context", "Decision", "Consequences", "Alternatives") if f"**{part}.**" not in text
        ] == []
