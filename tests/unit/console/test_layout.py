"""Maps of any graph: nothing overlaps, everything is inside, and texts are only texts."""

from __future__ import annotations

from html.parser import HTMLParser
from itertools import combinations, pairwise
from xml.dom import minidom

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabiji_console.domain.layout import Box, Edge, place, pooled
from tabiji_console.domain.mapparts import Band, Picture, Plan, Rect, Riser, Sign, room_of
from tabiji_console.domain.mapplan import plan
from tabiji_console.domain.mapsvg import draw

KINDS = ("send", "wait", "split", "branch", "end")
texts = st.text(alphabet=st.sampled_from("お礼メール待つ abcXYZ<>&\"'"), min_size=1, max_size=12)


@st.composite
def pictures(source: st.DrawFn) -> Picture:
    """Any states with any ways between them, loops and islands among them."""
    count = source(st.integers(1, 14))
    names = [f"s{n}" for n in range(count)]
    signs = [
        Sign(
            name,
            source(st.sampled_from(KINDS)),
            "mail",
            source(texts),
            f"{source(st.integers(0, 10**6)):,}",
            "待機中",
            source(st.sampled_from(("", "最長 7日"))),
            source(st.sampled_from(("", "抑止 1,306"))),
            f"?state={name}",
        )
        for name in names
    ]
    ends = st.tuples(st.sampled_from(names), st.sampled_from(names))
    pairs = source(st.lists(ends, max_size=24, unique=True))
    people = st.integers(0, 5000)
    bands = [Band(one, other, source(people), source(st.sampled_from(("", "50%")))) for one, other in pairs]
    waits = [sign.name for sign in signs if sign.kind in {"wait", "end"}]
    risers = [Riser(name, source(st.integers(1, 900)), "402", "3.8%") for name in waits]
    goal = "目標達成" if risers else ""
    return Picture("道", signs, bands, risers, names[0], 5000, "入った人", "5,000", goal, "1,978", "17.6%")


def inside(plan: Plan, rect: Rect) -> bool:
    return rect.x >= 0 and rect.y >= 0 and rect.x + rect.width <= plan.width and rect.y + rect.height <= plan.height


@given(pictures(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_no_two_states_overlap_and_all_are_inside(picture: Picture, upright: bool) -> None:
    made = plan(picture, upright=upright)
    assert [node.sign.name for node in made.nodes] == [sign.name for sign in picture.signs]
    over = [
        (one.sign.name, other.sign.name)
        for one, other in combinations(made.nodes, 2)
        if one.room.meets(other.room, -0.01)
    ]
    assert over == []
    assert [node.sign.name for node in made.nodes if not inside(made, node.room)] == []


@given(pictures(), st.booleans())
@settings(max_examples=40, deadline=None)
def test_labels_of_shares_do_not_cover_each_other_and_lines_stay_inside(picture: Picture, upright: bool) -> None:
    made = plan(picture, upright=upright)
    shares = [room_of(word) for word in made.words if word.kind == "share"]
    assert not any(one.meets(other) for one, other in combinations(shares, 2))
    for stroke in made.strokes:
        numbers = [float(part) for part in stroke.path.translate(str.maketrans("MLQCHV,", "       ")).split()]
        assert min(numbers) >= -1, stroke
        assert max(numbers) <= max(made.width, made.height) + 1, stroke


@given(pictures(), st.booleans())
@settings(max_examples=30, deadline=None)
def test_a_map_is_well_formed_and_holds_every_text_as_it_was(picture: Picture, upright: bool) -> None:
    tree = minidom.parseString(str(draw(picture, upright=upright)))  # noqa: S318 - we drew it
    said = {getattr(node.firstChild, "data", "") for node in tree.getElementsByTagName("text")}
    assert {sign.title for sign in picture.signs} <= said
    assert not any(node.hasAttribute("style") for node in tree.getElementsByTagName("*"))
    assert len(tree.getElementsByTagName("a")) == len(picture.signs)


def test_what_looks_like_markup_stays_text() -> None:
    nasty = '"><script>alert(1)</script>'
    sign = Sign("a", "wait", "mail", nasty, nasty, nasty, nasty, href=f"?state={nasty}")
    text = draw(Picture(nasty, [sign], [Band("a", "a", 1, nasty)], [Riser("a", 1, nasty, nasty)], "a", 1, nasty, nasty))
    found: list[str] = []

    class Look(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append(tag)

    Look().feed(text)
    assert "script" not in found


@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(0.1, 10)), min_size=1, max_size=20))
def test_pooled_values_do_not_fall_and_keep_their_weighted_mean(pairs: list[tuple[float, float]]) -> None:
    values, weights = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = pooled(values, weights)
    assert all(a <= b + 1e-9 for a, b in pairwise(found))
    mean = sum(v * w for v, w in pairs)
    assert sum(v * w for v, w in zip(found, weights, strict=True)) == pytest.approx(mean, abs=1e-6)


def test_a_straight_road_is_drawn_straight_and_a_loop_goes_back() -> None:
    boxes = [Box(name, 40, 20, 20) for name in "abcd"]
    edges = [Edge("a", "b", 9), Edge("b", "c", 9), Edge("c", "d", 8), Edge("c", "a", 1)]
    laid = place(boxes, edges)
    assert len({round(spot.across, 3) for spot in laid.spots.values()}) == 1
    assert [laid.layer[name] for name in "abcd"] == [0, 1, 2, 3]
    assert [(loop.source, loop.target) for loop in laid.loops] == [("c", "a")]
