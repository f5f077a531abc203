"""Drawings of icons, out of the sprite that is vendored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources

from markupsafe import Markup

_SYMBOL = re.compile(r'<symbol id="([a-z-]+)">(.*?)</symbol>')


@cache
def drawings() -> Mapping[str, str]:
    """By name, what an icon is drawn of, in a box of 24 by 24."""
    text = (resources.files("tabiji_console") / "static" / "icons.svg").read_text("utf-8")
    return dict(_SYMBOL.findall(text))


def icon(name: str, kind: str = "") -> Markup:
    """An icon beside words: screen readers pass over it. Raises ``KeyError`` for one that is not vendored."""
    drawing = Markup(drawings()[name])  # noqa: S704 - vendored by hash
    classes = f"icon {kind}".strip()
    return Markup('<svg class="{}" viewBox="0 0 24 24" aria-hidden="true" focusable="false">{}</svg>').format(
        classes, drawing
    )
