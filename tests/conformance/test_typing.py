"""Wiring a handler to the wrong topic is a type error, and where nobody checks types, a TypeError at the start."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from mypy import api

from tabiji_common.service import Service
from tabiji_common.topics import (
    CUSTOM,
    CUSTOMERS,
    ENGAGEMENTS,
    PAGE_VIEWS,
    PURCHASES,
    SENDS,
    TRANSITIONS,
    Record,
    Topic,
)
from tests.conformance.typing_cases import accepted, refused

CASES = Path(__file__).parent / "typing_cases"
ROOT = Path(__file__).parents[2]

Handler = Callable[[Any], Awaitable[list[Record[Any]]]]

NEVER_MEET: list[tuple[Topic[Any], Handler]] = [
    (PAGE_VIEWS, refused.order),
    (PAGE_VIEWS, refused.purchase),
    (PURCHASES, refused.view),
    (PURCHASES, refused.order_or_view),
    (ENGAGEMENTS, refused.order),
    (CUSTOMERS, refused.order),
    (CUSTOM, refused.order),
    (SENDS, refused.order),
    (SENDS, refused.moved),
    (TRANSITIONS, refused.send),
]


def complaints(case: Path) -> set[int]:
    """The lines of ``case`` that mypy refuses; it must refuse nothing else."""
    out, err, _ = api.run(["--config-file", str(ROOT / "pyproject.toml"), "--no-error-summary", str(case)])
    assert not err, err
    found = re.findall(r"^(\S+?):(\d+): error: ", out, re.MULTILINE)
    assert all(Path(path).name == case.name for path, _ in found), out
    return {int(line) for _, line in found}


def test_the_type_checker_refuses_every_pair_that_never_meets_and_no_other(tmp_path: Path) -> None:
    bare = tmp_path / "refused.py"
    bare.write_text(re.sub(r"  # type: ignore.*", "", (CASES / "refused.py").read_text()))
    calls = {n for n, line in enumerate(bare.read_text().splitlines(), start=1) if "service.consume(" in line}
    assert len(calls) == 11
    assert complaints(bare) == calls
    assert complaints(CASES / "accepted.py") == set()


@pytest.mark.parametrize(("topic", "handler"), NEVER_MEET)
def test_without_a_type_checker_the_pair_is_refused_when_it_is_wired(topic: Topic[Any], handler: Handler) -> None:
    with pytest.raises(TypeError, match="would never be called"):
        Service("typed").consume(topic, handler)


def test_pairs_that_fit_are_wired() -> None:
    assert len(accepted.wire()._consumes) == 10
