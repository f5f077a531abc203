"""PostgreSQL on a disk of its own that can be filled: a tmpfs, whose ENOSPC is the kernel's."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tabiji_cli.stack.ports import free_port
from tabiji_cli.stack.postgres import PostgresServer
from tests.faults.suite import Skipped

SIZE_MB = 400
MIB = 2**20


class SmallDisk:
    """The server, and the disk under its data; its log lies elsewhere."""

    def __init__(self, server: PostgresServer, disk: Path, log: Path) -> None:
        self.server, self.disk, self.log = server, disk, log

    @property
    def _ballast(self) -> Path:
        return self.disk / "ballast"

    def fill(self) -> None:
        """Until not one byte is left."""
        with self._ballast.open("wb", buffering=0) as out, contextlib.suppress(OSError):
            while True:
                out.write(b"\0" * MIB)
        with self._ballast.open("ab", buffering=0) as out, contextlib.suppress(OSError):
            while True:
                out.write(b"\0")

    def free(self) -> None:
        """Room again; a server that ended over it is started, as whoever runs it would do."""
        self._ballast.unlink()
        if not self.server.is_alive():
            self.server.kill()
            self.server.start()

    def said_full(self) -> int:
        """How often the server has met the end of the disk."""
        return self.log.read_text("utf-8", errors="replace").count("No space left on device")


@contextmanager
def small_disk() -> Iterator[SmallDisk]:
    """Raises ``Skipped`` where nothing may be mounted."""
    home = Path(tempfile.mkdtemp(prefix="tabiji-disk-"))
    home.chmod(0o711)
    disk = home / "postgres"
    disk.mkdir()
    done = _run("mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=0700", "tmpfs", str(disk))
    if done.returncode:
        shutil.rmtree(home)
        raise Skipped(f"a full disk needs the right to mount a tmpfs: {done.stderr.strip()}")
    server = PostgresServer(home, free_port())
    try:
        server.start()
        yield SmallDisk(server, disk, home / "logs" / "postgres.log")
    finally:
        server.kill()
        _run("umount", "-l", str(disk))
        shutil.rmtree(home, ignore_errors=True)


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    if shutil.which(command[0]) is None:
        raise Skipped(f"there is no {command[0]} here")
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C"})
