"""Where the embedded stack keeps things, and who may enter."""

import os
from pathlib import Path

import pytest

from tabiji_cli.stack.errors import HomeInUse
from tabiji_cli.stack.home import HomeLock, default_home, project_root, write_secret
from tabiji_cli.stack.jars import locked_jars
from tabiji_cli.stack.processes import User, identify
from tabiji_cli.stack.users import can_pass

STRANGER = User(uid=54321, gid=54321)


def test_home_is_in_the_project_unless_the_setting_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("TABIJI_HOME", raising=False)
    assert default_home() == project_root() / ".tabiji"
    monkeypatch.setenv("TABIJI_HOME", str(tmp_path / "elsewhere"))
    assert default_home() == tmp_path.resolve() / "elsewhere"


def test_a_secret_is_for_its_owner_alone_and_can_be_replaced(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    write_secret(secret, "one")
    write_secret(secret, "two")
    assert secret.read_text() == "two"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [secret]


def test_a_lock_has_one_holder_and_is_free_again_afterwards(tmp_path: Path) -> None:
    with HomeLock(tmp_path / "lock"), pytest.raises(HomeInUse, match=str(os.getpid())):
        HomeLock(tmp_path / "lock").acquire()
    with HomeLock(tmp_path / "lock"):
        pass


def test_a_closed_folder_anywhere_above_keeps_others_out(tmp_path: Path) -> None:
    inner = tmp_path / "closed" / "inner"
    inner.mkdir(parents=True)
    inner.parent.chmod(0o700)
    assert can_pass(None, inner)
    assert not can_pass(STRANGER, inner)


def test_a_process_is_known_by_its_start_too() -> None:
    me = identify(os.getpid())
    assert me is not None
    assert me.is_alive()
    assert identify(2**22 + 1) is None


def test_the_locked_jars_have_names_of_their_own() -> None:
    names = [jar.file_name for jar in locked_jars()]
    assert len(set(names)) == len(names)
    assert "kafka_2.13-4.4.0.jar" in names
