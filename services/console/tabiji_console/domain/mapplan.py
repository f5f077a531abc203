"""Where everything on a map is drawn, in either orientation: nodes, the way in, and the goal's lane. Pure.

The goal is left out of the layout: it is a lane along the top (on a phone, the side) that the converters of every state
join, each beneath those who joined before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tabiji_console.domain.layout import Edge, Layout, Spot, place
from tabiji_console.domain.mapbands import bands, depth_of_loops, loops, thickness
from tabiji_console.domain.mapparts import (
    LYING,
    UPRIGHT,
    Frame,
    Node,
    Picture,
    Plan,
    Rect,
    Riser,
    Sign,
    Stroke,
    Word,
    reach,
    room_of,
)

FIT = 1120.0
WIDEST_GAP = 110.0
LANE_AT = 36.0  # from the edge on its side to the lane
CORNER = 8.0


def plan(picture: Picture, *, upright: bool) -> Plan:
    """Measure the map; lying, its gaps grow until it fills a desktop's panel, where that is not too far."""
    frame = UPRIGHT if upright else LYING
    lane = sum(thickness(frame, picture, riser.people) for riser in picture.risers)
    frame = replace(frame, lane_side=frame.lane_side + lane)
    signs = {sign.name: sign for sign in picture.signs}
    order = sorted(signs, key=lambda name: name != picture.start)
    boxes = [frame.box(signs[name]) for name in order]
    edges = [Edge(band.source, band.target, band.people) for band in picture.bands]
    laid = place(boxes, edges, frame.gap_along, frame.gap_across)
    spare = FIT - laid.length - frame.before - frame.after
    if not upright and len(laid.layers) > 1 and spare > 0:
        wider = min(frame.gap_along + spare / (len(laid.layers) - 1), WIDEST_GAP)
        laid = place(boxes, edges, wider, frame.gap_across)
    if upright and laid.loops:
        frame = replace(frame, other_side=frame.other_side + depth_of_loops(laid))
    made = Plan(upright)
    made.nodes = [_node(frame, signs[name], laid.spots[name]) for name in signs]
    rooms = [node.room for node in made.nodes]
    for strokes, words in (bands(frame, picture, laid, rooms), loops(frame, picture, laid)):
        made.strokes += strokes
        made.words += words
    below = 0.0 if upright else depth_of_loops(laid)
    across = frame.lane_side + laid.breadth + frame.other_side + below
    along = frame.before + laid.length + frame.after
    made.width, made.height = (across, along) if upright else (along, across)
    _enter(frame, picture, laid, made)
    if picture.goal_words:
        _Lane(frame, picture, laid, made).draw()
    return made


def _node(frame: Frame, sign: Sign, spot: Spot) -> Node:
    x, y = frame.at(spot.along, spot.across)
    left, right, top, bottom = reach(sign, upright=frame.upright)
    room = Rect(x - left, y - top, left + right, top + bottom)
    whole = sign.kind == "wait" or (frame.upright and sign.kind in {"send", "end"})
    return Node(sign, x, y, room if whole else Rect(x - 18, y - 18, 36, 36), room)


def _enter(frame: Frame, picture: Picture, laid: Layout, made: Plan) -> None:
    """The band that fades in, and how many they are."""
    start = laid.spots.get(picture.start)
    if start is None:
        return
    wide = thickness(frame, picture, picture.entered)
    begin = -frame.before + (26.0 if frame.upright else 4.0)
    made.entry = (f"M{frame.xy(begin, start.across)}L{frame.xy(start.along, start.across)}", wide)
    x, y = frame.at(begin, start.across)
    if frame.upright:
        made.words.append(Word(x, y - 6, picture.entry_figure, picture.entry_words, "middle", "entry", "entered"))
    else:
        sign = next(node for node in made.nodes if node.sign.name == picture.start)
        y = min(y - wide / 2, sign.room.y) - 9
        made.words.append(Word(x, y, picture.entry_figure, picture.entry_words, "start", "entry", "entered"))


@dataclass(frozen=True)
class _Exit:
    """Where converters leave a state: a spot, and the place along the road where they turn to the lane."""

    riser: Riser
    out: Spot
    turn: float


