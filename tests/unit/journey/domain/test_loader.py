"""A journey document is read whole, or every rule that it breaks is told with file and line."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabiji_journey.domain.definition import WaitWindow
from tabiji_journey.domain.loader import DefinitionError, Shop, load, load_file
from tests.unit.journey.domain.road import Shopper

GOOD = """\
id: good
enter: {on: hello}
start: rest
states:
  rest: {wait: {for: 1d}, next: done}
  done: {end: true}
"""


BOMB = "a: &a [1,1,1,1,1,1,1,1]\n" + "".join(
    f"{after}: &{after} [{','.join([f'*{before}'] * 8)}]\n" for before, after in zip("abcd", "bcde", strict=True)
)


def problems(text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(DefinitionError) as caught:
        load(text, file="journey.yaml")
    assert all(problem.file == "journey.yaml" for problem in caught.value.problems)
    return [(problem.line, problem.path, problem.rule) for problem in caught.value.problems]


def problem(states: str, head: str = "id: a\nenter: {on: x}\nstart: s\n") -> str:
    """The rules that these states break, beside being unreachable."""
    return " | ".join(f"{path}: {rule}" for _, path, rule in problems(f"{head}states:\n{states}"))


def test_every_problem_is_told_at_once_by_line() -> None:
    found = problems("""\
id: Bad Id
enter: {on: hello, when: "visitor.age >", reenter: sometimes}
goal: {on: bought}
holdout: 120%
start: nowhere
states:
  a: {send: {channel: fax, template: hello}, next: b}
  b: {wait: {for: hello, timeout: 10z}, then: c}
  c: {wait: {for: 3x}, next: missing}
  d: {split: {x: 50%, y: 40%}, x: a}
