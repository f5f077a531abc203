"""What a map is made of, and how big it is: signs, bands, risers; boxes, strokes, words. Values, no places yet.

Widths of text are estimated: CJK 1 em, latin 0.58 em.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tabiji_console.domain.layout import Box

LONGEST_TITLE = 132.0
OVERHANG = 20.0  # of the words under a disc, into the gaps beside it


@dataclass(frozen=True)
class Sign:
    """A state as the map says it, in the visitor's language. ``icon`` is one of the sprite's."""

    name: str
    kind: str
    icon: str
    title: str
    figure: str
    unit: str = ""
    note: str = ""
    held: str = ""
    href: str = ""
    chosen: bool = False


@dataclass(frozen=True)
class Band:
    """People on their way from one state to another; without a label nothing is said of it."""

    source: str
    target: str
    people: int
    label: str = ""


@dataclass(frozen=True)
class Riser:
    """Those who reached the goal while they stood in a state."""

    source: str
    people: int
    figure: str
    share: str


@dataclass(frozen=True)
class Picture:
    """Everything a map shows; without ``goal_words`` it has no goal."""

    title: str
    signs: Sequence[Sign]
    bands: Sequence[Band]
    risers: Sequence[Riser]
    start: str
    entered: int
    entry_words: str
    entry_figure: str
    goal_words: str = ""
    goal_figure: str = ""
    goal_share: str = ""


@dataclass(frozen=True)
class Rect:
    """A piece of the map."""

    x: float
    y: float
    width: float
    height: float

    def meets(self, other: Rect, gap: float = 0.0) -> bool:
        """Whether the two come nearer than ``gap``."""
        return (
            self.x < other.x + other.width + gap
            and other.x < self.x + self.width + gap
            and self.y < other.y + other.height + gap
            and other.y < self.y + self.height + gap
        )


@dataclass(frozen=True)
class Node:
    """A sign at its place: the middle of its body, and the room that body and words take."""

    sign: Sign
    x: float
    y: float
    body: Rect
    room: Rect


@dataclass(frozen=True)
class Stroke:
    """A line: ``kind`` is band, lane or loop; ``key`` names it for whoever travels along it."""

    key: str
    kind: str
    path: str
    width: float


@dataclass(frozen=True)
class Word:
    """Text beside a line: its parts, ``anchor`` (start, middle or end), and the ``key`` of its live figure."""

    x: float
    y: float
    strong: str
    plain: str
    anchor: str
    kind: str
    key: str = ""
    after: str = ""


@dataclass
class Plan:
    """A map, measured."""

    upright: bool
    width: float = 0.0
    height: float = 0.0
    nodes: list[Node] = field(default_factory=list)
    strokes: list[Stroke] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    entry: tuple[str, float] | None = None
    flag: tuple[float, float] | None = None


@dataclass(frozen=True)
class Frame:
    """An orientation: how wide a band of everybody is, the gaps, and what stands around the layout.

    ``lane_side`` is the room on the goal's side: above when lying, to the right when upright.
    """

    upright: bool
    band: float
    gap_along: float
    gap_across: float
    before: float
    after: float
    lane_side: float
    other_side: float

    def at(self, along: float, across: float) -> tuple[float, float]:
        """Where a spot of the layout is on the map."""
        if self.upright:
            return self.other_side + across, self.before + along
        return self.before + along, self.lane_side + across

    def xy(self, along: float, across: float) -> str:
        """The same, as a path writes it."""
        x, y = self.at(along, across)
        return f"{x:.1f},{y:.1f}"

    def box(self, sign: Sign) -> Box:
        """What a sign needs in the layout."""
        left, right, top, bottom = reach(sign, upright=self.upright)
        if self.upright:
            return Box(sign.name, 2 * max(top, bottom), left, right)
        inside = 0.0 if sign.kind == "wait" else OVERHANG
        return Box(sign.name, max(2 * max(left, right) - inside, 44.0), top, bottom)


LYING = Frame(
    upright=False,
    band=44.0,
    gap_along=28.0,
    gap_across=22.0,
    before=48.0,
    after=72.0,
    lane_side=100.0,
    other_side=20.0,
)
UPRIGHT = Frame(
    upright=True,
    band=32.0,
    gap_along=30.0,
    gap_across=14.0,
    before=64.0,
    after=70.0,
    lane_side=104.0,
    other_side=12.0,
)


def width_of(text: str, size: float) -> float:
    """How wide a text is, about."""
    return size * sum(1.0 if ord(sign) > 0x2E7F else 0.58 for sign in text)


def shortened(text: str, size: float = 11.5, most: float = LONGEST_TITLE) -> str:
    """``text``, cut where it would be wider than ``most``."""
    while width_of(text, size) > most and len(text) > 2:
        text = text.removesuffix("…")[:-1] + "…"
    return text


def room_of(word: Word, size: float = 11.0) -> Rect:
    """What a word covers."""
    strong, plain = width_of(word.strong, size * 1.06), width_of(word.plain + word.after, size)
    width = strong + plain + (4 if strong and plain else 0)
    shift = {"start": 0.0, "middle": 0.5, "end": 1.0}[word.anchor]
    return Rect(word.x - width * shift, word.y - size, width, size * 1.3)


def reach(sign: Sign, *, upright: bool) -> tuple[float, float, float, float]:
    """How far a sign reaches from the middle of its body: left, right, top, bottom."""
    title = width_of(sign.title, 11.5)
    if sign.kind == "wait":
        figure = width_of(sign.figure, 18) + width_of(sign.unit, 11) + 10
        half = max(94.0, title + 42, figure + 22, width_of(sign.note, 10.5) + 24) / 2
        return half, half, 31.0, 31.0
    said = max(title, width_of(sign.figure, 11), width_of(sign.held, 11))
    if not upright:
        half = max(22.0, said / 2 + 2)
        return half, half, 21.0, 21.0 + (48.0 if sign.held else 34.0 if sign.figure else 20.0)
    if sign.kind in {"split", "branch"}:
        return 20.0, 26.0 + said, 20.0, 20.0
    half = (38 + said + 22) / 2
    high = 27.0 if sign.held else 21.0
    return half, half, high, high
