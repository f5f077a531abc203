"""Which dead letters a form means, and what a replay came to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def called(chosen: Mapping[str, str]) -> str:
    """What is about to be replayed, in one line."""
    return " · ".join(filter(None, (chosen["service"], chosen["topic"], chosen["reason"])))


def wanted(chosen: Mapping[str, str]) -> dict[str, Any]:
    """What to ask a service for; without topic and reason everything that it keeps."""
    named = {name: chosen[name] for name in ("topic", "reason") if chosen[name]}
    return named or {"all": True}


def came_to(told: Mapping[str, Any]) -> dict[str, int]:
    """How many of what kind, for the page that comes after."""
    counts = {"asked": told["asked"], "before": told["done"], "refused": told["refused"]}
    return {name: len(ones) for name, ones in counts.items()} | {"left": int(told["left"])}
