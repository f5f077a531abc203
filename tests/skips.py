"""What a run of the tests says of those that were left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

SETTING = "TABIJI_FIXTURES"


def without_fixtures(skipped: Iterable[Any]) -> str:
    """One line: how many tests of which files want the folder of fixtures, and how to give it; empty for none."""
    files = Counter(report.nodeid.partition("::")[0] for report in skipped if SETTING in str(report.longrepr))
    if not files:
        return ""
    named = ", ".join(f"{count} in {file}" for file, count in sorted(files.items()))
    return (
        f"skipped for want of the folder of fixtures, which is not in the repository: {named}. "
        f"With it: {SETTING}=/path/to/fixtures make check"
    )
