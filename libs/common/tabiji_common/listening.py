"""Where a process listens, and how it says that another one does so already."""

from __future__ import annotations

import socket

from tabiji_common.errors import Misconfigured
from tabiji_common.settings import Settings


class PortTaken(Misconfigured):
    """A port cannot be bound; the message names it, and the setting that moves it."""


def require_free(settings: Settings, *, api: bool) -> None:
    """Raise ``PortTaken`` where the admin port, or the API's if there is one, cannot be bound now."""
    if api:
        _require(settings.host, settings.port, "TABIJI_PORT")
    moved = "TABIJI_ADMIN_PORT" if settings.admin_port else "TABIJI_PORT (it is 1000 above that) or TABIJI_ADMIN_PORT"
    _require(settings.host, settings.effective_admin_port, moved)


def _require(host: str, port: int, setting: str) -> None:
    if not port:
        return  # any free one
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                why = f"{error.strerror}: stop what listens there, or choose another with {setting}"
                raise PortTaken(f"cannot listen on port {port} of {host}, {why}") from error
