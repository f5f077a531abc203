"""Ports on the loopback: is it free, and give me one that is."""

import errno
import socket
import time

from tabiji_cli.stack.errors import PortTaken

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def require_free(port: int, setting: str, *, patience: float = 2.0) -> None:
    """Raise PortTaken, naming the setting, where somebody else listens.

    A little patience covers a predecessor that is just closing.
    """
    deadline = time.monotonic() + patience
    while not _is_free(port):
        if time.monotonic() >= deadline:
            raise PortTaken(port, setting)
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
