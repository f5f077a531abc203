"""Failpoints: inert unless asked, and then exactly what was asked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tabiji_common import failpoints
from tabiji_common.failpoints import Failpoint, FailpointError

POINT = Failpoint("unit.test.point", "only here")


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm("")


async def test_nothing_happens_unless_asked() -> None:
    failpoints.arm("")
    POINT.hit()
    await POINT()


async def test_an_error_is_raised_at_the_hit_that_was_asked_for_and_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TABIJI_FAILPOINT_LOG", str(tmp_path / "hits"))
    failpoints.arm("unit.test.point=error@2")
    await POINT()
    with pytest.raises(FailpointError):
        await POINT()
    await POINT()
    assert (tmp_path / "hits").read_text().startswith("unit.test.point error ")


def test_a_name_is_registered_once() -> None:
    assert "unit.test.point" in failpoints.REGISTRY
    with pytest.raises(ValueError, match="registered twice"):
        Failpoint("unit.test.point", "again")


def test_an_unknown_action_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown action"):
        failpoints.arm("unit.test.point=explode")
