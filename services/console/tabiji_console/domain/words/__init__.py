"""Everything the console says, in Japanese and English side by side: key -> (ja, en).

A page's words are in a module of its own; keys begin with the page's name. Units are part of a language.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from tabiji_console.domain.words import (
    audit,
    customers,
    deliveries,
    health,
    journeys,
    letters,
    ltv,
    reasons,
    shell,
    today,
)

Lang = Literal["ja", "en"]
Words = Mapping[str, tuple[str, str]]
Say = Callable[..., str]

LANGUAGES: tuple[Lang, ...] = ("ja", "en")
PARTS: tuple[Words, ...] = (
    shell.WORDS,
    reasons.WORDS,
    today.WORDS,
    journeys.WORDS,
    customers.WORDS,
    ltv.WORDS,
    deliveries.WORDS,
    health.WORDS,
    letters.WORDS,
    audit.WORDS,
)
WORDS: Words = {key: pair for part in PARTS for key, pair in part.items()}


def said(lang: Lang, key: str, **values: object) -> str:
    """The words under ``key`` in ``lang``, with ``values`` in their places; ``KeyError`` where there are none."""
    text = WORDS[key][LANGUAGES.index(lang)]
    return text.format(**values) if values else text


def named(lang: Lang, family: str, name: str) -> str:
    """The word for a name that comes out of data, such as a reason; the name itself where there is no word for it."""
    pair = WORDS.get(f"{family}.{name}")
    return pair[LANGUAGES.index(lang)] if pair else name


def preferred(accept: str, default: Lang) -> Lang:
    """The first of our languages in an Accept-Language header, by its weights."""
    best, weight = default, 0.0
    for part in accept.split(","):
        tag, _, rest = part.strip().partition(";")
        short = tag.strip().lower().partition("-")[0]
        quality = _weight(rest)
        for lang in LANGUAGES:
            if short == lang and quality > weight:
                best, weight = lang, quality
    return best


def _weight(text: str) -> float:
    name, _, value = text.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
