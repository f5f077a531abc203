"""The road itself: bands from state to state, as wide as the people on them, their shares, and the ways back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from tabiji_console.domain.layout import Layout, Spot
from tabiji_console.domain.mapparts import Band, Frame, Picture, Rect, Stroke, Word, room_of

THINNEST = 1.5
RADIUS = 8.0
LOOP_STEP = 26.0
Flat = tuple[float, float, float]
"""A straight piece: from and to along the road, and where across it."""


def thickness(frame: Frame, picture: Picture, people: int) -> float:
    """How wide so many people are drawn."""
    return max(THINNEST, frame.band * people / max(picture.entered, 1))


def bands(frame: Frame, picture: Picture, laid: Layout, taken: Sequence[Rect]) -> tuple[list[Stroke], list[Word]]:
    """Every band that leads on, and what is said on it, where nothing else is ``taken``."""
    shown = [band for band in picture.bands if (band.source, band.target) in laid.via]
    wide = {(band.source, band.target): thickness(frame, picture, band.people) for band in shown}
    leaves, comes = _ports(shown, laid, wide, out=True), _ports(shown, laid, wide, out=False)
    strokes: list[Stroke] = []
    words: list[Word] = []
    for band in shown:
        pair = (band.source, band.target)
        flats = _flats(laid, band, leaves[pair], comes[pair])
        strokes.append(Stroke(f"{band.source}>{band.target}", "band", _curve(frame, flats), wide[pair]))
        word = _label(frame, band.label, flats, [*taken, *map(room_of, words)]) if band.label else None
        words += [word] if word else []
    return strokes, words


def _ports(
    shown: Sequence[Band], laid: Layout, wide: dict[tuple[str, str], float], *, out: bool
) -> dict[tuple[str, str], float]:
    """How far from the middle of its node each band leaves (or reaches) it: side by side, in the order they lead to."""
    found: dict[tuple[str, str], float] = {}
    for name in laid.spots:
        mine = [band for band in shown if (band.source if out else band.target) == name]
        mine.sort(key=lambda band: _beside(laid, band, out=out))
        at = -sum(wide[band.source, band.target] for band in mine) / 2
        for band in mine:
            width = wide[band.source, band.target]
            found[band.source, band.target] = at + width / 2
            at += width
    return found


def _beside(laid: Layout, band: Band, *, out: bool) -> float:
    path = [laid.spots[band.source], *laid.via[band.source, band.target], laid.spots[band.target]]
    return path[1 if out else -2].across


def _flats(laid: Layout, band: Band, leaves: float, comes: float) -> list[Flat]:
    source, target = laid.spots[band.source], laid.spots[band.target]
    first, last = laid.layer[band.source], laid.layer[band.target]
    via = laid.via[band.source, band.target]
    return [
        (source.along, laid.layers[first][1], source.across + leaves),
        *((*laid.layers[first + n], spot.across) for n, spot in enumerate(via, start=1)),
        (laid.layers[last][0], target.along, target.across + comes),
    ]


def _curve(frame: Frame, flats: Sequence[Flat]) -> str:
    """Straight through every layer, curved between them."""
    parts = [f"M{frame.xy(flats[0][0], flats[0][2])}"]
    for (_, out, here), (into, _, there) in pairwise(flats):
        middle = (out + into) / 2
        parts.append(f"L{frame.xy(out, here)}")
        parts.append(f"C{frame.xy(middle, here)} {frame.xy(middle, there)} {frame.xy(into, there)}")
    parts.append(f"L{frame.xy(flats[-1][1], flats[-1][2])}")
    return "".join(parts)


def _label(frame: Frame, text: str, flats: Sequence[Flat], rooms: Iterable[Rect]) -> Word | None:
    """On the band, in the gap after its state; one that would cover another moves, or is left to the table."""
    taken = list(rooms)
    (_, out, here), (into, _, there) = flats[0], flats[1]
    along, across = (out + into) / 2, (here + there) / 2
    if len(flats) > 2:
        along, across = (flats[1][0] + flats[1][1]) / 2, flats[1][2]
    for nudge in (0.0, 9.0, -9.0, 16.0, -16.0, 24.0, -24.0):
        x, y = frame.at(along + nudge, across) if frame.upright else frame.at(along, across + nudge)
        word = Word(x, y + 4, text, "", "middle", "share")
        if not any(room_of(word).meets(other, 1) for other in taken):
            return word
    return None


def depth_of_loops(laid: Layout) -> float:
    """How much room the ways back take beneath (on the other side of) everything."""
    return LOOP_STEP * len(laid.loops) + (4.0 if laid.loops else 0.0)


def loops(frame: Frame, picture: Picture, laid: Layout) -> tuple[list[Stroke], list[Word]]:
    """The ways back, dashed: beneath everything, or when upright along the side that the goal is not on."""
    said = {(band.source, band.target): band.label for band in picture.bands}
    strokes: list[Stroke] = []
    words: list[Word] = []
    for n, loop in enumerate(laid.loops):
        source, target = laid.spots[loop.source], laid.spots[loop.target]
        deep = -(10 + LOOP_STEP * n) if frame.upright else laid.breadth + 14 + LOOP_STEP * n
        path = _around(frame, source, target, deep)
        strokes.append(Stroke(f"{loop.source}>{loop.target}", "loop", path, THINNEST))
        if label := said.get((loop.source, loop.target), ""):
            x, y = frame.at((source.along + target.along) / 2, deep)
            words.append(Word(x, y + 4, label, "", "start" if frame.upright else "middle", "loop"))
    return strokes, words


def _around(frame: Frame, source: Spot, target: Spot, deep: float) -> str:
    """Out of one node across to ``deep``, along, and back into the other, with round corners."""
    along = RADIUS if source.along >= target.along else -RADIUS
    across = RADIUS if deep > source.across else -RADIUS
    return (
        f"M{frame.xy(source.along, source.across)}L{frame.xy(source.along, deep - across)}"
        f"Q{frame.xy(source.along, deep)} {frame.xy(source.along - along, deep)}"
        f"L{frame.xy(target.along + along, deep)}"
        f"Q{frame.xy(target.along, deep)} {frame.xy(target.along, deep - across)}"
        f"L{frame.xy(target.along, target.across)}"
    )
