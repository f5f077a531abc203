"""Journey does not start where what it writes could not be recognised later."""

import pytest

from tabiji_common.errors import Misconfigured
from tabiji_journey.__main__ import main


def test_without_a_workspace_secret_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABIJI_POSTGRES_DSN", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setenv("TABIJI_WORKSPACE_SECRET", "")
    with pytest.raises(Misconfigured, match="TABIJI_WORKSPACE_SECRET is empty"):
        main()
