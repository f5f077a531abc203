"""A map's plan -> SVG. Every text is escaped; every state is a link, with a transparent rectangle to hit.

Without `style`: the content security policy forbids it. Between texts there is a space, or screen readers join them.
"""

from __future__ import annotations

from markupsafe import Markup

from tabiji_console.domain.icons import drawings
from tabiji_console.domain.mapparts import Node, Picture, Plan, Stroke, Word
from tabiji_console.domain.mapplan import plan

WIDE = 1040.0  # a map beyond this shrinks to its panel, but no further than that


def draw(picture: Picture, *, upright: bool = False) -> Markup:
    """The map, left to right, or ``upright`` from top to bottom."""
    made = plan(picture, upright=upright)
    kind = "upright" if upright else "lying"
    classes = f"map-{kind} wide" if not upright and made.width > WIDE else f"map-{kind}"
    parts = [
        _fade(kind, upright=upright),
        *(_band(stroke) for stroke in made.strokes if stroke.kind != "lane"),
        _entry(made, kind),
        *(_band(stroke) for stroke in made.strokes if stroke.kind == "lane"),
        _flag(made),
        *(_node(node, upright=upright) for node in made.nodes),
        *(_word(word) for word in made.words),
    ]
    return Markup(
        '<svg class="map {}" role="group" aria-label="{}" width="{:.0f}" height="{:.0f}"'
        ' viewBox="0 0 {:.0f} {:.0f}">{}</svg>'
    ).format(classes, picture.title, made.width, made.height, made.width, made.height, _joined(parts))


def _joined(parts: list[Markup]) -> Markup:
    return Markup(" ").join(parts)


def _fade(kind: str, *, upright: bool) -> Markup:
    """The way in comes out of nothing."""
    to = Markup('x1="0" y1="0" x2="0" y2="1"') if upright else Markup('x1="0" y1="0" x2="1" y2="0"')
    return Markup(
        '<defs><linearGradient id="map-fade-{}" {}><stop class="map-fade" offset="0" stop-opacity="0"/>'
        '<stop class="map-fade" offset="1"/></linearGradient></defs>'
    ).format(kind, to)


def _band(stroke: Stroke) -> Markup:
    return Markup('<path class="map-{}" data-band="{}" d="{}" stroke-width="{:.1f}"/>').format(
        stroke.kind, stroke.key, stroke.path, stroke.width
    )


def _entry(made: Plan, kind: str) -> Markup:
    """A rectangle, since a gradient along a straight stroke has no box to be measured in."""
    if made.entry is None:
        return Markup("")
    path, wide = made.entry
    (x1, y1), (x2, y2) = (tuple(map(float, part.split(","))) for part in path[1:].split("L"))
    x, y, width, height = (x1 - wide / 2, y1, wide, y2 - y1) if made.upright else (x1, y1 - wide / 2, x2 - x1, wide)
    return Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="url(#map-fade-{})"/>').format(
        x, y, width, height, kind
    )


def _flag(made: Plan) -> Markup:
    if made.flag is None:
        return Markup("")
    x, y = made.flag
    return Markup('<circle class="map-goal" cx="{:.1f}" cy="{:.1f}" r="17"/>{}').format(
        x, y, _icon("flag", x, y, "on-goal")
    )


def _icon(name: str, x: float, y: float, kind: str, size: float = 16.0) -> Markup:
    """An icon around a middle."""
    drawing = Markup(drawings()[name])  # noqa: S704 - vendored by hash
    return Markup('<g class="map-icon {}" transform="translate({:.1f} {:.1f}) scale({:.3f})">{}</g>').format(
        kind, x - size / 2, y - size / 2, size / 24, drawing
    )


def _node(node: Node, *, upright: bool) -> Markup:
    sign = node.sign
    inside = {"wait": _card, "split": _diamond, "branch": _diamond}.get(sign.kind, _pill if upright else _disc)(
        node, upright
    )
    hit = Markup('<rect class="map-hit" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="12"/>').format(
        node.room.x - 3, node.room.y - 3, node.room.width + 6, node.room.height + 6
    )
    return Markup(
        '<a class="map-node map-{}{}" href="{}" hx-get="{}" hx-target="#detail" hx-select="#detail"'
        ' hx-select-oob="#map" hx-swap="outerHTML" hx-push-url="true"{}>{} {}</a>'
    ).format(
        sign.kind,
        " chosen" if sign.chosen else "",
        sign.href,
        sign.href,
        Markup(' aria-current="true"') if sign.chosen else "",
        hit,
        inside,
    )