""")
    assert [(line, path) for line, path, _ in found] == [
        (1, "id"),
        (2, "enter.reenter"),
        (2, "enter.when"),
        (3, "goal.within"),
        (4, "holdout"),
        (5, "start"),
        (7, "states.a"),
        (7, "states.a.send.channel"),
        (8, "states.b"),
        (8, "states.b.on_timeout"),
        (8, "states.b.wait.timeout"),
        (9, "states.c"),
        (9, "states.c.next"),
        (9, "states.c.wait.for"),
        (10, "states.d"),
        (10, "states.d.split"),
        (10, "states.d.y"),
    ]


@pytest.mark.parametrize(
    ("states", "rule"),
    [
        ("  s: {end: true, wait: {for: 1d}}", "exactly one of send, wait, branch, split, end"),
        ("  s: {}", "exactly one of"),
        ("  s: {wait: {for: 1d}, then: e}\n  e: {end: true}", "unknown key 'then'"),
        ("  s: {wait: {for: opened}, next: e}\n  e: {end: true}", "states.s.on_timeout: is missing"),
        ("  s: {wait: {for: 1d, until: '10:00'}, next: e}\n  e: {end: true}", "exactly one of for, until, window"),
        ("  s: {wait: {until: '25:00'}, next: e}\n  e: {end: true}", "must be a local time"),
        ("  s: {wait: {until: '10:00', weekdays: [sunday]}, next: e}\n  e: {end: true}", "must be one of mon"),
        ("  s: {wait: {window: '10-12'}, next: e}\n  e: {end: true}", "must be a local time"),
        ("  s: {wait: {window: '10:00-10:00'}, next: e}\n  e: {end: true}", "must not be empty"),
        (
            "  s: {wait: {for: 3d, timeout: 1d}, then: e, on_timeout: e}\n  e: {end: Ok}",
            "a reason must be lower",
        ),
        ("  s: {wait: {for: x, of: s, timeout: 1d}, then: e, on_timeout: e}\n  e: {end: true}", "does not answer"),
        (
            "  s: {wait: {for: email_opened, of: s, timeout: 1d}, then: e, on_timeout: e}\n  e: {end: true}",
            "no send state",
        ),
        ("  s: {branch: [], else: e}\n  e: {end: true}", "must be a list of {when, next}"),
        ("  s: {branch: [{when: 'true', next: s}], else: e}\n  e: {end: true}", "part of a loop without a wait"),
        ("  s: {split: {a: 60%, b: 50%}, a: e, b: e}\n  e: {end: true}", "add up to 100%"),
        ("  s: {split: {a: half}, a: e}\n  e: {end: true}", "must be a percentage"),
        ("  s: {wait: {for: 1d}, next: e}\n  e: {end: true}\n  z: {end: true}", "states.z: is never reached"),
        ("  s: {end: true}", "start: must not be an end"),
        ("  S: {end: true}", "must be lower case"),
        ("  s: {send: {channel: email, template: ../x}, next: e}\n  e: {end: true}", "must be lower case"),
        (
            "  s: {send: {channel: email, template: x, variables: {a: [1]}}, next: e}\n  e: {end: true}",
            "must be a text, a number",
        ),
    ],
)
def test_a_broken_rule_is_named(states: str, rule: str) -> None:
    assert rule in problem(states)


def test_a_loop_of_sends_is_refused_because_a_holdout_passes_them_at_once() -> None:
    text = "  s: {send: {channel: email, template: x}, next: w}\n  w: {wait: {WAIT}, next: s}"
    assert "loop without a wait" in problem(text.replace("WAIT", "weekdays: [mon]"))
    assert load("id: a\nenter: {on: x}\nstart: s\nstates:\n" + text.replace("WAIT", "for: 1w")).id == "a"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("id: a\nid: b\n", 2),
        ("id: [\n", 2),
        ("\x00", 1),
        ("id: \ud800", 1),
        ("- a\n", 1),
        ("", 1),
        ("id: a\n---\nid: b\n", 2),
        (BOMB, 1),
        ("x: " + "[" * 5000, 1),
        ("{" * 100_000, 1),
        ("a" * 300_000, 1),
        ("- " * 5000, 1),
        ("? " * 5000, 1),
        ("".join(f"{' ' * depth}a:\n" for depth in range(400)), 1),
    ],
)
def test_what_is_no_document_is_refused_and_not_endured(text: str, line: int) -> None:
    assert problems(text)[0][0] == line


@given(st.text(max_size=60))
def test_any_text_is_a_journey_or_a_definition_error(text: str) -> None:
    with pytest.raises(DefinitionError):
        load(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
        lambda children: (
            st.lists(children, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["id", "enter", "on", "states", "start", "s", "wait", "for", "send", "split", "a", "end", "next"]
                ),
                children,
                max_size=5,
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_is_a_journey_or_a_definition_error(value: object) -> None:
    with pytest.raises(DefinitionError):
        load(json.dumps(value))


def test_json_reads_like_yaml() -> None:
    text = json.dumps(
        {
            "id": "good",
            "enter": {"on": ["hello"]},
            "start": "rest",
            "states": {"rest": {"wait": {"for": "1d"}, "next": "done"}, "done": {"end": True}},
        }
    )
    assert load(text) == load(GOOD)


def test_the_workspace_gives_zone_and_quiet_hours_and_the_journey_may_name_its_own_zone() -> None:
    shop = Shop("Europe/Paris", timedelta(hours=9))
    assert load(GOOD, shop=shop).timezone == "Europe/Paris"
    assert load(GOOD, shop=shop).quiet_hours == timedelta(hours=9)
    own = load(GOOD + "timezone: Asia/Tokyo\n", shop=shop)
    assert own.timezone_of(Shopper()) == "Asia/Tokyo"
    assert own.timezone_of(Shopper(timezone="UTC")) == "UTC"
    assert own.timezone_of(Shopper(timezone="Not/AZone")) == "Asia/Tokyo"


def test_a_number_of_days_with_a_timeout_is_the_name_of_an_event() -> None:
    text = GOOD.replace("{for: 1d}, next: done", "{for: 1st visit, timeout: 1d}, then: done, on_timeout: done")
    assert "1st visit" in load(text).event_types()


def test_a_window_is_read() -> None:
    state = load(GOOD.replace("{for: 1d}", "{window: '10:00-18:00', weekdays: [mon, tue]}")).states["rest"]
    assert isinstance(state, WaitWindow)
    assert state.weekdays == {0, 1}


def test_missing_template_files_are_named(tmp_path: Path) -> None:
    text = GOOD.replace("{wait: {for: 1d}, next: done}", "{send: {channel: email, template: hi}, next: done}")
    (tmp_path / "good.yaml").write_text(text)
    with pytest.raises(DefinitionError) as caught:
        load_file(tmp_path / "good.yaml")
    assert [problem.line for problem in caught.value.problems] == [5, 5, 5]
    folder = tmp_path / "good" / "hi"
    folder.mkdir(parents=True)
    for name in ("subject.liquid", "body.mjml", "body.txt"):
        (folder / name).write_text("{{ unsubscribe_url }}")
    assert load_file(tmp_path / "good.yaml").id == "good"


def test_marketing_mail_without_a_way_out_is_named(tmp_path: Path) -> None:
    text = GOOD.replace("{wait: {for: 1d}, next: done}", "{send: {channel: email, template: hi}, next: done}")
    (tmp_path / "good.yaml").write_text(text)
    folder = tmp_path / "good" / "hi"
    folder.mkdir(parents=True)
    for name in ("subject.liquid", "body.mjml", "body.txt"):
        (folder / name).write_text("{{ unsubscribe_url }}" if name == "body.mjml" else "x")
    with pytest.raises(DefinitionError, match=r"good/hi/body\.txt is marketing and lacks {{ unsubscribe_url }}"):
        load_file(tmp_path / "good.yaml")
    (tmp_path / "good.yaml").write_text(text.replace("template: hi", "template: hi, class: transactional"))
    assert load_file(tmp_path / "good.yaml").id == "good"


def test_an_error_reads_as_file_line_path_and_rule() -> None:
    with pytest.raises(DefinitionError, match=r"^a\.yaml:5: states\.rest\.wait\.for: unknown unit 'z'"):
        load(GOOD.replace("1d", "1z"), file="a.yaml")
