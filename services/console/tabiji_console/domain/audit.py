"""What an operator's act is called. Pure."""

from __future__ import annotations

import re

_ACTS = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"PUT /v1/switches", "switch"),
        (r"POST /v1/brakes/release", "brake"),
        (r"POST /v1/unknown/.+", "settle"),
        (r"POST /v1/suppressions", "suppress"),
        (r"DELETE /v1/suppressions", "unsuppress"),
        (r"POST /v1/dead-letters/replay", "replay"),
        (r"POST /v1/customers/.+/unpark", "unpark"),
        (r"POST /v1/customers/.+/(exit|enroll|pause)", "command"),
        (r"PUT /v1/clusters/.+", "cluster"),
        (r"POST (/v1)?/restore/release|POST /clock/accept", "restore"),
        (r"POST /v1/journeys/[^/]+/pause", "pause"),
        (r"POST /v1/journeys", "publish"),
        (r"POST /v1/recompute", "recompute"),
        (r"(POST|DELETE) /v1/keys.*|(create|revoke) key .+|rotate write key .+", "keys"),
    )
)


def act(what: str) -> str:
    """The name of what ``METHOD path``, or the command line, does; empty where it has none."""
    return next((name for pattern, name in _ACTS if pattern.fullmatch(what)), "")