def _text(x: float, y: float, text: str, kind: str, anchor: str = "middle", key: str = "") -> Markup:
    if not text:
        return Markup("")
    live = Markup(' data-live-id="{}"').format(key) if key else Markup("")
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}"{}>{}</text>').format(
        kind, x, y, anchor, live, text
    )


def _card(node: Node, _upright: bool) -> Markup:  # noqa: FBT001 - one signature for all
    sign, box = node.sign, node.body
    left = box.x + 12
    figure = Markup(
        '<text class="map-figure" x="{:.1f}" y="{:.1f}"><tspan data-live-id="waiting.{}">{}</tspan>'
        '<tspan class="map-unit" dx="7">{}</tspan></text>'
    ).format(left, box.y + 40, sign.name, sign.figure, sign.unit)
    return _joined(
        [
            Markup('<rect class="map-body" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="12"/>').format(
                box.x, box.y, box.width, box.height
            ),
            _icon(sign.icon, box.x + 18, box.y + 15, "in-card", 13),
            _text(box.x + 30, box.y + 19, sign.title, "map-title", "start"),
            figure,
            _text(left, box.y + 54, sign.note, "map-note", "start"),
        ]
    )


def _disc(node: Node, _upright: bool) -> Markup:  # noqa: FBT001 - one signature for all
    sign = node.sign
    return _joined(
        [
            Markup('<circle class="map-body" cx="{:.1f}" cy="{:.1f}" r="17"/>').format(node.x, node.y),
            _icon(sign.icon, node.x, node.y, "on-disc"),
            *_under(node),
        ]
    )


def _under(node: Node) -> list[Markup]:
    sign = node.sign
    key = f"count.{sign.name}" if sign.kind in {"send", "end"} else ""
    return [
        _text(node.x, node.y + 34, sign.title, "map-title"),
        _text(node.x, node.y + 48, sign.figure, "map-note", key=key),
        _text(node.x, node.y + 62, sign.held, "map-held"),
    ]


def _diamond(node: Node, upright: bool) -> Markup:  # noqa: FBT001 - one signature for all
    sign = node.sign
    shape = Markup(
        '<rect class="map-body" x="{:.1f}" y="{:.1f}" width="24" height="24" rx="5"'
        ' transform="rotate(45 {:.1f} {:.1f})"/>'
    )
    beside = [
        _text(node.x + 26, node.y - 1, sign.title, "map-title", "start"),
        _text(node.x + 26, node.y + 13, sign.figure, "map-note", "start"),
    ]
    return _joined(
        [
            shape.format(node.x - 12, node.y - 12, node.x, node.y),
            _icon(sign.icon, node.x, node.y, "in-diamond", 14),
            *(beside if upright else _under(node)),
        ]
    )


def _pill(node: Node, _upright: bool) -> Markup:  # noqa: FBT001 - one signature for all
    sign, box = node.sign, node.body
    high = -10.0 if sign.held else -2.5
    return _joined(
        [
            Markup('<rect class="map-pill" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="{:.1f}"/>').format(
                box.x, box.y, box.width, box.height, box.height / 2
            ),
            Markup('<circle class="map-body" cx="{:.1f}" cy="{:.1f}" r="16"/>').format(box.x + 21, node.y),
            _icon(sign.icon, box.x + 21, node.y, "on-disc"),
            _text(box.x + 44, node.y + high, sign.title, "map-title", "start"),
            _text(box.x + 44, node.y + high + 14, sign.figure, "map-note", "start", f"count.{sign.name}"),
            _text(box.x + 44, node.y + high + 28, sign.held, "map-held", "start"),
        ]
    )


def _word(word: Word) -> Markup:
    """Entry and goal say words, then the figure; a riser its figure, then the share."""
    live = Markup(' data-live-id="{}"').format(word.key) if word.key else Markup("")
    strong = Markup('<tspan class="map-strong"{}>{}</tspan>').format(live, word.strong)
    plain = Markup("<tspan>{}</tspan>").format(word.plain) if word.plain else Markup("")
    after = Markup('<tspan class="map-after">{}</tspan>').format(word.after) if word.after else Markup("")
    parts = [plain, strong, after] if word.kind in {"entry", "goal"} else [strong, plain]
    return Markup('<text class="map-word map-word-{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        word.kind, word.x, word.y, word.anchor, _joined([part for part in parts if part])
    )
