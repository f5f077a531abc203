"""Every service's revisions are one line, each with a number of its own: two of one number are taken for one."""

import re
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

FOLDERS = sorted((ROOT / "services").glob("*/migrations/versions"))


def said(path: Path, name: str) -> str | None:
    found = re.search(rf'^{name}\b.*= (?:"(\w+)"|None)$', path.read_text("utf-8"), re.MULTILINE)
    assert found is not None, f"{path.name} has no {name}"
    return found[1]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parents[1].name)
def test_revisions_follow_each_other_by_number(folder: Path) -> None:
    paths = sorted(folder.glob("*.py"))
    revisions = [said(path, "revision") for path in paths]
    assert revisions == [path.name.partition("_")[0] for path in paths]
    assert [said(path, "down_revision") for path in paths] == [None, *revisions[:-1]]
