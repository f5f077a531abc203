"""Is Tabiji running from this folder already? If so: which process, how to look at it, how to end it."""

from __future__ import annotations

import re
from pathlib import Path

import psutil

from tabiji_cli.services import CONSOLE, PROCESSES, has_api
from tabiji_cli.stack.errors import HomeInUse
from tabiji_cli.stack.home import HOME_SETTING, HomeLock
from tabiji_cli.stack.ports import ADMIN, LOOPBACK, told

LOCKS = ("postgres.lock", "supervisor.lock", "kafka/lock")  # in the order in which a start takes them
_SERVICE = re.compile(rf"tabiji_({'|'.join(PROCESSES)})")


def require_unused(home: Path) -> None:
    """Raise ``HomeInUse`` where another process runs this home. Nothing is taken here: a start takes the locks."""
    held = [pid for name in LOCKS if (pid := HomeLock(home / name).holder()) is not None]
    if held:
        raise HomeInUse(_said(home, next((pid for pid in held if pid.isdigit()), "")))


def _said(home: Path, pid: str) -> str:
    if not pid:
        return f"another process runs {home}; end it first, or choose another folder with {HOME_SETTING}"
    lines = [f"Tabiji runs here already ({home}): {told(int(pid))}"]
    if urls := _urls(int(pid)):
        lines.append("  look at it:    " + f"\n{' ' * 17}".join(urls))
    lines.append(f"  end it:        Ctrl-C in its terminal, or kill -INT {pid}")
    lines.append(f"  a second one:  another folder with {HOME_SETTING}, and ports with TABIJI_…_PORT")
    return "\n".join(lines)


def _urls(pid: int) -> list[str]:
    """Where to look at the services that this process started; empty where that cannot be seen."""
    try:
        children = psutil.Process(pid).children(recursive=True)
        found = [
            (name[1], child) for child in children for word in child.cmdline() if (name := _SERVICE.fullmatch(word))
        ]
        ports = {service: int(child.environ()["TABIJI_PORT"]) for service, child in found}
        return [_page(service, ports[service]) for service in sorted(ports, key=lambda one: ports[one])]
    except (psutil.Error, KeyError):
        return []


def _page(service: str, port: int) -> str:
    """What a service has for people: the console its pages, an API its documents, any other its readiness."""
    if not has_api(service):
        return f"http://{LOOPBACK}:{port + ADMIN}/readyz"
    return f"http://{LOOPBACK}:{port}{'/' if service == CONSOLE else '/docs'}"
