"""PostgreSQL on one laptop: the real server out of a wheel, on 127.0.0.1, every commit fsynced."""

import logging
import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import asyncpg
import psutil

from tabiji_cli.stack.errors import StackError
from tabiji_cli.stack.home import HomeLock, private_temp_folder, short_id, write_secret
from tabiji_cli.stack.patience import Patience, Written
from tabiji_cli.stack.ports import LOOPBACK, require_free
from tabiji_cli.stack.probe import database_answers, execute
from tabiji_cli.stack.processes import Command, Identity, end, family, identify, spawn
from tabiji_cli.stack.users import can_pass, reachable_programs, unprivileged

log = logging.getLogger(__name__)

PORT_SETTING = "TABIJI_POSTGRES_PORT"
DEFAULT_PORT = 15432
SUPERUSER = "tabiji"

# One laptop with two cores. Durability is left as it comes: fsync and synchronous_commit are on.
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # a socket's path may be 107 bytes; a checkout's may be more
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "max_parallel_workers_per_gather": "0",  # /dev/shm is 64 MB in containers, and two cores few
    "jit": "off",  # our queries are short
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %d ",
    "log_checkpoints": "off",
    "shared_preload_libraries": "",
}


class PostgresServer:
    """A server whose data lives under `home`/postgres and survives SIGKILL and power cuts.

    The superuser `tabiji` has a generated password, in `home`/postgres.password (mode 0600).
    PostgreSQL refuses root: started by root it runs as `nobody`, and where that user cannot enter
    `home`, its data lies in the system's temporary folder instead (a warning says where).
    All calls block; use a thread from async code.
    """

    def __init__(self, home: Path, port: int = DEFAULT_PORT) -> None:
        self.home = home
        self.port = port
        self._user = unprivileged()
        self._password_file = home / "postgres.password"
        self._log = home / "logs" / "postgres.log"
        self._folder = home / "postgres"  # or elsewhere: see _settle
        self._lock = HomeLock(home / "postgres.lock")
        self._process: subprocess.Popen[bytes] | None = None
        self._identity: Identity | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the server's first process while it runs."""
        return None if self._process is None else self._process.pid

    @property
    def data(self) -> Path:
        """Where the data lies; under `home` unless `nobody` cannot get there."""
        return self._folder / "data"

    @property
    def _unfinished(self) -> Path:
        return self._folder / "unfinished"

    def is_alive(self) -> bool:
        """Whether the server's process runs; it may not answer yet, or any more."""
        return self._process is not None and self._process.poll() is None

    def dsn(self, database: str = "postgres") -> str:
        """`postgresql://…` of a database, with the superuser's name and password."""
        password = self._password_file.read_text("utf-8").strip()
        return f"postgresql://{SUPERUSER}:{quote(password)}@{LOOPBACK}:{self.port}/{database}"

    def start(self) -> None:
        """Start, and return once a query is answered.

        Raises PortTaken, HomeInUse, or StackError with the end of the server's log.
        """
        if self.is_alive():
            return
        self.home.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        try:
            self._settle()
            self._end_leftovers()
            require_free(self.port, PORT_SETTING)
            self._initialise_once()
            options = [word for item in SETTINGS.items() for word in ("-c", "=".join(item))]
            program = str(reachable_programs(self._user) / "postgres")
            written = Written(self._log)
            self._process = spawn(
                Command(
                    argv=[program, "-D", str(self.data), "-p", str(self.port), *options],
                    log=self._log,
                    cwd=self._folder,
                    user=self._user,
                    on_parent_death=signal.SIGQUIT,  # SIGKILL would leave its children to find out
                )
            )
            self._identity = identify(self._process.pid)
            self._await_ready(self._process, written)
        except BaseException:
            self.kill()
            raise

    def stop(self, grace: float = 15.0) -> None:
        """End sessions, write a checkpoint and end; SIGKILL after `grace` seconds."""
        if self._identity is not None:
            # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for every client to leave.
            end([self._identity], first=signal.SIGINT, grace=grace)
        self._forget()

    def kill(self) -> None:
        """SIGKILL all its processes, as a crash would: what was committed is there afterwards."""
        if self._process is not None:
            end(family(self._process.pid), first=signal.SIGKILL, grace=5.0)
        self._forget()

    def create_database(self, name: str) -> str:
        """Create a database unless it is there; its dsn."""
        try:
            execute(self.dsn(), f"CREATE DATABASE {_quoted(name)}")
        except asyncpg.DuplicateDatabaseError:
            log.debug("database is there already")
        return self.dsn(name)

    def drop_database(self, name: str) -> None:
        """Drop a database if it is there, and end the sessions in it."""
        execute(self.dsn(), f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")

    def _forget(self) -> None:
        if self._process is not None:
            self._process.wait(10)
        self._process = self._identity = None
        self._lock.release()

    def _settle(self) -> None:
        """Choose and make the folder, so that the server's user can work in it."""
        if not can_pass(self._user, self.home):
            self._folder = private_temp_folder(f"tabiji-data-{short_id(self.home)}") / "postgres"
            log.warning(
                "PostgreSQL runs as nobody, who cannot enter %s: its data lies in %s",
                self.home,
                self._folder,
            )
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if self._user is not None:
            os.chown(self._folder, self._user.uid, self._user.gid)
        if not os.access(self._folder, os.W_OK):
            raise StackError(f"{self._folder} belongs to another user; remove it as that user")

    def _end_leftovers(self) -> None:
        """End what still works in our folder: its lock is ours, so it belongs to a life before."""
        folder = str(self.data.resolve())
        found = []
        for process in psutil.process_iter(["name"]):
            try:
                if process.name().startswith("postgres") and process.cwd() == folder:
                    found.append(identify(process.pid))
            except psutil.Error:
                continue
        left = [process for process in found if process is not None]
        if left:
            log.warning("ending %d processes that an earlier PostgreSQL left behind", len(left))
            end(left, first=signal.SIGQUIT, grace=5.0)
        # Its process id may be somebody else's by now, and PostgreSQL would believe it.
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _initialise_once(self) -> None:
        known = (self.data / "PG_VERSION").exists() and self._password_file.exists()
        if known and not self._unfinished.exists():
            return
        if self.data.exists() and any(self.data.iterdir()):
            self._discard()
        password = secrets.token_urlsafe(24)
        hand_over = self._folder / "password"
        write_secret(hand_over, password)
        if self._user is not None:
            os.chown(hand_over, self._user.uid, self._user.gid)
        try:
            self._initdb(hand_over)
        finally:
            hand_over.unlink()
        write_secret(self._password_file, password)
        self._unfinished.unlink()

    def _discard(self) -> None:
        """Remove what nobody can open: initdb did not finish, or its home was thrown away.

        Data in a home whose password alone is gone may still be wanted: that is for a person.
        """
        sheltered = self._folder.parent != self.home
        if not sheltered and not self._unfinished.exists():
            raise StackError(
                f"{self.data} has data, but {self._password_file} is gone; "
                "put the password back, or remove both to begin anew"
            )
        log.warning("removing %s, which belongs to no home any more", self.data)
        shutil.rmtree(self.data)

    def _initdb(self, password_file: Path) -> None:
        self._unfinished.touch()
        done = subprocess.run(
            [
                str(reachable_programs(self._user) / "initdb"),
                f"--pgdata={self.data}",
                f"--username={SUPERUSER}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-instructions",
            ],
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
            user=None if self._user is None else self._user.uid,
            group=None if self._user is None else self._user.gid,
            extra_groups=None if self._user is None else [],
        )
        if done.returncode != 0:
            raise StackError(f"initdb failed in {self.data}: {done.stdout}{done.stderr}")

    def _await_ready(self, process: subprocess.Popen[bytes], written: Written) -> None:
        patience = Patience(log.warning)
        while not database_answers(self.dsn()):
            if process.poll() is not None:
                raise StackError(f"PostgreSQL ended with status {process.returncode}:\n{written.tail()}")
            if not patience.lasts("PostgreSQL does not answer yet"):
                raise StackError(f"PostgreSQL did not answer in {patience.seconds:.0f} s:\n{written.tail()}")
            time.sleep(0.05)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
