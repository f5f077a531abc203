"""Named places where a test may stop, slow or kill this process; inert unless ``TABIJI_FAILPOINTS`` names one.

``TABIJI_FAILPOINTS="journey.commit.before=kill@3;dispatch.send.before=sleep:0.3"``: kill at the third hit, sleep at
every hit. Actions: ``kill`` (SIGKILL), ``stop`` (SIGSTOP), ``sleep:SECONDS``, ``error`` (raises ``FailpointError``).
Each action taken adds a line to the file named by ``TABIJI_FAILPOINT_LOG``, so that a driver outside can tell that it
was hit.
"""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from pathlib import Path


class FailpointError(Exception):
    """Raised where a test asked for an error."""


@dataclass
class _Action:
    verb: str
    seconds: float
    at: int | None
    hits: int = 0


REGISTRY: dict[str, str] = {}
_ACTIONS: dict[str, _Action] = {}
_armed = False


class Failpoint:
    """A registered place. ``await point()`` in coroutines, ``point.hit()`` in plain functions."""

    def __init__(self, name: str, where: str) -> None:
        if name in REGISTRY:
            raise ValueError(f"failpoint {name} is registered twice")
        REGISTRY[name] = where
        self.name = name

    async def __call__(self) -> None:
        """Do what was asked here, if anything; sleeps let other tasks run."""
        if _armed and (seconds := _act(self.name)):
            await asyncio.sleep(seconds)

    def hit(self) -> None:
        """Do what was asked here, if anything; a sleep is ignored."""
        if _armed:
            _act(self.name)


def arm(text: str | None = None) -> None:
    """Read the actions from ``text`` or else from the environment; called once at start, and by tests."""
    global _armed  # noqa: PLW0603 - one switch a process, so that an unarmed failpoint costs one test
    _ACTIONS.clear()
    for part in filter(None, (os.environ.get("TABIJI_FAILPOINTS", "") if text is None else text).split(";")):
        name, _, action = part.strip().partition("=")
        action, _, at = action.partition("@")
        verb, _, seconds = action.partition(":")
        if verb not in {"kill", "stop", "sleep", "error"}:
            raise ValueError(f"TABIJI_FAILPOINTS: unknown action {verb!r} for {name}")
        _ACTIONS[name] = _Action(verb, float(seconds or 0), int(at) if at else None)
    _armed = bool(_ACTIONS)


def _act(name: str) -> float:
    action = _ACTIONS.get(name)
    if action is None:
        return 0.0
    action.hits += 1
    if action.at is not None and action.hits != action.at:
        return 0.0
    if log := os.environ.get("TABIJI_FAILPOINT_LOG"):
        with Path(log).open("a") as file:
            file.write(f"{name} {action.verb} {os.getpid()}\n")
    if action.verb == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if action.verb == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if action.verb == "error":
        raise FailpointError(name)
    return action.seconds
