"""A road in a visitor's words: what every state is called, which icon it has, what its figures say. Pure."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

from tabiji_console.domain import figures
from tabiji_console.domain.mapparts import Band, Picture, Riser, Sign, shortened
from tabiji_console.domain.road import Road, Row, Stop, Way
from tabiji_console.domain.words import WORDS, Lang, named, said

_CHANNELS = {
    "email": "mail",
    "line": "message-circle",
    "sms": "message-circle",
    "post": "mailbox",
    "phone": "phone",
    "webhook": "webhook",
}
_EVENTS = {
    "order_delivered": "package",
    "order_shipped": "package",
    "email_opened": "mail-open",
    "email_clicked": "mouse-pointer-click",
    "order_completed": "shopping-bag",
    "product_added": "shopping-bag",
}
_WEEKEND = [5, 6]
_MANY_HELD = 0.05  # of those who reached a send: said on the map


def icon_of(stop: Stop) -> str:
    """The icon of a state, by what it does."""
    told = stop.told
    if stop.kind == "send":
        return "ticket-percent" if "coupon" in told["template"] else _CHANNELS.get(told["channel"], "send")
    if stop.kind == "wait":
        if told["wait"] == "event":
            return _EVENTS.get(told["on"][0], "hourglass")
        return "hourglass" if told["wait"] == "for" else "calendar-clock"
    return {"split": "split", "branch": "git-branch", "end": "check"}[stop.kind]


def title_of(stop: Stop, lang: Lang) -> str:
    """What a state is called: by what it sends or waits for, else its name in the document, made readable."""
    told = stop.told
    if stop.kind == "send":
        return named_or_readable(lang, "template", told["template"])
    if stop.kind == "wait":
        return _wait_title(told, lang)
    if stop.kind == "end":
        return named_or_readable(lang, "end", told["reason"] or stop.name)
    return named_or_readable(lang, "state", stop.name)


def title_in(road: Road, stop: Stop, lang: Lang) -> str:
    """The same, behind the name of the arm of a split where that is the only way there."""
    ways = [way for way in road.ways if way.target == stop.name]
    source = road.stop(ways[0].source) if len(ways) == 1 else None
    arm = f"{ways[0].by.upper()} " if source is not None and source.kind == "split" and len(ways[0].by) == 1 else ""
    return arm + title_of(stop, lang)


def state_in(road: Road | None, state: str | None, lang: Lang) -> str:
    """What a state is called on the map of its journey; its name made readable where the map is not at hand."""
    stop = road.stop(state) if road is not None and state else None
    if road is not None and stop is not None:
        return title_in(road, stop, lang)
    return named_or_readable(lang, "state", state) if state else figures.DASH


def template_of(lang: Lang, template: str) -> str:
    """What a message is called by its template, without the journey's folder."""
    return named_or_readable(lang, "template", template.rpartition("/")[2])


def named_or_readable(lang: Lang, family: str, name: str) -> str:
    """The word for a name out of a document, or the name with spaces and a capital."""
    if f"{family}.{name}" in WORDS:
        return named(lang, family, name)
    readable = name.replace("-", " ").replace("_", " ")
    return readable[:1].upper() + readable[1:]


def _wait_title(told: Row, lang: Lang) -> str:
    if told["wait"] == "event":
        key = f"until.{told['on'][0]}"
        return said(lang, key) if key in WORDS else said(lang, "until.other", what=told["on"][0].replace("_", " "))
    if told["wait"] == "for":
        return said(lang, "until.for", span=figures.span(timedelta(seconds=told["seconds"]), lang))
    days = _days(told.get("weekdays", []), lang)
    if told["wait"] == "window":
        return said(lang, "until.window", days=days).strip()
    return said(lang, "until.time", days=days, at=told["at"]).strip()


def _days(weekdays: list[int], lang: Lang) -> str:
    if not weekdays or len(weekdays) == 7:
        return ""
    if weekdays == _WEEKEND:
        return said(lang, "days.weekend")
    return said(lang, "days.separator").join(said(lang, f"days.{day}") for day in weekdays)


def note_of(stop: Stop, lang: Lang) -> str:
    """The small line of a wait: how long at most."""
    told = stop.told
    if told.get("wait") == "event":
        return said(lang, "until.most", span=figures.span(timedelta(seconds=told["seconds"]), lang))
    return ""


def picture(road: Road, lang: Lang, title: str, *, chosen: str = "", query: str = "") -> Picture:
    """The map of a road; ``query`` is what every state's link carries on beside its ``state``."""
    return Picture(
        title,
        [_sign(road, stop, lang, chosen, query) for stop in road.stops],
        [_band(road, way) for way in road.ways],
        [
            Riser(stop.name, stop.converted, figures.number(stop.converted), _share(stop.converted, stop.reached))
            for stop in road.stops
            if stop.converted
        ],
        road.start,
        road.treated.people + road.holdout.people,
        said(lang, "journeys.entered"),
        figures.number(road.treated.people + road.holdout.people),
        said(lang, "journeys.goal.flag"),
        figures.number(road.converted),
        _share(road.converted, road.treated.people + road.holdout.people),
    )


def _share(part: int, whole: int) -> str:
    return figures.share(part / whole) if whole else ""


def _sign(road: Road, stop: Stop, lang: Lang, chosen: str, query: str) -> Sign:
    title = shortened(title_in(road, stop, lang))
    href = f"?state={quote(stop.name)}{query}"
    unit, held = "", ""
    figure = figures.number(stop.reached)
    if stop.kind == "wait":
        figure, unit = figures.number(stop.waiting), said(lang, "journeys.waiting.unit")
    elif stop.kind == "send":
        figure = figures.number(stop.sent)
        if stop.held > max(_MANY_HELD * stop.reached, 0):
            held = said(lang, "journeys.held.n", n=figures.number(stop.held))
    elif stop.kind == "split":
        figure = " / ".join(figures.share(way["share"], 0).removesuffix("%") for way in stop.told["ways"])
    return Sign(
        stop.name, stop.kind, icon_of(stop), title, figure, unit, note_of(stop, lang), held, href, stop.name == chosen
    )


def _band(road: Road, way: Way) -> Band:
    """Shares are said where people part or drop off, which is after a wait or a branch."""
    stop = road.stop(way.source)
    parts = stop is not None and stop.kind in {"wait", "branch"}
    label = figures.share(way.share, 0) if parts and way.share is not None and way.people else ""
    return Band(way.source, way.target, way.people, label)
