"""Where the embedded stack keeps things, and the lock that lets one process at a time run it."""

import fcntl
import hashlib
import os
import stat
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tabiji_cli.stack.errors import HomeInUse, StackError

HOME_SETTING = "TABIJI_HOME"


def project_root() -> Path:
    """The tree this package runs from: the folder that holds `deploy/local`."""
    for folder in Path(__file__).resolve().parents:
        if (folder / "deploy" / "local").is_dir():
            return folder
    message = "the embedded stack runs from a checkout: no folder above this one holds deploy/local"
    raise StackError(message)


def default_home() -> Path:
    """`TABIJI_HOME`, or `.tabiji` in the project's folder. Not created here."""
    named = os.environ.get(HOME_SETTING)
    return Path(named).expanduser().resolve() if named else project_root() / ".tabiji"


def cache_folder() -> Path:
    """Fetched jars, shared by every home on this checkout."""
    return default_home() / "cache"


def short_id(path: Path) -> str:
    """A stable name for a folder, for places outside of it."""
    return hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:12]


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner can read, at once and whole."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def private_temp_folder(name: str) -> Path:
    """A folder of ours under the system's temporary one; others may pass through, not write.

    Raises StackError where somebody else put something there under that name.
    """
    folder = Path(tempfile.gettempdir()).resolve() / name
    folder.mkdir(mode=0o711, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise StackError(f"{folder} belongs to somebody else; remove it, or set TMPDIR")
    folder.chmod(0o711)
    return folder


class HomeLock:
    """Holds what a lock file stands for. Gone with this process, however that ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take it or raise HomeInUse."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 64, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise HomeInUse(
                f"{self._path} is held by process {holder or '?'}; "
                f"stop that one, or choose another folder with {HOME_SETTING}"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def holder(self) -> str | None:
        """The process id of whoever holds it at this moment, `?` where that is not told; None where nobody does."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.pread(descriptor, 64, 0).decode(errors="replace").strip() or "?"
        else:
            return None
        finally:
            os.close(descriptor)

    def release(self) -> None:
        """Let it go; harmless when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
