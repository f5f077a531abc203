"""Every word is there in both languages, and every colour can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tabiji_console
from tabiji_console.domain.icons import drawings
from tabiji_console.domain.nav import PLACES
from tabiji_console.domain.words import PARTS, WORDS, preferred

ROOM = Path(tabiji_console.__file__).parent
SOURCES = [*ROOM.rglob("*.html"), *ROOM.rglob("*.py")]
USED = re.compile(r"""\b(?:t|say|said)\(\s*(?:lang,\s*|self\.lang,\s*)?["']([a-z0-9_.]+)["']\s*([,)~])""")
PLACEHOLDER = re.compile(r"{(\w+)}")
TEXT = re.compile(r">[^<>{}]*[\w぀-ヿ一-鿿]{2,}[^<>{}]*<")


def test_no_key_is_there_twice() -> None:
    assert sum(map(len, PARTS)) == len(WORDS)


@pytest.mark.parametrize("key", sorted(WORDS))
def test_a_key_has_words_in_both_languages_with_the_same_places(key: str) -> None:
    japanese, english = WORDS[key]
    assert japanese.strip()
    assert english.strip()
    assert set(PLACEHOLDER.findall(japanese)) == set(PLACEHOLDER.findall(english))


def test_every_key_that_is_used_is_known() -> None:
    used = {(path.name, key) for path in SOURCES for key, _ in USED.findall(path.read_text("utf-8")) if key[-1] != "."}
    assert len(used) > 20
    assert {(name, key) for name, key in used if key not in WORDS} == set()


def test_every_page_of_the_menu_has_its_words_and_its_icon() -> None:
    for place in PLACES:
        assert f"nav.{place.name}" in WORDS
        assert f"nav.{place.name}.short" in WORDS
        assert place.icon in drawings()
    assert len({place.letter for place in PLACES}) == len(PLACES)


def test_no_template_speaks_a_language_of_its_own() -> None:
    spoken = [
        (path.name, found.strip("><").strip())
        for path in ROOM.rglob("*.html")
        for found in TEXT.findall(re.sub(r"{[{%#].*?[}%#]}", "", path.read_text("utf-8"), flags=re.DOTALL))
    ]
    assert [found for found in spoken if found[1] != "· Tabiji"] == []


@pytest.mark.parametrize(
    ("accept", "lang"),
    [("", "ja"), ("fr", "ja"), ("en-US,en;q=0.9", "en"), ("ja;q=0.4,en;q=0.8", "en"), ("en;q=x, ja", "ja")],
)
def test_the_browsers_language_is_followed(accept: str, lang: str) -> None:
    assert preferred(accept, "ja") == lang


def _colours() -> dict[str, tuple[str, str]]:
    text = (ROOM / "static" / "tokens.css").read_text("utf-8")
    return {name: (a, b) for name, a, b in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", text)}


def _contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("step", range(12))
@pytest.mark.parametrize("theme", [0, 1])
def test_a_figure_can_be_read_on_every_step_of_the_heat_map(step: int, theme: int) -> None:
    colours = _colours()
    ink = colours["ink" if step < 8 else "on-accent"][theme]
    assert _contrast(colours[f"q{step}"][theme], ink) >= 4.8


@pytest.mark.parametrize("theme", [0, 1])
@pytest.mark.parametrize("ground", ["bg", "surface"])
@pytest.mark.parametrize("ink", ["ink", "ink2", "ink3", "accent", "goal", "warn", "bad", "third"])
def test_text_can_be_read_on_every_ground(ink: str, ground: str, theme: int) -> None:
    colours = _colours()
    assert _contrast(colours[ink][theme], colours[ground][theme]) >= 4.5


def test_no_other_style_sheet_names_a_colour() -> None:
    named = {
        path.name: found
        for path in (ROOM / "static").glob("*.css")
        if path.name != "tokens.css" and (found := re.findall(r"#[0-9a-f]{3,8}\b", path.read_text("utf-8")))
    }
    assert named == {}
