"""The pages there are, and where a visitor may be sent."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Place:
    """A page of the menu: its words are ``nav.<name>``, and ``g`` then ``letter`` goes there."""

    name: str
    path: str
    icon: str
    letter: str


PLACES = (
    Place("today", "/", "house", "t"),
    Place("journeys", "/journeys", "route", "j"),
    Place("customers", "/customers", "user-round", "c"),
    Place("ltv", "/ltv", "chart-line", "l"),
    Place("deliveries", "/deliveries", "send", "d"),
    Place("health", "/health", "activity", "h"),
)


def within(path: str, otherwise: str = "/") -> str:
    """``path`` where it is one of this site and nothing else, so that nobody is sent away by a link."""
    parts = urlsplit(path)
    clean = path.startswith("/") and not path.startswith(("//", "/\\")) and "\\" not in path
    return path if clean and not parts.scheme and not parts.netloc and path.isprintable() else otherwise
