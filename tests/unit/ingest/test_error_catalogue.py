"""docs/errors.md is true: each request that it shows is refused as it says, and no rule of the code is missing."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tabiji_ingest
from tabiji_cli.docs.refusals import GROUPS, Rule
from tests.unit.ingest.support import LIVE, Door, basic

RULES = [rule for rules in GROUPS.values() for rule in rules]
SHOWN = [rule for rule in RULES if rule.body is not None]
SOURCES = sorted(Path(tabiji_ingest.__path__[0]).rglob("*.py"))
ELSEWHERE = {
    "rule",  # a name: the sentence stands in the same module, and is looked for there
    "_NOBODYS",
}


def content(rule: Rule) -> dict[str, Any]:
    return {"content": rule.body} if isinstance(rule.body, (bytes, str)) else {"json": rule.body}


@pytest.mark.parametrize("rule", SHOWN, ids=lambda rule: f"{rule.field} {rule.rule}"[:60])
async def test_the_request_is_refused_as_the_catalogue_says(rule: Rule) -> None:
    door = Door()
    key = basic(LIVE) if rule.keyed else {}
    answer = await door.http.post(rule.path, headers={**key, **rule.headers}, **content(rule))
    told = answer.json()["error"]
    assert (answer.status_code, told["field"], told["rule"]) == (rule.status, rule.field, rule.rule)
    assert door.log.records == []


def rules_in(path: Path) -> Iterator[str]:
    """Patterns of the sentences that the module refuses with."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refusal" and len(node.args) > 1:
            yield from pattern(node.args[1])
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ELSEWHERE:
            yield from pattern(node.value)


def pattern(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield re.escape(node.value)
    elif isinstance(node, ast.JoinedStr):
        yield "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+" for part in node.values)


def test_no_rule_of_the_code_is_missing_from_the_catalogue() -> None:
    found = {rule for path in SOURCES for rule in rules_in(path)}
    assert len(found) > 40
    told = [rule.rule for rule in RULES]
    assert {rule for rule in found if not any(re.fullmatch(rule, one) for one in told)} == set()
