"""A taken port is told by one line that names it and the setting that moves it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tabiji_common import listening
from tabiji_common.settings import Settings

PROCESS = """
from tabiji_common.service import Service
from tabiji_common.settings import Settings
Service("vip", Settings()).detached().run()
"""


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


def test_any_port_is_free() -> None:
    listening.require_free(Settings(port=0), api=True)


def test_the_apis_port_is_told_with_its_setting(taken: int) -> None:
    with pytest.raises(listening.PortTaken, match=rf"port {taken} of 127\.0\.0\.1.* with TABIJI_PORT$"):
        listening.require_free(Settings(port=taken), api=True)


def test_the_admin_port_is_told_with_what_moves_it(taken: int) -> None:
    with pytest.raises(listening.PortTaken, match=rf"port {taken} .*TABIJI_PORT \(it is 1000 above that\)"):
        listening.require_free(Settings(port=taken - 1000), api=False)
    with pytest.raises(listening.PortTaken, match=rf"port {taken} .* with TABIJI_ADMIN_PORT$"):
        listening.require_free(Settings(port=1, admin_port=taken), api=False)


def test_a_process_says_so_in_one_line_and_ends_with_1(taken: int) -> None:
    environment = {**os.environ, "TABIJI_PORT": str(taken - 1000)}
    words = [sys.executable, "-c", PROCESS]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=False)
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"vip: cannot listen on port {taken} of 127.0.0.1, ")
    assert done.returncode == 1
