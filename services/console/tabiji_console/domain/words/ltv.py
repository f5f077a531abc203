"""Words of the page of LTV and retention."""

from __future__ import annotations

WORDS: dict[str, tuple[str, str]] = {}
