"""Child processes that end with their parent, are stopped by process id, and leave no orphan."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

LAUNCHER = Path(__file__).with_name("launch.py")
ON_LINUX = sys.platform == "linux"
LOG_LIMIT = 20 * 1024 * 1024


@dataclass(frozen=True)
class User:
    """Who a child runs as, where that is not who we are."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Command:
    """A program to run: absolute path first, then its arguments, and where its words go.

    `on_parent_death` is the signal that the kernel gives it when this process ends in any way
    (Linux; elsewhere the next start finds and ends what is left over).
    """

    argv: Sequence[str]
    log: Path
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    user: User | None = None
    on_parent_death: signal.Signals = signal.SIGKILL


@dataclass(frozen=True)
class Identity:
    """A process for certain: ids are used again, an id with its start time is not."""

    pid: int
    started: str

    def is_alive(self) -> bool:
        """Whether that very process still runs; a zombie does not."""
        return started_at(self.pid) == self.started


# PR_SET_PDEATHSIG watches the parent's *thread*. All children are born of this one, which lives
# as long as the process does, so that none dies with some worker thread that happened to start it.
_nursery = ThreadPoolExecutor(max_workers=1, thread_name_prefix="nursery")


def spawn(command: Command) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own (the terminal's Ctrl-C does not reach it).

    Output is appended to its log, which is put aside at 20 MiB. Raises OSError.
    """
    birth: Future[subprocess.Popen[bytes]] = _nursery.submit(_popen, command)
    return birth.result()


def _popen(command: Command) -> subprocess.Popen[bytes]:
    command.log.parent.mkdir(parents=True, exist_ok=True)
    if command.log.exists() and command.log.stat().st_size > LOG_LIMIT:
        command.log.replace(command.log.with_name(f"{command.log.name}.1"))
    uid, gid = (command.user.uid, command.user.gid) if command.user else (-1, -1)
    prefix = [sys.executable, "-I", "-S", str(LAUNCHER)]
    words = [str(int(command.on_parent_death)), str(os.getpid()), str(uid), str(gid)]
    with command.log.open("ab") as log:
        return subprocess.Popen(
            [*prefix, *words, *command.argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(command.env or {})},
            cwd=command.cwd,
            start_new_session=True,
        )


def started_at(pid: int) -> str | None:
    """When that process started, in a form that no other process of this id can have; else None."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        if ON_LINUX:
            # Seconds since the epoch move when the clock is set; ticks since the boot do not.
            fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
            return f"{boot}:{fields[19]}"
        return repr(process.create_time())
    except (psutil.Error, OSError, IndexError):
        return None


def identify(pid: int) -> Identity | None:
    """That process for certain, or None where it has ended."""
    started = started_at(pid)
    return None if started is None else Identity(pid, started)


def family(pid: int) -> list[Identity]:
    """A process and all it started, parents first; empty where it has ended."""
    try:
        process = psutil.Process(pid)
        members = [process, *process.children(recursive=True)]
    except psutil.Error:
        return []
    return [known for member in members if (known := identify(member.pid))]


def send(who: Identity, what: signal.Signals) -> None:
    """Signal that very process; harmless where it has ended."""
    if who.is_alive():
        try:
            os.kill(who.pid, what)
        except ProcessLookupError:
            return


def end(members: Iterable[Identity], *, first: signal.Signals, grace: float) -> list[Identity]:
    """Ask with `first`, wait `grace` seconds, then SIGKILL; returns whom that had to be done to."""
    members = list(members)
    for member in members:
        send(member, first)
    slow = wait_gone(members, grace)
    for member in slow:
        send(member, signal.SIGKILL)
    wait_gone(slow, 5.0)
    return slow


def wait_gone(members: Iterable[Identity], seconds: float) -> list[Identity]:
    """Wait until they have ended; returns those that have not."""
    deadline = time.monotonic() + seconds
    left = [member for member in members if member.is_alive()]
    while left and time.monotonic() < deadline:
        time.sleep(0.01)
        left = [member for member in left if member.is_alive()]
    return left


class Register:
    """Writes down who was started, so that the next start can end what a crash left over.

    Call `clear_leftovers` only while holding the folder's lock: then nobody living owns them.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, Identity] = {}

    def add(self, name: str, pid: int) -> None:
        """Remember a child that has just been started."""
        known = identify(pid)
        if known is not None:
            self._known[name] = known
            self._write()

    def remove(self, name: str) -> None:
        """Forget a child that has ended."""
        if self._known.pop(name, None) is not None:
            self._write()

    def clear_leftovers(self) -> list[Identity]:
        """End what an earlier life of this folder started and did not stop; returns them."""
        try:
            rows = json.loads(self._path.read_text("utf-8"))
            left = [Identity(row["pid"], row["started"]) for row in rows.values()]
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return []
        alive = [member for root in left if root.is_alive() for member in family(root.pid)]
        end(alive, first=signal.SIGTERM, grace=5.0)
        self._path.unlink(missing_ok=True)
        return alive

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_name(f"{self._path.name}.new")
        draft.write_text(json.dumps({k: asdict(v) for k, v in self._known.items()}), "utf-8")
        draft.replace(self._path)
