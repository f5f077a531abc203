"""Ports on the loopback: is it free, and give me one that is."""

import errno
import itertools
import os
import socket
import time
from pathlib import Path

import psutil

from tabiji_cli.stack.errors import PortTaken

LOOPBACK = "127.0.0.1"
ADMIN = 1000  # a service's admin port is as much above its own
# Below those that systems give to outgoing connections (Linux: from 32768): one of these could take a port, and keep
# it, between its choice and its use. Every other thousand, so that an admin port is nobody's choice.
_CHOICE = [port for port in range(10_000, 32_000) if port // ADMIN % 2 == 0]
_turn = itertools.count(os.getpid() * 101)  # processes begin far apart, and give no port twice for long


def free_port() -> int:
    """A port that nobody listens on at this moment, nor on the one ``ADMIN`` above it."""
    while True:
        port = _CHOICE[next(_turn) % len(_CHOICE)]
        if _is_free(port) and _is_free(port + ADMIN):
            return port


def require_free(port: int, setting: str, *, patience: float = 2.0) -> None:
    """Raise PortTaken, naming the setting, where somebody else listens.

    A little patience covers a predecessor that is just closing.
    """
    deadline = time.monotonic() + patience
    while not _is_free(port):
        if time.monotonic() >= deadline:
            raise PortTaken(port, setting, holder(port))
        time.sleep(0.05)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Connections of a predecessor may linger in TIME_WAIT; they keep nobody from listening.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def holder(port: int) -> str:
    """Who listens on a port of this machine, as `process 4711 (python -m tabiji_ingest)`; empty where it is hidden."""
    try:
        listening = [one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
        found = [one.pid for one in listening if one.laddr[1:2] == (port,) and one.pid]
        return told(found[0]) if found else ""
    except psutil.Error:
        return ""  # other people's sockets may be nobody's business


def told(pid: int) -> str:
    """A process for people: its id, and the beginning of its command where that can be seen."""
    try:
        words = psutil.Process(pid).cmdline()
    except psutil.Error:
        return f"process {pid}"
    command = " ".join([Path(words[0]).name, *words[1:]]) if words else "?"
    return f"process {pid} ({command[:60]}{'…' * (len(command) > 60)})"
