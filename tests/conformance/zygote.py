"""A process that has imported everything and forks toys on demand: on two busy cores, importing is most of a start."""

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Child:
    """A forked process, with the manners of ``subprocess.Popen``."""

    zygote: "Zygote"
    pid: int
    returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self.zygote.ask(poll=self.pid)
        return self.returncode

    def wait(self, timeout: float = 120) -> int:
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} is still there after {timeout} s")
            time.sleep(0.01)
        assert self.returncode is not None
        return self.returncode


class Zygote:
    """Asks the forking process; safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, **question: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    def start(self, module: str, environment: dict[str, str], log: Path) -> Child:
        """Call ``module.main()`` in a process of its own."""
        return Child(self, self.ask(module=module, environment=environment, log=str(log)))

    def stop(self) -> None:
        """End it, and what it started with it."""
        self._process.communicate()


def run(module: str, environment: dict[str, str], log: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    status = 1
    try:
        importlib.import_module(module).main()
        status = 0
    except BaseException:  # noqa: BLE001 - the end of a process
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def answer(question: dict[str, Any], children: set[int]) -> int | None:
    if (pid := question.get("poll")) is not None:
        done, status = os.waitpid(pid, os.WNOHANG)
        if not done:
            return None
        children.discard(pid)
        return os.waitstatus_to_exitcode(status)
    pid = os.fork()
    if pid == 0:
        run(**question)
    children.add(pid)
    return pid


def main() -> None:
    importlib.import_module("tests.conformance.toy")
    children: set[int] = set()
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line), children)), flush=True)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
