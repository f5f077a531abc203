"""Keeps named processes running: starts them, restarts what dies, stops all of it, leaves nobody.

Children have sessions of their own, so the terminal's Ctrl-C reaches only the supervisor, which
drains them; and they are bound to its life, so its SIGKILL is theirs.
"""

import contextlib
import logging
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tabiji_cli.stack.errors import StackError
from tabiji_cli.stack.home import HomeLock
from tabiji_cli.stack.patience import Written
from tabiji_cli.stack.processes import (
    Command,
    Identity,
    Register,
    end,
    family,
    identify,
    send,
    spawn,
)

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
STEADY_AFTER = 10.0
LOOK_EVERY = 0.05


@dataclass(frozen=True)
class Death:
    """A child that ended although nobody asked it to, and is about to be started again."""

    name: str
    status: int  # as subprocess has it: negative is the signal that ended it
    restarts: int  # how often it has been started again, this time included
    pause: float  # seconds until then


@dataclass(frozen=True)
class Stopped:
    """How one child ended when it was asked to."""

    name: str
    pid: int
    killed: bool  # it had to be: it was not done within the grace
    seconds: float
    orphans: tuple[int, ...] = ()  # processes it had started and left, ended as well


@dataclass
class _Child:
    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    process: subprocess.Popen[bytes]
    identity: Identity | None
    since: float
    written: Written
    restarts: int = 0
    pause: float = FIRST_PAUSE
    again_at: float | None = None
    held: bool = False  # stopped on purpose: not to be restarted
    relatives: list[Identity] = field(default_factory=list)


class Supervisor:
    """Runs children from one thread of its own; every method may be called from any thread.

    `on_death` is called from that thread before each restart; it must be quick and not raise.
    A child that dies is started again after 0.1 s, then after twice the last pause, 5 s at most;
    ten seconds up make the next pause 0.1 s again. Logs go to `home`/logs/<name>.log.
    """

    def __init__(
        self,
        home: Path,
        *,
        on_death: Callable[[Death], None] | None = None,
        grace: float = 10.0,
    ) -> None:
        self._home = home
        self._on_death = on_death or (lambda _death: None)
        self._grace = grace
        self._lock = HomeLock(home / "supervisor.lock")
        self._register = Register(home / "supervisor.json")
        self._children: dict[str, _Child] = {}
        self._mutex = threading.RLock()
        self._closing = threading.Event()
        self._watch = threading.Thread(target=self._watch_children, name="supervisor", daemon=True)

    def open(self) -> None:
        """Take the home (HomeInUse) and end what an earlier supervisor left behind."""
        self._lock.acquire()
        left = self._register.clear_leftovers()
        if left:
            log.warning("ended %d processes that an earlier supervisor left behind", len(left))
        self._watch.start()

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> int:
        """Start a child, now; its process id. `env` is added to this process's environment.

        Raises StackError where one of that name runs, OSError where it cannot be started.
        """
        with self._mutex:
            known = self._children.get(name)
            if known is not None and not known.held:
                raise StackError(f"{name} is already under supervision")
            written = Written(self._log(name))
            child = self._begin(name, argv, env or {}, written)
            child.restarts = known.restarts if known is not None else 0
            self._children[name] = child
            return child.process.pid

    def stop(self, name: str, grace: float | None = None) -> Stopped:
        """SIGTERM, then SIGKILL after the grace; it is not restarted."""
        with self._mutex:
            child = self._children[name]
            child.held = True
        return self._end([child], self._grace if grace is None else grace)[0]

    def kill(self, name: str) -> int:
        """SIGKILL a child as a crash would; it is restarted. The process id that was killed."""
        with self._mutex:
            child = self._children[name]
            if child.identity is not None:
                send(child.identity, signal.SIGKILL)
            return child.process.pid

    def signal(self, name: str, what: signal.Signals) -> None:
        """Send a signal to a child, for instance SIGSTOP and SIGCONT."""
        with self._mutex:
            identity = self._children[name].identity
            if identity is not None:
                send(identity, what)

    def pid(self, name: str) -> int | None:
        """The process id, or None while it is down."""
        with self._mutex:
            process = self._children[name].process
            return process.pid if process.poll() is None else None

    def restarts(self, name: str) -> int:
        """How often it was started again after it had died."""
        with self._mutex:
            return self._children[name].restarts

    def tail(self, name: str) -> str:
        """The end of what it and its later lives have written since `start`."""
        with self._mutex:
            return self._children[name].written.tail()

    def names(self) -> list[str]:
        """Who is under supervision, in order of start."""
        with self._mutex:
            return [child.name for child in self._children.values() if not child.held]

    def close(self, grace: float | None = None) -> list[Stopped]:
        """Stop all children at once and let the home go; how each one ended. Twice is harmless."""
        self._closing.set()
        if self._watch.is_alive():
            self._watch.join()
        with self._mutex:
            rest = [child for child in self._children.values() if not child.held]
            for child in rest:
                child.held = True
        ended = self._end(rest, self._grace if grace is None else grace)
        self._lock.release()
        return ended

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _log(self, name: str) -> Path:
        return self._home / "logs" / f"{name}.log"

    def _begin(self, name: str, argv: Sequence[str], env: Mapping[str, str], written: Written) -> _Child:
        process = spawn(Command(argv=argv, log=self._log(name), env=env))
        self._register.add(name, process.pid)
        return _Child(name, argv, env, process, identify(process.pid), time.monotonic(), written)

    def _end(self, children: list[_Child], grace: float) -> list[Stopped]:
        begun = time.monotonic()
        for child in children:
            child.relatives = family(child.process.pid)[1:]
        roots = [child.identity for child in children if child.identity is not None]
        killed = end(roots, first=signal.SIGTERM, grace=grace)
        return [self._buried(child, killed, begun) for child in children]

    def _buried(self, child: _Child, killed: list[Identity], begun: float) -> Stopped:
        orphans = [relative for relative in child.relatives if relative.is_alive()]
        end(orphans, first=signal.SIGTERM, grace=1.0)
        child.process.wait(10)
        self._register.remove(child.name)
        return Stopped(
            name=child.name,
            pid=child.process.pid,
            killed=child.identity in killed,
            seconds=time.monotonic() - begun,
            orphans=tuple(orphan.pid for orphan in orphans),
        )

    def _watch_children(self) -> None:
        while not self._closing.wait(LOOK_EVERY):
            with self._mutex:
                watched = [child for child in self._children.values() if not child.held]
                deaths = [death for child in watched if (death := self._look_at(child))]
            for death in deaths:
                log.warning("%s ended with status %d", death.name, death.status)
                self._on_death(death)

    def _look_at(self, child: _Child) -> Death | None:
        """Notice a death, plan the next life, begin it when its time has come."""
        status = child.process.poll()
        now = time.monotonic()
        if status is None:
            if now - child.since > STEADY_AFTER:
                child.pause = FIRST_PAUSE
            return None
        if child.again_at is None:
            child.again_at = now + child.pause
            child.restarts += 1
            death = Death(child.name, status, child.restarts, child.pause)
            child.pause = min(2 * child.pause, LONGEST_PAUSE)
            return death
        if now >= child.again_at:
            self._revive(child)
        return None

    def _revive(self, child: _Child) -> None:
        child.again_at = None
        # Out of processes or memory: the dead one is looked at again, after a longer pause.
        with contextlib.suppress(OSError):
            born = self._begin(child.name, child.argv, child.env, child.written)
            child.process, child.identity, child.since = born.process, born.identity, born.since
