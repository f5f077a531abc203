"""A backup as compose takes it, a tar on standard output, is whole."""

import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tabiji_cli.stack.users import reachable_programs, unprivileged


@pytest.mark.usefixtures("database")
def test_a_tar_on_standard_output_unpacks_to_a_backup_that_verifies(postgres: Any, tmp_path: Path) -> None:
    programs = reachable_programs(unprivileged())
    options = ["--format=tar", "--wal-method=fetch", "--checkpoint=fast"]
    words = [str(programs / "pg_basebackup"), "--dbname", postgres.dsn(), "--pgdata", "-", *options]
    with (tmp_path / "today.tar").open("wb") as out:
        subprocess.run(words, stdout=out, check=True, timeout=240)
    with tarfile.open(tmp_path / "today.tar") as archive:
        archive.extractall(tmp_path / "today", filter="data")
    found = subprocess.run(
        [str(programs / "pg_verifybackup"), str(tmp_path / "today")], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert (tmp_path / "today" / "backup_label").exists()
