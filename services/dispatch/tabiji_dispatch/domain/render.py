"""A template and a customer make a letter: Liquid, then MJML; a customer's value is text, never markup or a header."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import mrml
from liquid import Environment
from liquid.exceptions import LiquidError
from liquid.filter import with_context
from liquid.template import BoundTemplate
from markupsafe import Markup

from tabiji_common.links import Link, sign
from tabiji_dispatch.domain.line import compile_line, fill, text_message
from tabiji_dispatch.domain.message import MARKETING, Delivery, Letter

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029]")
_BREAKS = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")
_WEB = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}/[a-z0-9][a-z0-9_-]{0,63}")
SUBJECT_MOST = 250
LINE, MAIL = "line", "email"
_BODIES = frozenset({"body.txt", "body.mjml", "body.html", "body.line.txt", "body.line.json"})


class Unrenderable(Exception):
    """The template is at fault: it is missing a part, or fails on this customer's values."""


class _Limits(Environment):
    """Bombs end early: bounded loops, output and nesting; no other file can be named."""

    loop_iteration_limit = 10_000
    output_stream_limit = 400_000
    local_namespace_limit = 100_000
    context_depth_limit = 20


@with_context
def _track(value: object, *, context: Any) -> str:
    """Liquid's ``track``: a link through the click counter; what is no web address is dropped."""
    url = str(value)
    return Markup(context.resolve("_track")(url)) if _WEB.fullmatch(url) else ""  # noqa: S704 - our own signed token


def _environment(*, escape: bool) -> Environment:
    environment = _Limits(autoescape=escape)
    environment.add_filter("track", _track)
    return environment


_TEXT, _MARKUP = _environment(escape=False), _environment(escape=True)


@dataclass(frozen=True)
class Template:
    """A compiled template; ``version`` is a hash of its sources, ``line`` message objects with compiled strings."""

    name: str
    version: str
    subject: BoundTemplate | None
    text: BoundTemplate | None
    html: BoundTemplate | None
    mjml: bool
    line: Any = None


@dataclass(frozen=True, slots=True)
class Shop:
    """What every template may say of the shop, and what signs its links."""

    name: str
    url: str
    public_url: str
    secret: str
    address: str = ""
    contact: str = ""


def is_template_name(name: str) -> bool:
    """``<journey>/<template>`` of plain words: nothing that could leave the folder."""
    return _NAME.fullmatch(name) is not None


def compile_template(name: str, parts: Mapping[str, str]) -> Template:
    """Compile ``subject.liquid``, ``body.txt``, ``body.mjml`` or ``body.html``, and LINE's; raises ``Unrenderable``."""
    if not _BODIES & parts.keys():
        raise Unrenderable(f"template {name} has no body")
    markup = parts.get("body.mjml", parts.get("body.html"))
    joined = "\x1e".join(f"{part}\x1f{parts[part]}" for part in sorted(parts))
    try:
        return Template(
            name,
            hashlib.sha256(joined.encode()).hexdigest()[:16],
            _TEXT.from_string(parts["subject.liquid"]) if "subject.liquid" in parts else None,
            _TEXT.from_string(parts["body.txt"]) if "body.txt" in parts else None,
            _MARKUP.from_string(markup) if markup is not None else None,
            "body.mjml" in parts,
            compile_line(parts, _TEXT.from_string),
        )
    except (LiquidError, ValueError, RecursionError) as error:
        raise Unrenderable(f"template {name}: {error}") from error


def render(template: Template, delivery: Delivery, shop: Shop, *, address: str, name: str, now: datetime) -> Letter:
    """The letter for one customer; raises ``Unrenderable``. Every value of a customer is one line of text.

    On LINE the letter's text is the JSON of its message objects.
    """
    links = _Links(shop, delivery)
    unsubscribe = links.url("u")
    pixel = links.url("o")
    line = delivery.channel == LINE
    values = {
        **_clean(delivery.variables),
        "variables": _clean(delivery.variables),
        "customer": {"name": _one_line(name)},
        "shop": {"name": shop.name, "url": shop.url, "address": shop.address, "contact": shop.contact},
        "open_pixel": pixel,
        "unsubscribe_url": unsubscribe,
        "_track": links.click,
    }
    try:
        subject = template.subject.render(values) if template.subject else ""
        text = _line(template, values) if line else template.text.render(values) if template.text else ""
        html = "" if line else _html(template, values, pixel)
    except (LiquidError, OSError, ValueError, RecursionError) as error:
        raise Unrenderable(f"template {template.name}: {type(error).__name__}") from error
    if delivery.message_class == MARKETING and delivery.channel == MAIL:
        _show_way_out(template, unsubscribe, text, html)
    return Letter(
        key=delivery.key,
        channel=delivery.channel,
        address=address,
        subject=_one_line(subject)[:SUBJECT_MOST],
        text=_CONTROLS.sub("", text.replace("\r\n", "\n")),
        html=_CONTROLS.sub("", html),
        unsubscribe_url=unsubscribe if delivery.message_class == MARKETING else "",
        dated=now,
        template_version=template.version,
    )


def _show_way_out(template: Template, unsubscribe: str, text: str, html: str) -> None:
    """Raise where a part of the mail does not say how to unsubscribe: a header is not seen by everybody."""
    for name, part in (("text", text or html), ("HTML", html or text)):
        if unsubscribe not in part:
            raise Unrenderable(f"template {template.name}: marketing mail whose {name} lacks unsubscribe_url")


class _Links:
    """Signed links of one message."""

    def __init__(self, shop: Shop, delivery: Delivery) -> None:
        self._shop = shop
        self._delivery = delivery

    def url(self, kind: str, target: str = "") -> str:
        d = self._delivery
        token = sign(self._shop.secret, Link(kind, d.workspace, d.customer, d.key, d.channel, target))
        return f"{self._shop.public_url.rstrip('/')}/{kind}/{token}"

    def click(self, url: str) -> str:
        return self.url("c", url)


def _line(template: Template, values: Mapping[str, Any]) -> str:
    """The message objects, as JSON; the text is the one message where the template has none for LINE."""
    if template.line is not None:
        return fill(template.line, values)
    if template.text is None:
        raise ValueError("nothing to say on LINE")
    return fill(text_message(template.text), values)


def _html(template: Template, values: Mapping[str, Any], pixel: str) -> str:
    if template.html is None:
        return ""
    html = template.html.render(values)
    if template.mjml:
        html = mrml.to_html(html).content
    if pixel not in html:
        image = f'<img src="{pixel}" width="1" height="1" alt="">'
        before, end, rest = html.rpartition("</body>")
        html = f"{before}{image}{end}{rest}" if end else html + image
    return html


def _one_line(value: str) -> str:
    return _BREAKS.sub(" ", value).strip()


def _clean(value: Any) -> Any:
    """Strings without control characters, at any depth: they could end a header or a line of the envelope."""
    if isinstance(value, str):
        return _BREAKS.sub(" ", value)
    if isinstance(value, dict):
        return {str(name): _clean(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value
