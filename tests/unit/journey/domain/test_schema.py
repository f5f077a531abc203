"""The published JSON Schema and the loader are of one mind about the shape of a journey."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from tabiji_journey.domain.loader import DefinitionError, load
from tests.unit.journey.domain import letter, test_cases, test_enter, test_memory

ROOT = Path(__file__).parents[4]
SCHEMA = json.loads((ROOT / "services/journey/journey.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
FULL = """
id: full
name: 全部
description: everything that a journey may say
priority: 5
timezone: Asia/Tokyo
enter: {on: [a, b c], when: "event.x == 1", key: cart_id, reenter: after_end}
exit:
  - {on: c, when: "event.y == 1", match: cart, as: gone}
  - {on: [d, e]}
goal: {on: f, within: 60d, when: "event.z == 1", match: order}
holdout: 12.5%
entry_horizon: 24h
max_lateness: P1D
start: send
states:
  send:
    send:
      {channel: line, template: t-1, class: transactional, provider: p, variables: {a: 1, b: x, c: true, d: {cel: now}}}
    next: event
    on_suppressed: until
    on_failed: window
    on_unknown: days
    max_lateness: 1h
    unknown_wait: 2h
  event:
    wait: {for: [email_opened, email_clicked], of: send, when: "true", timeout: 3d}
    then: other
    on_timeout: until
  other: {wait: {for: g, match: order, since: wait, timeout: PT4H}, then: until, on_timeout: until}
  until: {wait: {until: "10:00", weekdays: [sat, sun]}, next: window}
  window: {wait: {window: "22:00-02:00", weekdays: mon}, next: days}
  days: {wait: {weekdays: [mon]}, next: span}
  span: {wait: {for: 1w2d3h4m5s}, next: ask}
  ask: {branch: [{when: "customer.order_count > 1", next: fork}], else: done}
  fork: {split: {x: 33.3333%, y: 66.6667%}, x: done, y: over}
  done: {end: true}
  over: {end: because}
"""


def parsed(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "text",
    [
        FULL,
        test_cases.WAIT_FOR_A_PLAN,
        test_enter.FIRST_ORDER,
        test_enter.cart("restart"),
        letter.MAIL,
        test_memory.DELIVERY,
        test_memory.TWICE,
        *(path.read_text() for path in sorted((ROOT / "journeys").glob("*.yaml"))),
    ],
)
def test_what_the_loader_takes_the_schema_takes(text: str) -> None:
    load(text)
    assert [error.message for error in VALIDATOR.iter_errors(parsed(text))] == []


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ("id: full", "id: Full"),
        ("start: send", "begin: send"),
        ("reenter: after_end", "reenter: often"),
        ("as: gone", "as: Gone Away"),
        ("within: 60d", "inside: 60d"),
        ("holdout: 12.5%", "holdout: 12.5"),
        ("max_lateness: P1D", "max_lateness: one day"),
        ("channel: line", "channel: fax"),
        ("template: t-1", "template: ../t"),
        ("class: transactional", "class: urgent"),
        ("d: {cel: now}", "d: {js: now}"),
        ("next: event", "onward: event"),
        ("on_timeout: until\n  other", "timeout: until\n  other"),
        ("timeout: 3d}", "timeout: 3 days}"),
        ("timeout: 3d}", "timeout: 3d, match: cart}"),
        ("since: wait", "since: forever"),
        ('until: "10:00"', 'until: "10am"'),
        ("weekdays: [sat, sun]", "weekdays: [saturday]"),
        ('"22:00-02:00"', '"22-02"'),
        ("else: done", "otherwise: done"),
        ("x: 33.3333%", "x: a third"),
        ("y: over", "y: [over]"),
        ("end: because", "end: 3"),
        ("done: {end: true}", "done: {}"),
        ("done: {end: true}", "done: {end: true, next: over}"),
        ("on: [a, b c]", "on: []"),
        ("on: f,", "on: f*,"),
    ],
)
def test_what_the_schema_refuses_the_loader_refuses(part: str, instead: str) -> None:
    assert part in FULL
    text = FULL.replace(part, instead, 1)
    assert not VALIDATOR.is_valid(parsed(text))
    with pytest.raises(DefinitionError):
        load(text)