class _Lane:
    """The goal: its lane, its flag, and a riser from every state where somebody reached it."""

    def __init__(self, frame: Frame, picture: Picture, laid: Layout, made: Plan) -> None:
        self.frame, self.picture, self.laid, self.made = frame, picture, laid, made
        self.upright = frame.upright
        self.rooms = [node.room for node in made.nodes] + [room_of(word, 12.0) for word in made.words]

    def draw(self) -> None:
        """Lay the risers side by side on the lane, then put their figures where nothing else is."""
        exits = sorted(self._exits(), key=lambda one: one.turn)
        widths = [thickness(self.frame, self.picture, one.riser.people) for one in exits]
        offset = -sum(widths) / 2
        at = self.made.width - LANE_AT + offset if self.upright else LANE_AT - offset
        flag = self.made.height - 30 if self.upright else self.made.width - 26
        self.made.flag = (at, flag) if self.upright else (flag, at)
        lines: list[Rect] = []
        ends: list[float] = []
        for one, wide in zip(exits, widths, strict=True):
            lane = at - (offset + wide / 2) if self.upright else at + offset + wide / 2
            offset += wide
            self.made.strokes.append(Stroke(f"{one.riser.source}>goal", "lane", self._path(one, lane, flag), wide))
            lines.append(self._line(one, lane, wide))
            ends.append(lane)
        for one, lane, wide in zip(exits, ends, widths, strict=True):
            self._say(one, lane, wide, lines)
        self._name(at + offset if self.upright else at - offset, flag)

    def _exits(self) -> list[_Exit]:
        """Straight to the lane where no other node of the layer is between, else out into the gap after the layer."""
        found = []
        busy: dict[int, int] = {}
        for riser in self.picture.risers:
            spot = self.laid.spots[riser.source]
            layer = self.laid.layer[riser.source]
            beside = [self.laid.spots[name].across for name, at in self.laid.layer.items() if at == layer]
            between = any(other > spot.across if self.upright else other < spot.across for other in beside)
            node = next(node for node in self.made.nodes if node.sign.name == riser.source)
            if not between:
                found.append(_Exit(riser, Spot(spot.along, self._edge(node, spot)), spot.along))
                continue
            nth = busy.get(layer, 0)
            busy[layer] = nth + 1
            found.append(_Exit(riser, spot, self.laid.layers[layer][1] + 9 + 8 * nth))
        return found

    def _edge(self, node: Node, spot: Spot) -> float:
        if self.upright:
            return spot.across + node.body.x + node.body.width - node.x
        return spot.across - (node.y - node.body.y)

    def _path(self, one: _Exit, lane: float, flag: float) -> str:
        """Out of the node, to the lane, round the corner, along to the flag."""
        x, y = self.frame.at(one.out.along, one.out.across)
        turn_x, turn_y = self.frame.at(one.turn, one.out.across)
        if self.upright:
            start = f"M{x:.1f},{y:.1f}" + (f"V{turn_y:.1f}" if turn_y != y else "")
            return f"{start}H{lane - CORNER:.1f}Q{lane:.1f},{turn_y:.1f} {lane:.1f},{turn_y + CORNER:.1f}V{flag:.1f}"
        start = f"M{x:.1f},{y:.1f}" + (f"H{turn_x:.1f}" if turn_x != x else "")
        return f"{start}V{lane + CORNER:.1f}Q{turn_x:.1f},{lane:.1f} {turn_x + CORNER:.1f},{lane:.1f}H{flag:.1f}"

    def _line(self, one: _Exit, lane: float, wide: float) -> Rect:
        """What the riser's straight part covers."""
        x, y = self.frame.at(one.turn, one.out.across)
        if self.upright:
            return Rect(x, y - wide / 2, lane - x, wide)
        return Rect(x - wide / 2, lane, wide, y - lane)

    def _say(self, one: _Exit, lane: float, wide: float, lines: Sequence[Rect]) -> None:
        """The figure, beside its riser: near its state, else nearer and nearer to the lane."""
        x, y = self.frame.at(one.turn, one.out.across)
        words = [
            Word(at_x, at_y, one.riser.figure, one.riser.share, anchor, "riser", f"goal.{one.riser.source}")
            for at_x, at_y, anchor in self._spots(x, y, lane, wide / 2)
        ]
        free = (
            word
            for word in words
            if not any(room_of(word).meets(other, 2) for other in self.rooms)
            and sum(room_of(word).meets(line, 1) for line in lines) == 0
        )
        word = next(free, words[0])
        self.made.words.append(word)
        self.rooms.append(room_of(word))

    def _spots(self, x: float, y: float, lane: float, half: float) -> list[tuple[float, float, str]]:
        if self.upright:
            inner = lane - half - 10
            return [(inner, y + shift, "end") for shift in (-6 - half, 15 + half, -20 - half, 29 + half, -34 - half)]
        low, high = y - 9, lane + 26
        steps = [low - (low - high) * n / 6 for n in range(7)] if low > high else [low]
        return [spot for level in steps for spot in ((x + half + 6, level, "start"), (x - half - 6, level, "end"))]

    def _name(self, edge: float, flag: float) -> None:
        """What the goal is, how many reached it and which share, beside the lane's end."""
        said = self.picture
        x, y = (edge - 22, flag + 5) if self.upright else (flag - 24, edge - 8)
        self.made.words.append(Word(x, y, said.goal_figure, said.goal_words, "end", "goal", "goal", said.goal_share))
